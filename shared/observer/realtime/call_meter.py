"""Meters one Realtime call: counts the tokens of its responses and of what recognises its caller's
words, and what fails in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from shared.observer.context import Spend, Tally
from shared.observer.goodbye import Goodbye
from shared.observer.meter import Meter
from shared.observer.realtime.run_context import RealtimeContext
from shared.realtime.line_fields import transcription_fields
from shared.realtime.server_events import InputTranscribed, ResponseDone
from shared.transcripts.failures import Failure
from shared.transcripts.record_lines import CARRIED_OVER, RecordLine, StoredLine
from shared.usage import tokens
from shared.usage.call_usage import UsageCounter
from shared.usage.counted_models import OTHER_MODELS
from shared.usage.transcription import recorded_fields, transcription_usage_of


class CallMeter(Meter):
    """What one call uses, and what fails in it."""

    def __init__(
        self,
        context: RealtimeContext,
        goodbye: Goodbye,
        spend: Spend | None,
        slow_turn: timedelta | None = None,
    ) -> None:
        super().__init__(context, goodbye, spend, slow_turn)
        self.context = context
        self.usage = UsageCounter()

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
        self.latencies.resume(lines)
        return self.failures.resume(lines)

    @property
    def transcription_model(self) -> str:
        """The model that transcribes, as far as it is known."""
        models = self.context.recorder.mapper.models
        return models.transcription or models.configured or OTHER_MODELS

    def tally(self) -> Tally:
        self.usage.model = self.context.recorder.mapper.models.model
        return Tally(self.usage.call_usage(), self.failures.snapshot(), dict(self.latencies.counts))

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
        return [*lines, *self.others_to_carry_over()]
