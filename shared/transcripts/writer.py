"""Writes the lines of one call to its log as they come, each once.

Added lines are queued; one append is in progress at a time and carries all that is queued. It names
the position that it writes at, so that the lines of two writers cannot mix: a writer that meets
another's lines reads them, asks whether it still holds the lease, and adds only what is missing. A
log that has been deleted meanwhile is begun again, and says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from shared.core import logs
from shared.core.blocking import run_blocking
from shared.core.bounded import BoundedSet
from shared.core.problems import Problem
from shared.storage.interfaces import APPEND_BYTES, Conflict, Log, LogFull, StorageUnavailable
from shared.transcripts.budget import RecordBudget
from shared.transcripts.record_lines import (
    WORD_KINDS,
    RecordLine,
    StoredLine,
    decode_lines,
    encode_line,
    line_id,
)
from shared.transcripts.redaction import Redact, unchanged

T = TypeVar("T")
StillOurs = Callable[[], Awaitable[None]]
"""Checks that the lease is still ours; raises if it is not."""
REMEMBERED_IDS = 50_000
CONFLICTS_AT_MOST = 5
"""In a row, before a flush gives up for the time being."""
LONGEST_PAUSE = timedelta(seconds=30)


def log_name(call_id: str) -> str:
    """The name of a call's log in its container."""
    return f"{call_id}.jsonl"


def no_lines() -> list[RecordLine]:
    return []


def append_line(log: Log, call_id: str, line: RecordLine, redact: Redact = unchanged) -> None:
    """Adds one line to a record that there is, beside the call's own writer, which reads it when it
    writes next. Blocks. Raises StorageError."""
    name = log_name(call_id)
    data = encode_line(call_id, 0, line, redact)
    for left in reversed(range(CONFLICTS_AT_MOST)):
        try:
            if position := log.length(name):
                log.append(name, data, at=position)
            return
        except Conflict:
            if not left:
                raise


class TranscriptWriter:
    """The record of one call. `keep_words`: whether what was said is recorded
    (`TRANSCRIPTS`). `record_id` is what logs call the call."""

    def __init__(
        self,
        log: Log,
        call_id: str,
        *,
        redact: Redact,
        keep_words: bool,
        executor: Executor | None = None,
        record_id: str = "",
    ) -> None:
        self.log = log
        self.record_id = record_id
        self.name = log_name(call_id)
        self.call_id = call_id
        self.redact = redact
        self.keep_words = keep_words
        self.executor = executor
        self.position = 0
        self.seq = 0
        self.ids: BoundedSet[str] = BoundedSet(REMEMBERED_IDS)
        self.budget = RecordBudget()
        self.lines_after_deletion: Callable[[], list[RecordLine]] = no_lines
        """What a log begins with that has been deleted under this writer: of the kinds that are in
        it, all that there is."""
        self.queued: list[RecordLine] = []
        self.batch: list[RecordLine] = []
        self.dirty = asyncio.Event()
        self.lock = asyncio.Lock()
        self.full = False

    def add_lines(self, *lines: RecordLine) -> None:
        """Queues lines; those that are written or queued already are dropped. Of a call that has
        used up its share, it is said that something is not kept."""
        for line in lines:
            name = line_id(self.call_id, line)
            if name in self.ids or (line.kind in WORD_KINDS and not self.keep_words):
                continue
            self.ids.add(name)
            admitted, exceeded = self.budget.admit(line)
            if exceeded:
                self.state_cut(exceeded, line.at)
            if admitted:
                self.queued.append(admitted)
                self.dirty.set()

    def state_cut(self, share: str, at: datetime) -> None:
        """Queues a line that says that from here on not all is kept, once for each share."""
        line = RecordLine("cut", share, at, {"reason": "too much"})
        name = line_id(self.call_id, line)
        if name not in self.ids:
            self.ids.add(name)
            self.queued.append(line)
            self.dirty.set()
            logs.event("call record cut", logging.WARNING, call=self.record_id, share=share)

    async def flush(self, still_ours: StillOurs) -> None:
        """Writes all queued lines. Raises StorageUnavailable, after which it can be called again,
        and what `still_ours` raises."""
        async with self.lock:
            conflicts = 0
            while self.batch or self.queued:
                if not self.batch:
                    self.batch, self.queued = self.queued, []
                try:
                    await self.append_batch()
                    conflicts = 0
                except Conflict as conflict:
                    conflicts += 1
                    if conflicts > CONFLICTS_AT_MOST:
                        raise StorageUnavailable("the record keeps changing") from conflict
                    await still_ours()
                    await self.merge_batch()
            self.dirty.clear()

    async def merge_batch(self) -> None:
        """After a conflict: reads what is there now, and leaves in the batch what is missing."""
        length = await self.run_blocking(partial(self.log.length, self.name))
        if length < self.position:
            self.position, self.seq = 0, 0
            first = self.lines_after_deletion()
            # What has not been written yet of these kinds is in what is carried over.
            kinds = {line.kind for line in first}
            self.batch = [*first, *(line for line in self.batch if line.kind not in kinds)]
            self.queued = [line for line in self.queued if line.kind not in kinds]
            logs.event("call record begun again", logging.WARNING, call=self.record_id)
        there = {line.id for line in await self.catch_up()}
        mine = {line_id(self.call_id, line): line for line in self.batch}
        self.batch = [line for name, line in mine.items() if name not in there]
        self.ids.update(mine)

    async def append_batch(self) -> None:
        """Appends as much of the batch as fits. The bytes stay the same until it succeeds, so that
        an append whose answer was lost is repeated, not doubled."""
        taken, written, self.position = await self.run_blocking(self.write_batch)
        self.seq += written
        del self.batch[:taken]

    def write_batch(self) -> tuple[int, int, int]:
        """How many lines of the batch were taken, how many of them are in the log, and where that
        ends now. Blocks: redaction takes its time, too."""
        data, taken, written = self.encode_batch()
        position = self.position
        if data and not self.full:
            try:
                position = self.log.append(self.name, data, at=position)
            except LogFull:
                self.full = True
                logs.event("transcript record full", logging.ERROR, call=self.record_id)
        return taken, written, position

    def encode_batch(self) -> tuple[bytes, int, int]:
        """As much of the batch as fits into one append, how many of its lines that takes, and how
        many are in it: a line that cannot be written costs itself alone."""
        data, taken, written = bytearray(), 0, 0
        for line in self.batch:
            try:
                raw = encode_line(self.call_id, self.seq + written, line, self.redact)
            except Exception as error:
                logs.event("record line not written", logging.ERROR, reason=type(error).__name__)
                raw = b""
            if data and len(data) + len(raw) > APPEND_BYTES:
                break
            taken += 1
            if raw and len(raw) <= APPEND_BYTES:
                data += raw
                written += 1
        return bytes(data), taken, written

    async def catch_up(self) -> list[StoredLine]:
        """Reads what others have written since this writer last read or wrote. Raises
        StorageUnavailable."""
        read = partial(self.read_from, self.position)
        size, count, lines = await self.run_blocking(read)
        self.position += size
        self.seq += count
        self.ids.update(line.id for line in lines)
        for line in lines:
            self.budget.count_stored(line)
        return lines

    def read_from(self, position: int) -> tuple[int, int, list[StoredLine]]:
        """The bytes, the line ends and the lines of the log from there on."""
        data = self.log.read(self.name, start=position)
        return len(data), data.count(b"\n"), decode_lines(data)

    async def run_blocking(self, work: Callable[[], T]) -> T:
        return await run_blocking(self.executor, work)


async def flush_periodically(
    writer: TranscriptWriter, still_ours: StillOurs, every: timedelta, retry_pause: timedelta
) -> None:
    """Writes queued lines at most once in `every`, until cancelled. While storage is unavailable
    they stay queued, and the write is retried after `retry_pause`, and ever more rarely."""
    pause = retry_pause
    while True:
        await writer.dirty.wait()
        try:
            await writer.flush(still_ours)
            pause = retry_pause
            await asyncio.sleep(every.total_seconds())
        except (StorageUnavailable, Problem) as error:
            logs.event("transcript record not written", logging.WARNING, reason=str(error))
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, max(LONGEST_PAUSE, retry_pause))
