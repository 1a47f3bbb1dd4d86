"""Has what a call uses, what fails in it and how fast it answers accounted for, and ends it with
its budget."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from datetime import timedelta
from functools import partial

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.context import Spend, Tally
from shared.observer.goodbye import Goodbye
from shared.observer.run_context import RunContext
from shared.observer.turn_latencies import TurnLatencies
from shared.transcripts.failures import Failure, FailureCounter
from shared.transcripts.record_lines import RecordLine

ACCOUNTED_WITHIN = timedelta(seconds=5)
"""How soon what no response brings is accounted for: the next response is often faster."""


class Meter(ABC):
    """What one call uses, and what fails in it. `spend` accounts for it as it goes."""

    def __init__(
        self,
        context: RunContext,
        goodbye: Goodbye,
        spend: Spend | None,
        slow_turn: timedelta | None = None,
    ) -> None:
        self.run = context
        self.goodbye = goodbye
        self.spend = spend
        self.failures = FailureCounter()
        self.latencies = TurnLatencies(context.recorder, slow_turn)
        context.recorder.turn_answered = self.count_turn
        self.is_due = False
        """Whether something that has been counted is to be accounted for soon."""
        self.accounted = 0
        """How often all that was counted has been accounted for."""
        self.unchecked = self.is_checking = False
        """Whether the tally is not told yet, and whether a check is under way."""

    @abstractmethod
    def tally(self) -> Tally:
        """All that is counted so far."""

    def count_failure(self, failure: Failure) -> None:
        """Counts a failure."""
        self.failures.count(failure.what, failure.code)
        self.account_soon()

    def count_turn(self, latency_ms: float) -> None:
        """Counts how long a turn has waited for its answer."""
        self.latencies.count(latency_ms)
        self.account_soon()

    def account_soon(self) -> None:
        """Has accounted for what was counted, within a few seconds."""
        if self.spend and not self.is_due:
            self.is_due = True
            account = partial(self.account_if_due, self.accounted)
            self.run.background.call_later(ACCOUNTED_WITHIN, account)

    def account_if_due(self, accounted: int) -> None:
        """What has been counted since that often everything was accounted for is due now."""
        if not self.is_due or self.accounted != accounted:
            return
        self.is_due = False
        if self.run.lease.is_good:
            self.account()
        else:
            self.account_soon()

    def account(self) -> None:
        if self.spend:
            self.is_due, self.unchecked = False, True
            self.accounted += 1
            if not self.is_checking:
                self.is_checking = True
                self.run.background.start_task(self.check_budget(self.spend))

    async def check_budget(self, spend: Spend) -> None:
        """Ends the call if the budget is used up. While the ledger is away no call is ended.

        One check at a time: what a call has used is told as a sum, however many responses end
        meanwhile."""
        used_up = False
        try:
            while self.unchecked and not used_up:
                self.unchecked = False
                used_up = await spend(self.tally())
        except Problem as problem:
            logs.event("usage not recorded", logging.WARNING, code=problem.code)
        finally:
            self.is_checking = False
        if used_up:
            await self.goodbye.end_call("token budget")

    def others_to_carry_over(self) -> list[RecordLine]:
        """What failed and how fast turns were answered, for a record that begins again."""
        recorder = self.run.recorder
        now = recorder.clock()
        failed = [
            RecordLine(
                "failed",
                f"{what} {recorder.holder} before {code}",
                now,
                {"what": what, "code": code, "count": number},
            )
            for what, codes in self.failures.snapshot().items()
            for code, number in codes.items()
        ]
        return [*failed, *self.latencies.lines_to_carry_over()]
