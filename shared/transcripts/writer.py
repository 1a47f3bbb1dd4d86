"""Writes the lines of one call to its log as they come, each once.

Added lines are queued; one append is in progress at a time and carries all that is queued. It names
the position that it writes at, so that the lines of two writers cannot mix: a writer that meets
another's lines reads them, asks whether it still holds the lease, and adds only what is missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from datetime import timedelta
from functools import partial
from typing import TypeVar

from shared.core import logs
from shared.core.problems import Problem
from shared.storage.interfaces import APPEND_BYTES, Conflict, Log, LogFull, StorageUnavailable
from shared.transcripts.record_lines import (
    WORD_KINDS,
    RecordLine,
    StoredLine,
    decode_lines,
    encode_line,
    line_id,
)
from shared.transcripts.redaction import Redact

T = TypeVar("T")
StillOurs = Callable[[], Awaitable[None]]
"""Checks that the lease is still ours; raises if it is not."""


def log_name(call_id: str) -> str:
    """The name of a call's log in its container."""
    return f"{call_id}.jsonl"


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
        self.ids: set[str] = set()
        self.queued: list[RecordLine] = []
        self.batch: list[RecordLine] = []
        self.dirty = asyncio.Event()
        self.lock = asyncio.Lock()
        self.full = False

    def add_lines(self, *lines: RecordLine) -> None:
        """Queues lines; those that are written or queued already are dropped."""
        for line in lines:
            name = line_id(self.call_id, line)
            if name in self.ids or (line.kind in WORD_KINDS and not self.keep_words):
                continue
            self.ids.add(name)
            self.queued.append(line)
            self.dirty.set()

    async def flush(self, still_ours: StillOurs) -> None:
        """Writes all queued lines. Raises StorageUnavailable, after which it can be called again,
        and what `still_ours` raises."""
        async with self.lock:
            while self.batch or self.queued:
                if not self.batch:
                    self.batch, self.queued = self.queued, []
                try:
                    await self.append_batch()
                except Conflict:
                    await still_ours()
                    mine = {line_id(self.call_id, line): line for line in self.batch}
                    there = {line.id for line in await self.catch_up()}
                    self.batch = [line for name, line in mine.items() if name not in there]
            self.dirty.clear()

    async def append_batch(self) -> None:
        """Appends as much of the batch as fits. The bytes stay the same until it succeeds, so that
        an append whose answer was lost is repeated, not doubled."""
        data, taken = bytearray(), 0
        for line in self.batch:
            raw = encode_line(self.call_id, self.seq + taken, line, self.redact)
            if data and len(data) + len(raw) > APPEND_BYTES:
                break
            data += raw
            taken += 1
        if not self.full:
            try:
                self.position = await self.run_blocking(
                    partial(self.log.append, self.name, bytes(data), at=self.position)
                )
            except LogFull:
                self.full = True
                logs.event("transcript record full", logging.ERROR, call=self.record_id)
        self.seq += taken
        del self.batch[:taken]

    async def catch_up(self) -> list[StoredLine]:
        """Reads what others have written since this writer last read or wrote. Raises
        StorageUnavailable."""
        data = await self.run_blocking(partial(self.log.read, self.name, start=self.position))
        lines = decode_lines(data)
        self.position += len(data)
        self.seq += data.count(b"\n")
        self.ids |= {line.id for line in lines}
        return lines

    async def run_blocking(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)


async def flush_periodically(
    writer: TranscriptWriter, still_ours: StillOurs, every: timedelta, retry_pause: timedelta
) -> None:
    """Writes queued lines at most once in `every`, until cancelled. While storage is unavailable
    they stay queued, and the write is retried after `retry_pause`."""
    while True:
        await writer.dirty.wait()
        try:
            await writer.flush(still_ours)
            await asyncio.sleep(every.total_seconds())
        except (StorageUnavailable, Problem) as error:
            logs.event("transcript record not written", logging.WARNING, reason=str(error))
            await asyncio.sleep(retry_pause.total_seconds())
