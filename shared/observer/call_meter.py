"""Meters one call: counts what it uses and what fails in it, and ends it with its budget."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.context import Spend, Tally
from shared.observer.goodbye import Goodbye
from shared.observer.run_context import RunContext
from shared.realtime.line_fields import transcription_fields
from shared.realtime.server_events import InputTranscribed, ResponseDone
from shared.transcripts.failures import Failure, FailureCounter
from shared.transcripts.record_lines import CARRIED_OVER, RecordLine, StoredLine
from shared.usage import tokens
from shared.usage.call_usage import OTHER_MODELS, UsageCounter
from shared.usage.transcription import recorded_fields, transcription_usage_of

ACCOUNTED_WITHIN = timedelta(seconds=5)
"""How soon what no response brings is accounted for: the next response is often faster."""


class CallMeter:
    """What one call uses, and what fails in it. `spend` accounts for it as it goes."""

    def __init__(self, context: RunContext, goodbye: Goodbye, spend: Spend | None) -> None:
        self.context = context
        self.goodbye = goodbye
        self.spend = spend
        self.usage = UsageCounter()
        self.failures = FailureCounter()
        self.is_due = False
        """Whether something that has been counted is to be accounted for soon."""
        self.unchecked = self.is_checking = False
        """Whether the tally is not told yet, and whether a check is under way."""

    def resume(self, lines: Iterable[StoredLine]) -> list[Failure]:
        """Takes over from the record what was used and what failed; returns the failures."""
        lines, models = list(lines), self.context.recorder.mapper.models
        for line in lines:
            if line.kind == "response":
                usage = tokens.usage_of_counts(line.fields.get("usage") or {})
                self.usage.count_response(line.key, usage)
                models.model = line.fields.get("model") or models.model
            elif line.kind == "transcription":
                model = str(line.fields.get("model") or self.transcription_model)
                models.transcription = line.fields.get("model") or models.transcription
                self.usage.count_transcription(line.key, model, transcription_usage_of(line.fields))
        return self.failures.resume(lines)

    @property
    def transcription_model(self) -> str:
        """The model that transcribes, as far as it is known."""
        models = self.context.recorder.mapper.models
        return models.transcription or models.configured or OTHER_MODELS

    def tally(self) -> Tally:
        """All that is counted so far."""
        self.usage.model = self.context.recorder.mapper.models.model
        return Tally(self.usage.call_usage(), self.failures.snapshot())

    def count_response(self, event: ResponseDone) -> None:
        """Counts a finished response, and has it accounted for."""
        if self.usage.count_response(event.response_id, event.usage) and self.spend:
            self.account()

    def count_transcription(self, event: InputTranscribed) -> None:
        """Counts what it took to recognise the caller's words."""
        fields = transcription_fields(event, self.transcription_model)
        if not fields:
            return
        key = self.context.recorder.mapper.keys.made_key_of(event.item_id)
        usage = transcription_usage_of(fields)
        if self.usage.count_transcription(key, self.transcription_model, usage):
            self.account_soon()

    def count_failure(self, failure: Failure) -> None:
        """Counts a failure."""
        self.failures.count(failure.what, failure.code)
        self.account_soon()

    def account_soon(self) -> None:
        """Has accounted for what was counted, within a few seconds."""
        if self.spend and not self.is_due:
            self.is_due = True
            self.context.background.call_later(ACCOUNTED_WITHIN, self.account_if_due)

    def account_if_due(self) -> None:
        if not self.is_due:
            return
        self.is_due = False
        if self.context.lease.is_good:
            self.account()
        else:
            self.account_soon()

    def account(self) -> None:
        if self.spend:
            self.is_due, self.unchecked = False, True
            if not self.is_checking:
                self.is_checking = True
                self.context.background.start_task(self.check_budget(self.spend))

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

    def lines_to_carry_over(self) -> list[RecordLine]:
        """What was counted, for a record that begins again: as if by one response, and by one
        transcription of each model."""
        recorder = self.context.recorder
        now, before = recorder.clock(), f"{recorder.holder} before"
        used = self.tally().usage
        about = {"status": CARRIED_OVER, "model": used.model, "usage": used.responses.counts()}
        lines = [RecordLine("response", before, now, about)]
        for model, usage in used.transcriptions.items():
            fields = {**recorded_fields(usage), "model": model}
            lines.append(RecordLine("transcription", f"{before} {model}", now, fields))
        for what, codes in self.failures.snapshot().items():
            for code, number in codes.items():
                fields = {"what": what, "code": code, "count": number}
                lines.append(RecordLine("failed", f"{what} {before} {code}", now, fields))
        return lines
