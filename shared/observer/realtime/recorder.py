"""What one run adds to the record of a Realtime call: items, responses, and what it did itself."""

from __future__ import annotations

from collections.abc import Sequence

from shared.core.clock import Clock
from shared.observer.recorder import CallRecorder
from shared.realtime.event_mapper import EventMapper
from shared.realtime.item_origins import MODEL
from shared.sideband.events import ServerEvent
from shared.transcripts.record_lines import StoredLine
from shared.transcripts.writer import TranscriptWriter


class ItemRecorder(CallRecorder):
    """The record of a conversation of items."""

    def __init__(self, writer: TranscriptWriter, clock: Clock, holder: str) -> None:
        super().__init__(writer, clock, holder)
        self.mapper = EventMapper()

    @property
    def tail(self) -> str | None:
        return self.mapper.tail

    def record_event(self, event: ServerEvent) -> None:
        self.add_lines(self.mapper.map_event(event, self.clock()))

    def resume(self, lines: Sequence[StoredLine]) -> None:
        self.mapper.resume(lines)

    def start_over(self) -> None:
        self.mapper.responses.start_over()

    def note_catching_up(self, is_catching_up: bool) -> None:
        if self.is_catching_up and not is_catching_up:
            self.mapper.turns.start_over()
        super().note_catching_up(is_catching_up)

    def record_unfinished(self) -> None:
        """What responses used that have no line of their own."""
        models = self.mapper.models
        self.writer.add_lines(*self.mapper.responses.sum_up(models.model, self.clock()))

    def add_own_item(self, item_id: str, what: str) -> None:
        """Takes note of an item that the server is about to create: a probe, or a tool's output."""
        key = self.mapper.origins.add_own_item(item_id, probe=what == "probe")
        self.add_line("sent", key, {"what": what})

    def add_made_item(self, item_id: str) -> None:
        """Takes note of an item that is proven to be the model's, by what it says."""
        key = self.mapper.keys.key_of(item_id)
        self.mapper.keys.made_keys.add(key)
        if key not in self.mapper.origins.proven:
            self.mapper.origins.proven[key] = MODEL
        self.writer.add_lines(*self.mapper.stated.lines_of([key], self.clock()))
