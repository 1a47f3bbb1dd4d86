"""Writes the lines of one call to its log, as they come, each once.

Lines wait until the writer takes them; one append is under way at a time and carries all that
waits. It names the position it writes at, so that two writers cannot mix: who meets another's lines
reads them, asks whether it is still its turn, and adds only what is not there yet.
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
from shared.transcripts.record_lines import WORDS, RecordLine, StoredLine, decode, encode, id_of
from shared.transcripts.redaction import Redact

T = TypeVar("T")
StillOurs = Callable[[], Awaitable[None]]
"""Asks whether the lease is still ours; raises if not."""


def log_name(call_id: str) -> str:
    """The name of a call's log in its container."""
    return f"{call_id}.jsonl"


class TranscriptWriter:
    """The record of one call. `keep_words`: whether what was said is recorded
    (`TRANSCRIPTS`)."""

    def __init__(
        self,
        log: Log,
        call_id: str,
        *,
        redact: Redact,
        keep_words: bool,
        executor: Executor | None = None,
    ) -> None:
        self.log = log
        self.name = log_name(call_id)
        self.call_id = call_id
        self.redact = redact
        self.keep_words = keep_words
        self.executor = executor
        self.position = 0
        self.seq = 0
        self.ids: set[str] = set()
        self.waiting: list[RecordLine] = []
        self.batch: list[RecordLine] = []
        self.dirty = asyncio.Event()
        self.turn = asyncio.Lock()
        self.full = False

    def add(self, *lines: RecordLine) -> None:
        """Takes lines to be written; those that are there already are dropped."""
        for line in lines:
            name = id_of(self.call_id, line)
            if name in self.ids or (line.kind in WORDS and not self.keep_words):
                continue
            self.ids.add(name)
            self.waiting.append(line)
            self.dirty.set()

    async def flush(self, still_ours: StillOurs) -> None:
        """Writes everything that waits. Raises StorageUnavailable, after which it can be called
        again, and what `still_ours` raises."""
        async with self.turn:
            while self.batch or self.waiting:
                if not self.batch:
                    self.batch, self.waiting = self.waiting, []
                try:
                    await self.append()
                except Conflict:
                    await still_ours()
                    mine = {id_of(self.call_id, line): line for line in self.batch}
                    there = {line.id for line in await self.catch_up()}
                    self.batch = [line for name, line in mine.items() if name not in there]
            self.dirty.clear()

    async def append(self) -> None:
        """One append of as much of the batch as fits. Its bytes stay the same until it succeeds,
        so that one whose answer got lost is told again, not doubled."""
        data, taken = bytearray(), 0
        for line in self.batch:
            raw = encode(self.call_id, self.seq + taken, line, self.redact)
            if data and len(data) + len(raw) > APPEND_BYTES:
                break
            data += raw
            taken += 1
        if not self.full:
            try:
                self.position = await self.run(
                    partial(self.log.append, self.name, bytes(data), at=self.position)
                )
            except LogFull:
                self.full = True
                logs.event("transcript record full", logging.ERROR, call=self.call_id)
        self.seq += taken
        del self.batch[:taken]

    async def catch_up(self) -> list[StoredLine]:
        """Reads what others wrote, from where this one has got to. Raises StorageUnavailable."""
        data = await self.run(partial(self.log.read, self.name, start=self.position))
        lines = decode(data)
        self.position += len(data)
        self.seq += data.count(b"\n")
        self.ids |= {line.id for line in lines}
        return lines

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)


async def flush_periodically(
    recorder: TranscriptWriter, still_ours: StillOurs, every: timedelta, again: timedelta
) -> None:
    """Writes what comes, at most once in `every`, until cancelled. While storage is away lines
    wait, and it is tried each `again`."""
    while True:
        await recorder.dirty.wait()
        try:
            await recorder.flush(still_ours)
            await asyncio.sleep(every.total_seconds())
        except (StorageUnavailable, Problem) as error:
            logs.event("transcript record not written", logging.WARNING, reason=str(error))
            await asyncio.sleep(again.total_seconds())
