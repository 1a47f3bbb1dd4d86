"""Meters one Live call: counts its seconds, the tokens of the work that it delegates, and what
fails in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.live.event_mapper import FINAL
from shared.live.known_names import known_word
from shared.live.server_events import BackendResponseDone, SessionClosed, UsageUpdated
from shared.observer.context import Spend, Tally
from shared.observer.goodbye import Goodbye
from shared.observer.live.run_context import LiveContext
from shared.observer.meter import Meter
from shared.sideband.events import ServerEvent
from shared.transcripts.failures import Failure
from shared.transcripts.record_lines import CARRIED_OVER, RecordLine, StoredLine
from shared.transcripts.spoken_turns import UNKNOWN_MODEL, count_line
from shared.usage.call_usage import CallUsage
from shared.usage.live_usage import LiveUsageCounter


class LiveMeter(Meter):
    """What one Live call uses, and what fails in it. `started_at` is when it was created: it is
    billed from then on."""

    def __init__(
        self,
        context: LiveContext,
        goodbye: Goodbye,
        spend: Spend | None,
        started_at: datetime | None,
        slow_turn: timedelta | None = None,
    ) -> None:
        super().__init__(context, goodbye, spend, slow_turn)
        self.recorder = context.recorder
        self.started_at = started_at
        self.usage = LiveUsageCounter()

    def resume(self, lines: Iterable[StoredLine]) -> list[Failure]:
        """Takes over from the record what was used and what failed; returns the failures."""
        lines = list(lines)
        for line in lines:
            count_line(self.usage, line)
        self.latencies.resume(lines)
        return self.failures.resume(lines)

    def handle_event(self, event: ServerEvent) -> None:
        """Counts what an event tells, and has it accounted for."""
        match event:
            case UsageUpdated():
                is_new = self.usage.count_snapshot(event.usage)
            case SessionClosed():
                is_new = self.usage.count_snapshot(event.usage, final=True)
            case BackendResponseDone():
                model = known_word(event.model) if event.model else UNKNOWN_MODEL
                is_new = self.usage.count_response(event.response_id, model, event.usage)
            case _:
                return
        if is_new:
            self.account()

    def note_call_over(self, at: datetime) -> None:
        """The call is over. Where nobody told what it used, the clock does, and the record says
        so."""
        if self.usage.is_final or self.started_at is None:
            return
        lasted = at - self.started_at
        self.usage.end_call(lasted)
        fields = {"seconds": round(lasted.total_seconds(), 3), "final": True, "estimated": True}
        self.recorder.add_line("usage", f"{FINAL} by the clock", fields)

    def tally(self) -> Tally:
        usage = CallUsage(model=self.recorder.mapper.model, live=self.usage.live_usage())
        return Tally(usage, self.failures.snapshot(), dict(self.latencies.counts))

    def lines_to_carry_over(self) -> list[RecordLine]:
        """What was counted, for a record that begins again: the latest snapshot, and one response
        of each model."""
        recorder, used = self.recorder, self.usage.live_usage()
        now, before = recorder.clock(), f"{recorder.holder} before"
        told = {"seconds": self.usage.seconds, "paused_seconds": self.usage.paused_seconds}
        final = {"final": True} if self.usage.is_final else {}
        lines = [RecordLine("usage", before, now, {**told, **final})]
        for model, usage in used.backend.items():
            about = {"status": CARRIED_OVER, "model": model, "usage": usage.counts()}
            lines.append(RecordLine("response", f"{before} {model}", now, about))
        return [*lines, *self.others_to_carry_over()]
