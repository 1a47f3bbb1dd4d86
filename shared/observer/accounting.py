"""What a call has used, what failed in it and how fast its turns were answered: on its record, with
the cost, and in its caller's budget. Blocks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared.calls.call_record import CallRecord
from shared.calls.records import Records
from shared.core import logs
from shared.core.problems import Problem
from shared.core.untrusted import finite
from shared.limits.ledger_store import Ledger
from shared.observer.context import Tally
from shared.transcripts.failures import larger_counts
from shared.usage import tokens, turn_latency
from shared.usage.call_usage import CallUsage
from shared.usage.live_usage import ESTIMATED_SECONDS, SECONDS, outlasting
from shared.usage.prices import UNKNOWN, Prices
from shared.usage.transcription import KINDS


@dataclass(frozen=True, slots=True)
class CallCost:
    """The cost of a call as its record has it: an amount in the currency of the price table of the
    day `prices_as_of`, or `unknown` because these models have no price. `seconds` are those that a
    Live call is billed for."""

    cost: str
    prices_as_of: str
    unpriced: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_fields(self) -> dict[str, Any]:
        """The fields of a log event."""
        fields: dict[str, Any] = {"cost": self.cost, "prices_as_of": self.prices_as_of}
        if self.seconds:
            fields["seconds"] = self.seconds
        return {**fields, "unpriced": list(self.unpriced)} if self.unpriced else fields


@dataclass(frozen=True, slots=True)
class CallAccounting:
    """Accounts for the usage of calls. Every method that writes may raise Problem."""

    records: Records
    ledger: Ledger
    prices: Prices

    def cost_of(self, record: CallRecord, used: CallUsage) -> CallCost:
        """What a call has cost so far."""
        as_of = self.prices.as_of.isoformat()
        seconds = used.live.seconds if used.live else 0.0
        cost = self.prices.call_cost(record.model, used)
        if cost is None:
            unpriced = tuple(self.prices.unpriced(record.model, used))
            return CallCost(UNKNOWN, as_of, unpriced, seconds)
        return CallCost(f"{cost.amount:f}", as_of, seconds=seconds)

    def record_tally(self, record: CallRecord, tally: Tally) -> None:
        """Writes to the call's record what it has used since its start, and what failed. A record
        that has been deleted meanwhile stays so."""
        counts, words = tally.usage.counts(), tally.usage.transcribed.counts()

        def with_tally(present: CallRecord) -> CallRecord:
            failures = larger_counts(present.failures, tally.failures)
            latency = turn_latency.larger(present.latency, tally.latencies)
            present = replace(present, failures=failures, latency=latency)
            # A late run must not undo what another one has counted.
            if told_in_all(present.usage, present.transcription) > told_in_all(counts, words):
                return present
            used = with_seconds_of(present, tally.usage)
            cost = self.cost_of(record, used)
            # A later release may count more kinds. What was estimated may have been told since.
            kept = {name: of for name, of in present.usage.items() if name != ESTIMATED_SECONDS}
            return replace(
                present,
                usage={**kept, **used.counts()},
                transcription={**present.transcription, **words},
                cost=cost.cost,
                prices_as_of=cost.prices_as_of,
                session_model=tally.usage.model or present.session_model,
                observed="yes",
            )

        try:
            self.records.update(record.id, with_tally)
        except Problem as problem:
            if problem.code != "call_not_found":
                raise
            logs.event("usage not recorded", logging.WARNING, call=record.id, code=problem.code)

    def spend_tokens(self, record: CallRecord, tally: Tally) -> bool:
        """Records the tally and counts its tokens against the caller's budget. True: the caller has
        no tokens left today."""
        self.record_tally(record, tally)
        return self.ledger.count_tokens(record.reference, tally.total).used_up


def with_seconds_of(record: CallRecord, used: CallUsage) -> CallUsage:
    """The usage of a call whose record may have more seconds by the clock, because it is over."""
    if used.live is None or not record.usage.get(ESTIMATED_SECONDS):
        return used
    return replace(used, live=outlasting(used.live, sum_of(record.usage, (SECONDS,))))


def told_in_all(usage: Mapping[str, Any], transcription: Mapping[str, Any]) -> float:
    """All that the endpoint has told of a call, so that two counts of it can be compared: the later
    one is larger."""
    told = sum_of(usage, tokens.KINDS) + sum_of(transcription, KINDS)
    return told + sum_of(usage, (SECONDS,)) - sum_of(usage, (ESTIMATED_SECONDS,))


def sum_of(counts: Mapping[str, Any], kinds: Iterable[str]) -> float:
    """The sum of the counts whose kind this release has."""
    return sum(finite(counts[name]) or 0 for name in kinds if name in counts)
