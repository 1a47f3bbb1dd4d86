"""Records both voices of one call as they come.

The event loop only takes note of frames, undecoded. Every few seconds what has come is decoded,
placed on the call's timeline and appended to the call's file, on a thread. So a killed instance
loses what came since the latest append; the next one continues the same file. What is missing is
silence in the file, and a line in the call's record says from when to when (docs/adr/0012).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from shared.core import logs
from shared.core.clock import MILLISECOND, Clock
from shared.core.problems import Problem
from shared.core.tasks import mark_retrieved
from shared.recordings.audio import Heard, Interruption, PcmSource, StateLine
from shared.recordings.recording_file import RecordingDeleted, RecordingFile
from shared.recordings.recording_writer import RecordingWriter
from shared.recordings.stereo_mix import StereoMix
from shared.recordings.timeline import ELAPSED_MARGIN_MS, Timeline
from shared.recordings.waiting_audio import WaitingAudio
from shared.recordings.wav import SAMPLES_PER_MS
from shared.storage.interfaces import Log, LogFull, StorageUnavailable
from shared.transcripts.writer import LONGEST_PAUSE, StillOurs

PATIENCE_MS = 8000
"""How long one side's audio is waited for: a slow engine has been 5 seconds late."""
NOW = timedelta(0)
CLOSED_WITHIN = timedelta(seconds=5)
LONGEST_CALL_MS = 3 * 3600 * 1000
"""What a call without a known beginning has lasted at most."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """The call that is recorded, and since when it goes on."""

    call_id: str
    started_at: datetime | None
    record_id: str = ""
    """What logs call it."""


class CallRecording:
    """The recording of one call, by one run at a time. `state` adds a line to the call's record, on
    the event loop; `clock` is that of `started_at`, `now_ms` the one that arrivals are timed by."""

    def __init__(
        self,
        log: Log,
        call: RecordedCall,
        state: StateLine,
        clock: Clock,
        executor: Executor | None = None,
        now_ms: Callable[[], float] | None = None,
    ) -> None:
        self.writer = RecordingWriter(RecordingFile(log, call.call_id), executor)
        self.call = call
        self.state = state
        self.clock = clock
        self.now_ms = now_ms or loop_time_ms
        self.waiting = WaitingAudio(call.record_id)
        self.timeline: Timeline | None = None
        self.lock = asyncio.Lock()
        self.stopped = ""
        """Why nothing more is recorded; "" while it is."""

    def add_caller(self, source: PcmSource, late: timedelta = NOW) -> None:
        """Takes note of the caller's audio, which follows the caller's audio before it, and came
        `late` ago."""
        self.add_heard(Heard("caller", self.now_ms() - late / MILLISECOND, source))

    def add_model(self, source: PcmSource, start_ms: int | None, late: timedelta = NOW) -> None:
        """Takes note of the model's audio, which begins `start_ms` after the call did, and came
        `late` ago; None: the service does not say, and it follows the model's audio before it."""
        self.add_heard(Heard("model", self.now_ms() - late / MILLISECOND, source, start_ms))

    def note_gap(self, reason: str) -> None:
        """The connection was interrupted, or is not the call's first one: what comes next may have
        something missing before it, and may repeat what came."""
        if not self.stopped:
            self.waiting.interrupt(Interruption(reason, self.now_ms()))

    def add_heard(self, heard: Heard) -> None:
        if not self.stopped:
            self.waiting.add_heard(heard)

    async def flush(self, still_ours: StillOurs) -> None:
        """Writes what is complete of what has come. Raises StorageUnavailable, after which it can
        be called again, and what `still_ours` raises."""
        await self.write_whole(still_ours, final=False)

    async def close(self, still_ours: StillOurs, within: timedelta = CLOSED_WITHIN) -> None:
        """Writes all that has come, if that is possible in time: the run ends. Never raises."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self.write_whole(still_ours, final=True)
        except Exception as error:
            reason = type(error).__name__
            logs.event("recording not closed", logging.WARNING, reason=reason)

    async def write_whole(self, still_ours: StillOurs, *, final: bool) -> None:
        """Writes even if whoever waits for it is cancelled: the threads of a write go on, and the
        next one must not begin before they are done."""
        writing = asyncio.ensure_future(self.write(still_ours, final=final))
        writing.add_done_callback(mark_retrieved)
        await asyncio.shield(writing)

    async def write(self, still_ours: StillOurs, *, final: bool) -> None:
        async with self.lock:
            if self.stopped:
                return
            try:
                if self.timeline is None:
                    if not self.waiting.has_audio:
                        return
                    self.timeline = await self.open_timeline()
                # First what is left of an append that failed: memory holds no more than this.
                await self.writer.append_unwritten(self.timeline.mix, still_ours)
                came, now = self.waiting.take(), self.now_ms()
                place = partial(self.place, self.timeline, came, now, final=final)
                until = await self.writer.run_blocking(place)
                await self.writer.write_until(self.timeline.mix, until, still_ours)
                if final:
                    self.timeline.mix.note_end()
            except RecordingDeleted:
                self.stop("deleted")
            except LogFull:
                self.stop("full")
            finally:
                self.state_holes()

    async def open_timeline(self) -> Timeline:
        """Continues the file where it ends. Raises RecordingDeleted."""
        written = await self.writer.open()
        if not written:
            self.state("recording", "begun", {})
        mix = StereoMix(written, "taken over" if written else "")
        there, elapsed = written / SAMPLES_PER_MS, None
        if self.call.started_at is not None:
            elapsed = (self.clock() - self.call.started_at) / timedelta(milliseconds=1)
        if elapsed is None or elapsed < there - ELAPSED_MARGIN_MS:
            # As if it went on where the file ends: nobody knows, or it began in the future.
            return Timeline(mix, self.now_ms() - there, LONGEST_CALL_MS)
        return Timeline(mix, self.now_ms() - elapsed)

    def place(
        self, timeline: Timeline, came: list[Heard | Interruption], now: float, *, final: bool
    ) -> int:
        """Places what came; returns up to where the timeline can be written. Off the event loop,
        because it decodes."""
        try:
            timeline.place(came, now, final=final)
        except Exception as error:
            # A fault of ours costs what came just now, not the rest of the recording.
            logs.failure("audio not placed", reason=type(error).__name__)
        return timeline.writable(now, 0 if final else PATIENCE_MS * SAMPLES_PER_MS)

    def stop(self, reason: str) -> None:
        """Records nothing more of this call."""
        self.stopped = reason
        self.waiting.take()
        self.writer.unwritten = b""
        self.state("recording", "stopped", {"reason": reason})
        logs.event("recording stopped", logging.WARNING, call=self.call.record_id, reason=reason)

    def state_holes(self) -> None:
        """Has the call's record say what is missing."""
        if self.timeline is None:
            return
        holes, self.timeline.mix.holes = self.timeline.mix.holes, []
        for hole in holes:
            about = {"side": hole.side, "from_ms": hole.from_ms, "to_ms": hole.to_ms}
            key = f"{hole.side} {hole.from_ms}"
            self.state("unrecorded", key, {**about, "reason": hole.reason})


async def record_periodically(
    recording: CallRecording, still_ours: StillOurs, every: timedelta, retry_pause: timedelta
) -> None:
    """Writes what has come once in `every`, until cancelled. While storage is unavailable the write
    is retried after `retry_pause`, and ever more rarely."""
    pause = retry_pause
    while True:
        await asyncio.sleep(every.total_seconds())
        while not recording.stopped:
            try:
                await recording.flush(still_ours)
                pause = retry_pause
                break
            except (StorageUnavailable, Problem) as error:
                logs.event("recording not written", logging.WARNING, reason=str(error))
                await asyncio.sleep(pause.total_seconds())
                pause = min(pause * 2, max(LONGEST_PAUSE, retry_pause))


def loop_time_ms() -> float:
    """Milliseconds, by the clock of the event loop."""
    return asyncio.get_running_loop().time() * 1000
