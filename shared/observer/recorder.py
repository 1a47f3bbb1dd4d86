"""What one run adds to its call's record: the lines of server events, and lines of its own."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.realtime.event_mapper import EventMapper
from shared.realtime.item_origins import MODEL
from shared.sideband.events import ServerEvent
from shared.storage.interfaces import StorageUnavailable
from shared.transcripts.record_lines import RecordLine, StoredLine, format_time
from shared.transcripts.writer import TranscriptWriter


class CallRecorder:
    """Hands lines to the writer, which appends them in the background. `holder` names the run."""

    def __init__(self, writer: TranscriptWriter, clock: Clock, holder: str) -> None:
        self.writer = writer
        self.clock = clock
        self.holder = holder
        self.mapper = EventMapper()
        self.numbers = itertools.count(1)
        self.lines_to_carry_over: Callable[[], list[RecordLine]] = list
        """What a later run must know even if the record has been deleted."""
        writer.lines_after_deletion = self.lines_after_deletion

    async def read_record(self) -> list[StoredLine]:
        """The lines that earlier runs wrote. Raises Problem storage_unavailable."""
        try:
            lines = await self.writer.catch_up()
        except StorageUnavailable as error:
            raise Problem("storage_unavailable") from error
        self.mapper.resume(lines)
        return lines

    def lines_after_deletion(self) -> list[RecordLine]:
        """What a record begins with that has been deleted under this run: that something is
        missing, that this run is attached, and what is carried over."""
        now = self.clock()
        self.mapper.responses.start_over()
        about = {"since": None, "until": format_time(now), "reason": "deleted"}
        return [
            RecordLine("gap", f"{self.holder} {format_time(now)} deleted", now, about),
            RecordLine("attached", self.holder, now),
            *self.lines_to_carry_over(),
        ]

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

    def record_event(self, event: ServerEvent) -> None:
        """Records what a server event makes final."""
        self.writer.add_lines(*self.mapper.map_event(event, self.clock()))

    def add_line(
        self, kind: str, key: str, fields: Mapping[str, Any], *, at: datetime | None = None
    ) -> None:
        """Records a line that comes from no server event; of now, unless `at` is given."""
        self.writer.add_lines(RecordLine(kind, key, at or self.clock(), fields))

    def add_summed_responses(self) -> None:
        """Records what responses used that have no line of their own, at the end of a run."""
        models = self.mapper.models
        self.writer.add_lines(*self.mapper.responses.sum_up(models.model, self.clock()))

    def note_gap(
        self,
        since: datetime | None,
        until: datetime,
        reason: str,
        place: Mapping[str, str | None] | None = None,
    ) -> None:
        """Records that something may be missing. `place` is where: `before` or `after` an item;
        by default after the latest one."""
        place = self.place({"after": self.mapper.tail} if place is None else place)
        about = {
            "since": format_time(since) if since else None,
            "until": format_time(until),
            "reason": reason,
        }
        self.add_line("gap", f"{self.holder} {format_time(until)}", {**about, **place})

    def place(self, place: Mapping[str, str | None]) -> Mapping[str, str | None]:
        """A place in the conversation, for the record. A record without words has no items, and a
        page may have chosen that id."""
        return place if self.writer.keep_words else {}

    def add_numbered_line(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Records a line that is about nothing with an id."""
        self.add_line(kind, f"{self.holder} {next(self.numbers)}", fields)

    async def flush(self, still_ours: Callable[[], Awaitable[None]]) -> None:
        """Writes all queued lines; see `TranscriptWriter.flush`."""
        await self.writer.flush(still_ours)
