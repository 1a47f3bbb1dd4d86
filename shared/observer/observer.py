"""One run of an observer: leases a call, follows it, and gives the lease back.

A run ends when the call is over, the segment is full or the lease is lost. Everything that is known
is written as it goes, so a run may be killed at any point: the next one reads the record, states
the gap and goes on. Many run in one process; none blocks the event loop
(docs/adr/0009-an-observer-that-survives-its-worker.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.background import BackgroundTasks
from shared.observer.connection import CallConnection
from shared.observer.context import Dependencies, ObservedCall, ObserverResult, Outcome
from shared.observer.conversation import RunParts
from shared.observer.conversations import open_conversation
from shared.observer.follower import CallFollower
from shared.observer.hand_over import HandOver
from shared.observer.lease_keeper import LeaseKeeper
from shared.observer.leases import LeaseLost
from shared.observer.timing import USUAL_TIMING, Timing
from shared.sideband.fingerprints import from_text, to_text
from shared.sideband.sideband import NoSuchCall, SidebandUnavailable
from shared.transcripts.record_lines import StoredLine
from shared.transcripts.writer import TranscriptWriter, flush_periodically


async def observe(
    call: ObservedCall, dependencies: Dependencies, holder: str, timing: Timing = USUAL_TIMING
) -> ObserverResult:
    """Follows one call; `holder` names this run and is never used again.

    Raises Problem storage_unavailable before it has begun, and any error of our own: then the
    message that asked for the run should be redelivered.
    """
    lease = await LeaseKeeper.acquire(
        dependencies.leases, call.call_id, holder, dependencies.clock, dependencies.executor
    )
    if lease is not None:
        return await Observer(call, dependencies, lease, timing).run()
    lease = await LeaseKeeper.offered(
        dependencies.leases, call.call_id, holder, dependencies.clock, dependencies.executor
    )
    if lease is None:
        return ObserverResult(Outcome.HELD)
    observer = Observer(call, dependencies, lease, timing)
    if not await observer.take_over():
        return ObserverResult(Outcome.HELD)
    return await observer.run()


def reason_to_leave(result: ObserverResult) -> str:
    """What the record says of the end of a run."""
    unreachable = result.outcome is Outcome.UNREACHABLE
    return f"unreachable: {result.reason}" if unreachable else result.outcome.value


class Observer:
    """One run, for as long as it holds the lease."""

    def __init__(
        self, call: ObservedCall, dependencies: Dependencies, lease: LeaseKeeper, timing: Timing
    ) -> None:
        self.timing = timing
        self.call = call
        self.dependencies = dependencies
        self.connected_at: datetime | None = None
        """Since when this run has been connected, if that was before it had the lease."""
        writer = TranscriptWriter(
            dependencies.log,
            call.call_id,
            redact=dependencies.redact,
            keep_words=call.keep_words,
            executor=dependencies.executor,
            record_id=call.record_id,
        )
        self.lease = lease
        self.connection = CallConnection(dependencies.connect, call.call_id, timing)
        self.background = BackgroundTasks()
        self.conversation = open_conversation(
            RunParts(
                call,
                dependencies,
                timing,
                writer,
                self.connection,
                lease,
                self.background,
                self.hang_up,
            )
        )
        self.recorder, self.gaps = self.conversation.context.recorder, self.conversation.gaps
        self.follower = CallFollower(self.conversation, call, timing, dependencies.hang_up)
        self.hand_over = HandOver(lease, self.follower, dependencies, timing)

    async def take_over(self) -> bool:
        """Connects while another run still follows the call, and waits until that one has handed it
        over. False: it has not, and goes on, or its lease runs out."""
        taken = False
        try:
            await self.connection.dial()
            self.connected_at = self.dependencies.clock()
            self.connection.keep_events()
            timing = self.timing
            taken = await self.lease.take_over(timing.handed_over_within, timing.heir_polled)
        except (NoSuchCall, SidebandUnavailable, Problem) as error:
            logs.event("call not taken over", logging.WARNING, reason=type(error).__name__)
        finally:
            if not taken:
                for step in (self.lease.withdraw, self.stop):
                    await self.attempt(step)
        if taken and self.connection.kept:
            self.connection.kept.stop(from_text(self.lease.handled))
        return taken

    async def run(self) -> ObserverResult:
        """Follows the call; see `observe`."""
        try:
            result = await self.follow_call()
        except LeaseLost:
            # Another run follows the call: nothing more may be written.
            logs.event("lease lost", logging.WARNING, call=self.call.record_id)
            with contextlib.suppress(Exception):
                await self.stop()
            return self.follower.result(Outcome.LOST)
        except BaseException:
            with contextlib.suppress(Exception):
                await self.leave("stopped")
            raise
        await self.leave(reason_to_leave(result))
        return result

    async def follow_call(self) -> ObserverResult:
        """Continues where the record ends: connects and follows the call."""
        lines = await self.recorder.read_record()
        self.gaps.resume(lines)
        self.conversation.resume(lines)
        if self.call.ended_by:
            return self.record_end(lines)
        if any(line.kind == "ended" for line in lines):
            # Written by this release once the end was confirmed, by earlier ones without that.
            ended_before = partial(self.follower.result, Outcome.ENDED, "ended before")
            return await self.follower.confirm_end(ended_before)
        first = self.gaps.is_first_run
        try:
            if self.connected_at is None:
                await self.connection.dial(self.timing.pauses_after_404 if first else ())
        except NoSuchCall:
            not_found = self.follower.never_seen
            gone = partial(self.ended_unseen, lines)
            return await self.follower.confirm_end(not_found if first else gone)
        except SidebandUnavailable as error:
            return self.follower.unreachable(str(error))
        self.follower.begin(lines, self.connected_at)
        return await self.follow_for_a_segment()

    def record_end(self, lines: list[StoredLine]) -> ObserverResult:
        """Of a settled call: records its end, if it was followed and nobody has done that yet."""
        if self.gaps.is_first_run or any(line.kind == "ended" for line in lines):
            return self.follower.result(Outcome.ENDED, "ended before")
        return self.ended_unseen(lines)

    def ended_unseen(self, lines: list[StoredLine]) -> ObserverResult:
        """Records that the call has ended since an earlier run."""
        renewed_at = self.lease.previous_renewal
        ended_at = self.call.ended_at or self.recorder.clock()
        self.gaps.note_takeover(lines, renewed_at, ended_at)
        return self.follower.call_ended(self.call.ended_by or "gone")

    async def follow_for_a_segment(self) -> ObserverResult:
        """Follows the call, and meanwhile writes its lines and renews its lease; any of them may
        fail. A full segment ends the run, unless the run is ending the call. So does another run
        that takes over because this process is to stop."""
        retry_pause = self.timing.storage_retry
        helpers = [
            asyncio.ensure_future(each)
            for each in (
                self.lease.renew_periodically(self.flush, retry_pause),
                flush_periodically(
                    self.recorder.writer, self.lease.renew, self.timing.write_every, retry_pause
                ),
                self.background.wait_for_failure(),
            )
        ]
        following = asyncio.ensure_future(self.follower.follow())
        leaving = asyncio.ensure_future(self.hand_over.wait_to_leave())
        try:
            while True:
                done, _ = await asyncio.wait(
                    [following, leaving, *helpers],
                    timeout=self.timing.segment.total_seconds(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for each in helpers:
                    if each in done:
                        each.result()
                if following in done:
                    return following.result()
                if leaving in done:
                    leaving.result()
                    return self.follower.result(Outcome.HANDED_OVER)
                if not self.follower.is_ending_call:
                    return self.follower.result(Outcome.CONTINUE)
        finally:
            for task in (following, leaving, *helpers):
                task.cancel()
            await asyncio.gather(following, leaving, *helpers, return_exceptions=True)

    async def flush(self) -> None:
        await self.recorder.flush(self.lease.renew)

    async def hang_up(self) -> None:
        """Ends the call upstream. The service closes the sideband then; if it does not, we do."""
        await self.follower.end_upstream()
        self.background.call_later(
            self.timing.shutdown, lambda: self.background.start_task(self.connection.close())
        )

    async def leave(self, reason: str) -> None:
        """Writes what is left, disconnects, and gives the lease back, whatever else fails."""
        await self.attempt(self.conversation.leave)
        if self.connection.was_open:
            self.gaps.record_loss()
            self.recorder.add_line("detached", self.recorder.holder, {"reason": reason})
        give_up = self.lease.release
        if self.lease.is_accepted:
            give_up = partial(self.lease.hand_over, to_text(self.follower.handled))
        for step in (self.stop, self.flush, give_up):
            await self.attempt(step)

    async def attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        """One step of leaving, in bounded time."""
        try:
            async with asyncio.timeout(self.timing.shutdown.total_seconds()):
                await step()
        except Exception as error:
            logs.event(
                "observer not shut down cleanly", logging.WARNING, reason=type(error).__name__
            )

    async def stop(self) -> None:
        """Stops everything in the background, and disconnects."""
        try:
            await self.background.close()
        finally:
            await self.connection.close()
