"""What one run adds to its call's record: the lines of server events, and lines of its own."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.sideband.events import ServerEvent
from shared.storage.interfaces import StorageUnavailable
from shared.transcripts.record_lines import LATENCY, RecordLine, StoredLine, format_time
from shared.transcripts.writer import TranscriptWriter


def ignore_latency(_: float) -> None:
    """Of a recorder that nobody listens to."""


class CallRecorder(ABC):
    """Hands lines to the writer, which appends them in the background. `holder` names the run. What
    server events say is mapped to lines by the API's own recorder."""

    def __init__(self, writer: TranscriptWriter, clock: Clock, holder: str) -> None:
        self.writer = writer
        self.clock = clock
        self.holder = holder
        self.numbers = itertools.count(1)
        self.lines_to_carry_over: Callable[[], list[RecordLine]] = list
        """What a later run must know even if the record has been deleted."""
        self.turn_answered: Callable[[float], None] = ignore_latency
        """Told of each turn's latency in milliseconds."""
        self.is_catching_up = False
        """Whether what is recorded now came a while ago, and cannot be timed."""
        writer.lines_after_deletion = self.lines_after_deletion

    @property
    @abstractmethod
    def tail(self) -> str | None:
        """What the latest thing said is called in the record, None where nothing has been said."""

    @abstractmethod
    def record_event(self, event: ServerEvent) -> None:
        """Records what a server event makes final."""

    @abstractmethod
    def resume(self, lines: Sequence[StoredLine]) -> None:
        """Takes over what is in the record."""

    def start_over(self) -> None:  # noqa: B027
        """The record has been deleted: what it had is not repeated."""

    def record_unfinished(self) -> None:  # noqa: B027
        """Records, at the end of a run, what has no line of its own yet."""

    async def read_record(self) -> list[StoredLine]:
        """The lines that earlier runs wrote. Raises Problem storage_unavailable."""
        try:
            lines = await self.writer.catch_up()
        except StorageUnavailable as error:
            raise Problem("storage_unavailable") from error
        self.resume(lines)
        return lines

    def lines_after_deletion(self) -> list[RecordLine]:
        """What a record begins with that has been deleted under this run: that something is
        missing, that this run is attached, and what is carried over."""
        now = self.clock()
        self.start_over()
        about = {"since": None, "until": format_time(now), "reason": "deleted"}
        return [
            RecordLine("gap", f"{self.holder} {format_time(now)} deleted", now, about),
            RecordLine("attached", self.holder, now),
            *self.lines_to_carry_over(),
        ]

    def note_catching_up(self, is_catching_up: bool) -> None:
        """Says whether what is recorded next came a while ago."""
        self.is_catching_up = is_catching_up

    def add_lines(self, lines: Iterable[RecordLine]) -> None:
        """Records lines that server events have made final."""
        for line in lines:
            if line.kind == LATENCY and self.is_catching_up:
                continue
            self.writer.add_lines(line)
            if line.kind == LATENCY:
                self.turn_answered(line.fields["ms"])

    def add_line(
        self, kind: str, key: str, fields: Mapping[str, Any], *, at: datetime | None = None
    ) -> None:
        """Records a line that comes from no server event; of now, unless `at` is given."""
        self.writer.add_lines(RecordLine(kind, key, at or self.clock(), fields))

    def note_gap(
        self,
        since: datetime | None,
        until: datetime,
        reason: str,
        place: Mapping[str, str | None] | None = None,
    ) -> None:
        """Records that something may be missing. `place` is where: `before` or `after` an item;
        by default after the latest one."""
        place = self.place({"after": self.tail} if place is None else place)
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
