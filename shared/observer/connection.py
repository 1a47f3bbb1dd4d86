"""The connection of one run to its call's sideband, dialled with backoff."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from shared.core.chance import CHANCE
from shared.core.problems import Problem
from shared.observer.timing import Timing
from shared.sideband.events import ErrorEvent, ServerEvent
from shared.sideband.fingerprints import NONE, fingerprint, handled_before
from shared.sideband.refusals import NOT_ALLOWED, REFUSING_CLOSE_CODES, REFUSING_ERRORS
from shared.sideband.sideband import (
    Connect,
    DeliveringSideband,
    NoSuchCall,
    Sideband,
    SidebandClosed,
    SidebandUnavailable,
)


class KeptEvents:
    """Receives the events of a sideband from now on, and gives them in their order once they are
    asked for. `left` counts those that had come when `stop` was called."""

    def __init__(self, sideband: Sideband) -> None:
        self.sideband = sideband
        self.queue: asyncio.Queue[tuple[float, ServerEvent | Exception]] = asyncio.Queue()
        self.is_stopped = False
        self.left = 0
        self.late = timedelta(0)
        """How long ago the event came that was given last."""
        # Cancelling it could lose an event: it ends by itself, with the first event after `stop`.
        self.task = asyncio.ensure_future(self.keep())

    async def keep(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.is_stopped:
            try:
                event = await self.sideband.receive_event()
            except Exception as error:
                self.queue.put_nowait((loop.time(), error))
                return
            self.queue.put_nowait((loop.time(), event))

    def stop(self, handled: Sequence[int]) -> None:
        """From now on the events are for the run, but for those that have been `handled`."""
        came = [self.queue.get_nowait() for _ in range(self.queue.qsize())]
        events = [NONE if isinstance(each, Exception) else fingerprint(each) for _, each in came]
        for each in came[handled_before(handled, events) :]:
            self.queue.put_nowait(each)
        self.is_stopped, self.left = True, self.queue.qsize()

    @property
    def is_over(self) -> bool:
        return self.task.done() and self.queue.empty()

    async def receive_event(self) -> ServerEvent:
        """The next event. Raises SidebandClosed."""
        came_at, event = await self.queue.get()
        self.left = max(0, self.left - 1)
        self.late = timedelta(seconds=asyncio.get_running_loop().time() - came_at)
        if isinstance(event, Exception):
            raise event
        return event

    async def close(self) -> None:
        """Ends with the sideband, which has been closed."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class CallConnection:
    """Dials the call `call_id`; the pauses between dials grow until a connection holds."""

    def __init__(self, connect: Connect, call_id: str, timing: Timing) -> None:
        self.connect = connect
        self.call_id = call_id
        self.timing = timing
        self.sideband: Sideband | None = None
        self.was_refused = False
        """Whether the latest dial was refused before it succeeded or got a 404."""
        self.error_code = ""
        """The latest of REFUSING_ERRORS that tells of this connection."""
        self.has_begun = False
        """Whether anything but errors has come on it."""
        self.pause = timedelta(0)
        """Before the next dial."""
        self.connected_at = 0.0
        self.kept: KeptEvents | None = None
        """The events that have come before the run may act on the call."""

    @property
    def was_open(self) -> bool:
        """Whether any dial has succeeded."""
        return self.sideband is not None

    @property
    def held(self) -> timedelta:
        """How long ago the connection was made."""
        return timedelta(seconds=asyncio.get_running_loop().time() - self.connected_at)

    async def dial(self, pauses_after_404: tuple[timedelta, ...] = ()) -> None:
        """Connects. A 404 is final after these pauses; any other failure is retried with backoff
        for `redial_for`, unless it says that we are not allowed.

        Raises NoSuchCall, SidebandUnavailable.
        """
        loop = asyncio.get_running_loop()
        if self.was_open and self.held >= self.timing.holds_after:
            self.pause = timedelta(0)
        await asyncio.sleep(self.pause.total_seconds())
        give_up_at = loop.time() + self.timing.redial_for.total_seconds()
        pauses = iter(pauses_after_404)
        self.was_refused = False
        while True:
            try:
                self.sideband = await self.connect_once()
            except NoSuchCall:
                pause = next(pauses, None)
                if pause is None:
                    raise
            except SidebandUnavailable as error:
                self.was_refused = True
                # A new call may not be known to everything in between.
                early = next(pauses, None) if error.status == 404 else None
                pause = early or self.grow_pause()
                too_late = loop.time() + pause.total_seconds() > give_up_at
                if (error.status in NOT_ALLOWED and early is None) or too_late:
                    raise
            else:
                self.connected_at = loop.time()
                self.error_code, self.has_begun = "", False
                self.grow_pause()
                return
            await asyncio.sleep(pause.total_seconds())

    async def connect_once(self) -> Sideband:
        """Raises NoSuchCall, SidebandUnavailable."""
        try:
            return await self.connect(self.call_id)
        except Problem as problem:
            # The identity or the vault gives no credential now.
            raise SidebandUnavailable(reason=problem.code) from None

    def grow_pause(self) -> timedelta:
        """The pause before the next dial: it doubles, and has jitter so that not all the calls of
        an outage come back at the same moment."""
        longest = self.timing.longest_pause * CHANCE.uniform(0.75, 1)
        grown = self.pause * CHANCE.uniform(1.75, 2.25)
        self.pause = min(max(grown, self.timing.first_pause), longest)
        return self.pause

    def refusal_in(self, closed: SidebandClosed) -> str:
        """Why upstream closed the connection, if the next dial would fare no better; "" otherwise,
        and for a connection that held."""
        if self.held >= self.timing.holds_after:
            return ""
        return self.error_code or (str(closed.code) if closed.code in REFUSING_CLOSE_CODES else "")

    async def send_event(self, event: Mapping[str, Any]) -> None:
        """Sends a client event; does nothing before the first dial. Raises SidebandClosed."""
        if self.sideband is not None:
            await self.sideband.send_event(event)

    async def receive_event(self) -> ServerEvent:
        """The next server event. Raises SidebandClosed."""
        assert self.sideband is not None
        if self.kept is not None and self.kept.is_over:
            self.kept = None
        events = self.sideband if self.kept is None else self.kept
        event = await events.receive_event()
        self.note_event(event)
        return event

    async def deliver_events(self, handle: Callable[[ServerEvent], None]) -> bool:
        """Hands every event from now on to `handle` as it comes; False where events have to be
        received one by one for now. Raises SidebandClosed."""
        is_kept = self.kept is not None and not self.kept.is_over
        if is_kept or not isinstance(self.sideband, DeliveringSideband):
            return False

        def handle_event(event: ServerEvent) -> None:
            self.note_event(event)
            handle(event)

        await self.sideband.deliver_events(handle_event)
        return True

    def note_event(self, event: ServerEvent) -> None:
        """Takes note of what an event says of the connection."""
        if not isinstance(event, ErrorEvent):
            self.has_begun = True
        elif event.code in REFUSING_ERRORS and not (event.refuses_at_start and self.has_begun):
            self.error_code = str(event.code)

    def keep_events(self) -> None:
        """Keeps what comes on the connection until the run may act on it."""
        assert self.sideband is not None
        self.kept = KeptEvents(self.sideband)

    @property
    def is_catching_up(self) -> bool:
        """Whether the next event may be one that the run before this one has acted on."""
        return self.kept is not None and self.kept.left > 0

    @property
    def late(self) -> timedelta:
        """How long ago the latest event came."""
        return timedelta(0) if self.kept is None else self.kept.late

    async def close(self) -> None:
        """Disconnects; the call goes on."""
        if self.sideband is not None:
            await self.sideband.close()
        if self.kept is not None:
            await self.kept.close()
