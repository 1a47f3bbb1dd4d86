"""Follows one call over its sideband: records it, accounts for it, and steers it.

One run: lease the call, read what is in its record, dial, then follow until the call is over, the
segment is full or the lease is lost. Everything that is known is written as it goes, so a run may
be killed at any point: the next one reads the record, states the gap and goes on. Many run in one
process; none blocks the event loop (docs/adr/0009-an-observer-that-survives-its-worker.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.backfill import Backfill
from shared.observer.context import (
    USUAL,
    Dependencies,
    ObservedCall,
    ObserverResult,
    Outcome,
    Timing,
)
from shared.observer.controller import CallController, event_id
from shared.observer.lease_keeper import LeaseKeeper
from shared.observer.leases import ATTACHED, LeaseLost
from shared.observer.session_guard import SessionGuard
from shared.realtime.sideband import NoSuchCall, Sideband, SidebandClosed, SidebandUnavailable
from shared.storage.interfaces import StorageUnavailable
from shared.transcripts import transcript
from shared.transcripts.event_mapper import EventMapper
from shared.transcripts.record_lines import RecordLine, StoredLine, stamp
from shared.transcripts.writer import TranscriptWriter, flush_periodically
from shared.usage.tokens import UsageCounter

REPAIRED_AT_MOST = 20
BACKOFF = timedelta(milliseconds=250)
LONGEST_BACKOFF = timedelta(seconds=4)
PROMPT = timedelta(seconds=1)
"""A call that has ended answers 404 to the next dial, which takes no longer."""
NOT_ALLOWED = (400, 401, 403)


async def observe(
    watched: ObservedCall, parts: Dependencies, holder: str, timing: Timing = USUAL
) -> ObserverResult:
    """Follows one call; `holder` names this run, and no other run ever.

    Raises Problem storage_unavailable before it has begun, and what is a mistake of ours: then the
    message that asked for it should come again.
    """
    holding = await LeaseKeeper.acquire(
        parts.leases, watched.call_id, holder, parts.clock, parts.executor
    )
    if holding is None:
        return ObserverResult(Outcome.HELD)
    return await Observer(watched, parts, holding, timing).run()


class Observer:
    """One run, for as long as it holds the lease."""

    def __init__(
        self, watched: ObservedCall, parts: Dependencies, holding: LeaseKeeper, timing: Timing
    ) -> None:
        self.watched = watched
        self.holding = holding
        self.timing = timing
        self.clock = parts.clock
        self.connect = parts.connect
        self.hang_up_call = parts.hang_up
        self.recorder = TranscriptWriter(
            parts.log,
            watched.call_id,
            redact=parts.redact,
            words=watched.words,
            executor=parts.executor,
        )
        self.scribe = EventMapper()
        self.backfill = Backfill()
        self.meter = UsageCounter()
        self.steering = CallController(
            self.send,
            self.note,
            guard=SessionGuard(watched.session) if watched.session is not None else None,
            registry=parts.registry,
            granted=watched.granted,
            spend=parts.spend,
            hang_up=self.hang_up,
            farewell=watched.farewell,
            meter=self.meter,
            in_charge=lambda: holding.good,
        )
        # What was missed is of use for the words, or for tools that nobody has run.
        self.fetches = watched.words or bool(parts.registry.tools)
        self.sideband: Sideband | None = None
        self.attached_at = self.clock()
        self.fresh = True
        self.late = False
        self.expired = False
        self.refused = False
        """Whether the latest dial was refused before it was answered."""
        self.timers: list[asyncio.TimerHandle] = []

    async def run(self) -> ObserverResult:
        """Follows the call; see `observe`."""
        try:
            observed = await self.follow_call()
        except LeaseLost:
            # Another follows the call: nothing more may be written.
            logs.event("lease lost", logging.WARNING, call=self.watched.call_id)
            await self.let_go()
            return self.observed(Outcome.LOST)
        except BaseException:
            with contextlib.suppress(Exception):
                await self.leave("stopped")
            raise
        await self.leave(observed.outcome.value)
        return observed

    async def follow_call(self) -> ObserverResult:
        lines = await self.read_record()
        if any(line.kind == "ended" for line in lines):
            return self.observed(Outcome.ENDED, "ended before")
        try:
            self.sideband = await self.dial(self.timing.first_pauses if self.fresh else ())
        except NoSuchCall:
            if self.fresh:
                return self.observed(Outcome.NOT_FOUND)
            self.note_absence(lines, self.clock())
            return self.ended("gone")
        except SidebandUnavailable as error:
            return self.unreachable(error)
        self.attached(lines)
        writing = flush_periodically(
            self.recorder,
            self.holding.renew,
            self.timing.write_every,
            self.timing.storage_again,
        )
        keeping = self.holding.keep(self.flush, self.timing.storage_again)
        beside = [asyncio.ensure_future(each) for each in (keeping, writing, self.trouble())]
        following = asyncio.ensure_future(self.follow())
        try:
            while True:
                done, _ = await asyncio.wait(
                    [following, *beside],
                    timeout=self.timing.segment.total_seconds(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for each in beside:
                    if each in done:
                        each.result()
                if following in done:
                    return following.result()
                if not self.steering.leaving:
                    return self.observed(Outcome.CONTINUE)
        finally:
            for task in (following, *beside):
                task.cancel()
            await asyncio.gather(following, *beside, return_exceptions=True)

    async def read_record(self) -> list[StoredLine]:
        """What earlier runs wrote, taken over."""
        try:
            lines = await self.recorder.catch_up()
        except StorageUnavailable as error:
            raise Problem("storage_unavailable") from error
        self.fresh = not any(line.kind == "attached" for line in lines)
        self.scribe.resume(lines)
        self.backfill.known |= self.scribe.placed
        self.steering.resume(lines)
        return lines

    def attached(self, lines: list[StoredLine]) -> None:
        """Connected: says so, states the gap, and looks at how things are."""
        now = self.attached_at = self.clock()
        if not self.fresh:
            self.note_absence(lines, now)
        self.note("attached", self.holding.lease.holder, {})
        self.steering.start(self.look(wordless(lines)))
        self.later(self.timing.quiet, self.probe)
        if self.watched.ends_at and self.watched.farewell.words:
            left = self.watched.ends_at - now - self.timing.goodbye_ahead
            self.later(left, self.time_is_up)

    def note_absence(self, lines: list[StoredLine], now: datetime) -> None:
        """States the gap since the run before this one was last known to follow the call."""
        # Before a renewal a run writes all that it has, and lines are written in their order.
        renewed = self.holding.last_renewal_before
        times = [line.at for line in lines] + ([renewed] if renewed else [])
        # Another instance's clock may be ahead.
        self.note_gap(min(max(times), now), now, "taken over")

    async def look(self, names: list[str]) -> None:
        """Has the session told, which changes nothing in it, and asks for items whose words are
        missing from the record."""
        session = {"type": "realtime"}
        await self.send({"type": "session.update", "event_id": event_id(), "session": session})
        if self.watched.words:
            for event in self.backfill.repair(names):
                await self.send(event)
        await self.steering.answer_for_the_dead()
        await self.holding.renew(ATTACHED)

    async def follow(self) -> ObserverResult:
        """Takes events until the call is over. A close is dialled again once: a call that is over
        answers 404."""
        again = False
        while True:
            heard, closed = await self.listen()
            since = self.clock()
            if self.expired:
                return self.ended("expired")
            if self.steering.hanging_up and await self.steering.gone():
                return self.ended(self.steering.leaving or "closed")
            if closed.clean and again and not heard:
                return self.ended(self.steering.leaving or "closed")
            again = True
            try:
                self.sideband = await self.dial(())
            except NoSuchCall:
                if not closed.clean or self.refused or self.clock() - since > PROMPT:
                    # Lost rather than closed: it may have gone on for a while.
                    self.note_gap(since, self.clock(), "reconnected")
                return self.ended(self.steering.leaving or "closed")
            except SidebandUnavailable as error:
                return self.unreachable(error)
            self.note_gap(since, self.clock(), "reconnected")
            self.backfill.again()
            self.later(self.timing.quiet, self.probe)
            with contextlib.suppress(SidebandClosed):
                await self.steering.reconnected()

    async def listen(self) -> tuple[bool, SidebandClosed]:
        """Takes events until the connection closes; says whether any came."""
        assert self.sideband is not None
        heard = False
        while True:
            try:
                event = await self.sideband.receive()
            except SidebandClosed as closed:
                return heard, closed
            heard = True
            self.take(event)

    def take(self, event: Mapping[str, Any]) -> None:
        """One server event."""
        try:
            self.recorder.add(*self.scribe.take(event, self.clock()))
            self.fetch(self.backfill.take(event))
            self.steering.take(event)
        except (KeyError, TypeError, AttributeError, ValueError):
            # An event of a shape that nobody has seen yet must not end the record of a call.
            logs.failure("server event not parsed", type=str(event.get("type")))
        if event.get("type") == "error":
            told = event.get("error") or {}
            self.expired = self.expired or told.get("code") == "session_expired"
            logs.event("error event received", code=told.get("code"), param=told.get("param"))

    def fetch(self, wanted: list[dict[str, Any]]) -> None:
        """Asks for what was said before this run came, and states what may be missing once the
        earliest item is known."""
        missed = any(event["type"] == "conversation.item.retrieve" for event in wanted)
        if missed or self.backfill.cut_off:
            self.late = self.late or (self.fresh and not self.backfill.stated)
            self.backfill.stated = True
        if not self.fetches:
            self.backfill.pending.clear()
            wanted = []
        for event in wanted:
            self.steering.start(self.send(event))
        if self.late and not self.backfill.pending:
            self.note_late()

    def note_late(self) -> None:
        self.late = False
        head = self.backfill.head
        self.note_gap(self.watched.started_at, self.attached_at, "late", before=head)

    def probe(self) -> None:
        if self.fetches and self.holding.good:
            for event in self.backfill.probe():
                self.steering.start(self.send(event))

    def time_is_up(self) -> None:
        self.steering.start(self.steering.goodbye("time limit"))

    async def dial(self, pauses: tuple[timedelta, ...]) -> Sideband:
        """A connection. 404 is believed after `pauses`; other failures are tried again for a
        while, unless they say that we may not."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.timing.redial.total_seconds()
        waits = iter(pauses)
        backoff = BACKOFF
        self.refused = False
        while True:
            try:
                return await self.connect(self.watched.call_id)
            except NoSuchCall:
                pause = next(waits, None)
                if pause is None:
                    raise
            except SidebandUnavailable as error:
                self.refused = True
                pause, backoff = backoff, min(backoff * 2, LONGEST_BACKOFF)
                if error.status in NOT_ALLOWED or loop.time() + pause.total_seconds() > until:
                    raise
            await asyncio.sleep(pause.total_seconds())

    async def hang_up(self) -> None:
        """Ends the call. The close follows; if it does not, the call is over all the same."""
        await self.hang_up_call()
        self.later(self.timing.leave, self.close_sideband)

    def close_sideband(self) -> None:
        if self.sideband is not None:
            self.steering.start(self.sideband.close())

    async def trouble(self) -> None:
        """Raises what broke in the background."""
        await self.steering.failed

    async def flush(self) -> None:
        await self.recorder.flush(self.holding.renew)

    async def send(self, event: Mapping[str, Any]) -> None:
        if self.sideband is not None:
            await self.sideband.send(event)

    def later(self, delay: timedelta, what: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.timers.append(loop.call_later(max(0.0, delay.total_seconds()), what))

    def note(self, kind: str, key: str, fields: Mapping[str, Any]) -> None:
        self.recorder.add(RecordLine(kind, key, self.clock(), fields))

    def note_gap(
        self, since: datetime | None, until: datetime, reason: str, *, before: str | None = None
    ) -> None:
        place = {"before": before} if before else {"after": self.scribe.tail}
        about = {"since": stamp(since) if since else None, "until": stamp(until), "reason": reason}
        self.note("gap", f"{self.holding.lease.holder} {stamp(until)}", {**about, **place})

    def ended(self, reason: str) -> ObserverResult:
        unknown = self.fresh and not self.backfill.stated and not self.backfill.seen_item
        if self.late or unknown:
            # It ended before what this run had missed was fetched, or known at all.
            self.note_late()
        self.note("ended", "", {"reason": reason})
        return self.observed(Outcome.ENDED, reason)

    def unreachable(self, error: SidebandUnavailable) -> ObserverResult:
        logs.event("sideband unavailable", logging.WARNING, status=error.status)
        return self.observed(Outcome.UNREACHABLE, str(error))

    def observed(self, outcome: Outcome, reason: str = "") -> ObserverResult:
        return ObserverResult(outcome, reason, self.meter.usage)

    async def leave(self, reason: str) -> None:
        """Writes what is left, closes, gives the lease back."""
        if self.sideband is not None:
            self.note("detached", self.holding.lease.holder, {"reason": reason})
        await self.let_go()
        try:
            async with asyncio.timeout(self.timing.leave.total_seconds()):
                await self.flush()
                await self.holding.release()
        except (StorageUnavailable, Problem, LeaseLost, TimeoutError) as error:
            logs.event("observer not shut down cleanly", logging.WARNING, reason=str(error))

    async def let_go(self) -> None:
        for timer in self.timers:
            timer.cancel()
        await self.steering.close()
        if self.sideband is not None:
            await self.sideband.close()


def wordless(lines: list[StoredLine]) -> list[str]:
    """The latest messages of a record that are there without their words."""
    entries = transcript.of_lines(lines).entries
    names = [each.item_id for each in entries if each.kind == "message" and each.text is None]
    return names[-REPAIRED_AT_MOST:]
