"""What a call has used: on its record, with its cost, and in its caller's budget. Blocks."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from shared.calls.records import CallRecord, Records
from shared.core import logs
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.usage.prices import UNKNOWN, Prices
from shared.usage.tokens import Usage, usage_of_counts


@dataclass(frozen=True, slots=True)
class CallAccounting:
    """Accounts for the usage of calls. Every method that writes may raise Problem."""

    records: Records
    ledger: Ledger
    prices: Prices

    def cost_of(self, record: CallRecord, used: Usage) -> str:
        """The amount in the currency of the price table, or `unknown`."""
        cost = self.prices.cost(record.model, used)
        return UNKNOWN if cost is None else str(cost.amount)

    def record_usage(self, record: CallRecord, used: Usage) -> None:
        """Writes to the call's record what it has used since its start. A record that has been
        deleted meanwhile stays so."""
        counts = used.counts()

        def with_usage(present: CallRecord) -> CallRecord:
            # A late run must not undo what another one has counted.
            if sum(usage_of_counts(present.usage).counts().values()) > sum(counts.values()):
                return present
            cost = self.cost_of(record, used)
            usage = {**present.usage, **counts}  # a later release may count more kinds
            return replace(present, usage=usage, cost=cost, observed="yes")

        try:
            self.records.update(record.id, with_usage)
        except Problem as problem:
            if problem.code != "call_not_found":
                raise
            logs.event("usage not recorded", logging.WARNING, call=record.id, code=problem.code)

    def spend_tokens(self, record: CallRecord, used: Usage) -> bool:
        """Records the usage and counts it against the caller's budget. True: the caller has no
        tokens left today."""
        self.record_usage(record, used)
        return self.ledger.count_tokens(record.reference, used.total).used_up
