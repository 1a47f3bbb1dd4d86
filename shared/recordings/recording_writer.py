"""Writes the samples of one call to its file, on threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from shared.core.blocking import run_blocking
from shared.recordings.recording_file import MOST_BYTES, RecordingFile
from shared.recordings.stereo_mix import StereoMix
from shared.recordings.wav import BLOCK_BYTES
from shared.storage.interfaces import Conflict, StorageUnavailable
from shared.transcripts.writer import CONFLICTS_AT_MOST, StillOurs

T = TypeVar("T")


class RecordingWriter:
    """Appends what a mix gives, each sample once, also after a failed append and beside another
    writer. Not for two tasks at once. Its methods raise RecordingDeleted, StorageUnavailable and,
    where they append, LogFull and what `still_ours` raises."""

    def __init__(self, file: RecordingFile, executor: Executor | None = None) -> None:
        self.file = file
        self.executor = executor
        self.unwritten = b""
        """Samples that an append has not confirmed: it is repeated with the same."""

    async def open(self) -> int:
        """The number of samples of each channel in the file, from where it is continued."""
        return self.continue_after(await self.run_blocking(self.file.open))

    def continue_after(self, there: int) -> int:
        """The same for a file that has that many bytes of samples."""
        written = -(-there // BLOCK_BYTES)
        # A torn last sample would turn all that follows into noise.
        self.unwritten = bytes(written * BLOCK_BYTES - there)
        return written

    async def write_until(self, mix: StereoMix, until: int, still_ours: StillOurs) -> None:
        """Writes the mix up to that sample."""
        most = MOST_BYTES // BLOCK_BYTES
        while mix.written < until:
            part = min(until, mix.written + most)
            self.unwritten = await self.run_blocking(partial(mix.take_samples, part))
            await self.append_unwritten(mix, still_ours)

    async def append_unwritten(self, mix: StereoMix, still_ours: StillOurs) -> None:
        """Appends the samples that wait for it. Where another has written meanwhile, what it has
        not written."""
        conflicts = 0
        while self.unwritten:
            try:
                await self.run_blocking(partial(self.file.append_samples, self.unwritten))
                self.unwritten = b""
            except Conflict as conflict:
                conflicts += 1
                if conflicts > CONFLICTS_AT_MOST:
                    raise StorageUnavailable("the recording keeps changing") from conflict
                await still_ours()
                await self.skip_written(mix)

    async def skip_written(self, mix: StereoMix) -> None:
        """Takes over what another has written at the end of the file."""
        before = mix.written * BLOCK_BYTES - len(self.unwritten)
        there = await self.run_blocking(self.file.open)
        self.unwritten = self.unwritten[max(0, there - before) :]
        if not self.unwritten:
            mix.skip_to(self.continue_after(there))

    async def run_blocking(self, work: Callable[[], T]) -> T:
        """Runs it on a thread."""
        return await run_blocking(self.executor, work)
