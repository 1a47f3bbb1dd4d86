"""One call: its session, the caller's media, its observers, and how it starts and ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from realtime_emulator.call.client_events import ClientEventHandler
from realtime_emulator.call.dialogue import Dialogue
from realtime_emulator.call.input_audio import InputAudioBuffer
from realtime_emulator.call.services import Services
from realtime_emulator.protocol import events, ids, session, webrtc_filter
from realtime_emulator.protocol.events import Event
from realtime_emulator.protocol.frames import Frame
from realtime_emulator.protocol.journal import Journal
from realtime_emulator.sdp.syntax import sess_id

if TYPE_CHECKING:
    from realtime_emulator.media.peer import Peer

logger = logging.getLogger(__name__)
T = TypeVar("T")

GRACE = timedelta(seconds=5)
"""How much longer than the call the media waits for the caller, so that the call gives the reason
for its end."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of the call: the close code and reason for its observers."""

    code: int
    reason: str


@dataclass(eq=False, slots=True)
class Observer:
    """A sideband's queue: every event of the call and injected frame, then `Ended`."""

    queue: asyncio.Queue[Event | Frame | Ended] = field(default_factory=asyncio.Queue)


class Call:
    """A call from its offer to its end. Implements `CallContext`."""

    def __init__(
        self,
        services: Services,
        config: session.Config,
        *,
        filtered: bool,
        on_end: Callable[[Call], None],
    ) -> None:
        script = services.script
        self.services = services
        self.id = ids.call(services.provider)
        self.sess_id = ""
        self.filtered = filtered
        self.on_end = on_end
        self.started_at = services.clock()
        self.max_duration = script.time("session_seconds")
        self.connect_within = script.time("connect_seconds")
        expires_at = self.started_at + self.max_duration.total_seconds()
        self.session = session.for_call(config, expires_at)
        self.peer: Peer | None = None
        self.connected = asyncio.Event()
        self.ended: Ended | None = None
        self.observers: set[Observer] = set()
        self.counts: Counter[str] = Counter()
        self.journal = Journal(services.clock)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.dialogue = Dialogue(
            self,
            on_response=lambda: self.input_audio.idle_timer.cancel(),
            on_drained=lambda: self.input_audio.start_idle_timer(),
        )
        self.input_audio = InputAudioBuffer(self, self.dialogue)
        self.client_events = ClientEventHandler(self, self.dialogue, self.input_audio)

    async def answer_offer(self, offer: str) -> str:
        """The answer to the caller's offer. Raises OfferRefused."""
        self.sess_id = sess_id(offer)
        self.peer = await self.services.answer(
            offer,
            on_audio=self.receive_audio,
            on_message=self.receive_event,
            on_open=self.handle_open,
            on_close=self.handle_hang_up,
            connect_within=self.connect_within + GRACE,
        )
        self.spawn(self.enforce_time_limits())
        return self.peer.sdp

    async def enforce_time_limits(self) -> None:
        """Ends the call if nobody connects in time, and when its maximum duration is reached."""
        try:
            async with asyncio.timeout(min(self.connect_within, self.max_duration).total_seconds()):
                await self.connected.wait()
        except TimeoutError:
            if self.connect_within < self.max_duration:
                self.end(Ended(1000, "nobody connected"))
                return
        elapsed = self.services.clock() - self.started_at
        await asyncio.sleep(max(0.0, self.max_duration.total_seconds() - elapsed))
        minutes = self.max_duration.total_seconds() / 60
        message = f"Your session hit the maximum duration of {minutes:g} minutes."
        self.emit(events.error("session_expired", message))
        self.end(Ended(1001, "session expired"))

    def handle_open(self) -> None:
        """Greets the caller, whose data channel is open."""
        if self.peer is None or self.ended:
            return
        self.connected.set()
        self.counts["session.created"] += 1
        created = events.event("session.created", session=self.session)
        self.journal.note_sent(created)
        self.send_to_caller(created)
        self.dialogue.output.connect(self.peer)

    def handle_hang_up(self) -> None:
        self.end(Ended(1000, "the caller hung up"))

    def receive_audio(self, pcm: bytes) -> None:
        if not self.ended:
            self.input_audio.add_audio(pcm)

    def receive_event(self, text: str) -> None:
        """Handles a client event from the caller or from an observer."""
        if not self.ended:
            self.client_events.handle_client_event(text)

    def emit(self, event: Event) -> None:
        if self.ended:
            return
        self.counts[event["type"]] += 1
        self.journal.note_sent(event)
        for observer in self.observers:
            observer.queue.put_nowait(event)
        self.send_to_caller(event)

    def send_to_caller(self, event: Event) -> None:
        passes = webrtc_filter.reaches_browser(event["type"], filtered=self.filtered)
        if passes and self.peer is not None and self.connected.is_set():
            text = json.dumps(event)
            if len(text) > self.peer.largest_event:
                logger.warning("call %s: an event is too large for the caller", self.id)
                text = json.dumps(events.too_large(event, len(text), self.peer.largest_event))
            self.peer.send_event(text)

    def add_observer(self) -> Observer:
        """A queue of all events from now on. Past ones are not replayed."""
        observer = Observer()
        self.observers.add(observer)
        return observer

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.forget_task)
        return task

    def forget_task(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("call %s: a task failed", self.id, exc_info=task.exception())

    def end(self, how: Ended) -> None:
        """Ends the call for everybody. May be repeated."""
        if self.ended:
            return
        self.ended = how
        logger.info("call %s ended: %s", self.id, how.reason)
        self.input_audio.idle_timer.cancel()
        self.dialogue.close()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for observer in self.observers:
            observer.queue.put_nowait(how)
        self.on_end(self)

    async def close(self) -> None:
        """Releases the media of a call that has ended."""
        if self.peer is not None:
            await self.peer.close()

    def snapshot(self) -> dict[str, Any]:
        """The call for the control route."""
        return {
            "id": self.id,
            "sess_id": self.sess_id,
            "live": self.ended is None,
            "ended": self.ended.reason if self.ended else None,
            "connected": self.connected.is_set(),
            "filtered": self.filtered,
            "model": self.session["model"],
            "started_at": self.started_at,
            "expires_at": self.session["expires_at"],
            "observers": len(self.observers),
            "items": len(self.dialogue.conversation.items),
            "events": dict(self.counts),
            "client_events": dict(self.client_events.received),
            "usage": self.dialogue.usage,
        }
