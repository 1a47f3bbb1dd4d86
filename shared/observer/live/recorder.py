"""What one run adds to the record of a Live call: turns, as both sides speak, and what else is
told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from shared.core.clock import Clock
from shared.live.event_mapper import LiveEventMapper
from shared.observer.background import BackgroundTasks
from shared.observer.recorder import CallRecorder
from shared.sideband.events import ServerEvent
from shared.transcripts.record_lines import StoredLine
from shared.transcripts.writer import TranscriptWriter


class LiveRecorder(CallRecorder):
    """The record of a conversation without turns of its own. No event says that a turn is over: the
    mapper is also told of silence, for which there are timers on `background`."""

    def __init__(
        self, writer: TranscriptWriter, clock: Clock, holder: str, background: BackgroundTasks
    ) -> None:
        super().__init__(writer, clock, holder)
        self.mapper = LiveEventMapper()
        self.background = background
        self.due_at: datetime | None = None
        """When the earliest timer is due."""

    @property
    def tail(self) -> str | None:
        return self.mapper.tail

    def resume(self, lines: Sequence[StoredLine]) -> None:
        self.mapper.resume(lines)

    def start_connection(self) -> None:
        """There is a connection, which begins with a repetition."""
        self.mapper.start_connection(self.clock())

    def record_event(self, event: ServerEvent) -> None:
        now = self.clock()
        self.add_lines(self.mapper.map_event(event, now))
        self.wait_for_silence(now)

    def wait_for_silence(self, now: datetime) -> None:
        """Sees to it that the mapper is told of silence once that would end something."""
        wait = self.mapper.due_in(now)
        if wait is not None and (self.due_at is None or now + wait < self.due_at):
            self.due_at = now + wait
            self.background.call_later(wait, partial(self.note_silence, self.due_at))

    def note_silence(self, due_at: datetime) -> None:
        """Tells the mapper of silence, unless another timer has been set since that is due earlier:
        each would set the next one, and they would become ever more."""
        if due_at != self.due_at:
            return
        now = self.clock()
        self.due_at = None
        self.add_lines(self.mapper.advance(now))
        self.wait_for_silence(now)

    def record_unfinished(self) -> None:
        """What is still being said."""
        self.add_lines(self.mapper.close(self.clock()))
