"""One call: a session, the caller's media, whoever observes, and how it begins and ends."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from local.emulator.call import client_events
from local.emulator.call.dialogue import Dialogue
from local.emulator.call.input_audio import InputAudioBuffer
from local.emulator.call.services import Services
from local.emulator.media.sdp import sess_id
from local.emulator.protocol import events, ids, session, webrtc_filter
from local.emulator.protocol.events import Event

if TYPE_CHECKING:
    from local.emulator.media.peer import Peer

log = logging.getLogger(__name__)
T = TypeVar("T")

GRACE = timedelta(seconds=5)
"""How much longer than the call the media waits for the caller: the call is to say why it ends."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over: the close code and reason for the observers."""

    code: int
    reason: str


@dataclass(eq=False, slots=True)
class Observer:
    """A sideband's mailbox: every event of the call, then `Ended`."""

    mail: "asyncio.Queue[Event | Ended]" = field(default_factory=asyncio.Queue)


class Call:
    """A call from its offer to its end."""

    def __init__(
        self,
        services: Services,
        config: session.Config,
        *,
        filtered: bool,
        ended: Callable[["Call"], None],
    ) -> None:
        script = services.script
        self.services = services
        self.id = ids.call(services.provider)
        self.sess_id = ""
        self.filtered = filtered
        self.on_end = ended
        self.started_at = services.clock()
        self.life = script.time("session_seconds")
        self.patience = script.time("connect_seconds")
        self.session = session.begun(config, self.started_at + self.life.total_seconds())
        self.peer: Peer | None = None
        self.connected = asyncio.Event()
        self.ended: Ended | None = None
        self.observers: set[Observer] = set()
        self.counts: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.dialogue = Dialogue(self)
        self.turns = InputAudioBuffer(self)

    async def answer(self, offer: str) -> str:
        """Takes the caller's offer, gives the answer. Raises what the peer raises."""
        self.sess_id = sess_id(offer)
        self.peer = await self.services.answer(
            offer,
            hear=self.hear,
            message=self.receive,
            opened=self.opened,
            closed=self.hung_up,
            connect_within=self.patience + GRACE,
        )
        self.spawn(self.live())
        return self.peer.sdp

    async def live(self) -> None:
        """Ends a call that nobody connects to, and one that has lasted as long as it may."""
        try:
            async with asyncio.timeout(min(self.patience, self.life).total_seconds()):
                await self.connected.wait()
        except TimeoutError:
            if self.patience < self.life:
                self.end(Ended(1000, "nobody connected"))
                return
        passed = self.services.clock() - self.started_at
        await asyncio.sleep(max(0.0, self.life.total_seconds() - passed))
        minutes = self.life.total_seconds() / 60
        message = f"Your session hit the maximum duration of {minutes:g} minutes."
        self.emit(events.error("session_expired", message))
        self.end(Ended(1001, "session expired"))

    def opened(self) -> None:
        """The data channel is open."""
        if self.peer is None or self.ended:
            return
        self.connected.set()
        self.counts["session.created"] += 1
        self.tell_caller(events.event("session.created", session=self.session))
        self.dialogue.output.connect(self.peer)

    def hung_up(self) -> None:
        """The caller is gone."""
        self.end(Ended(1000, "the caller hung up"))

    def hear(self, pcm: bytes) -> None:
        if not self.ended:
            self.turns.hear(pcm)

    def receive(self, text: str) -> None:
        """A client event, from the caller or from an observer."""
        if not self.ended:
            client_events.handle_client_event(self, text)

    def emit(self, event: Event) -> None:
        """Tells every observer, and the caller as far as the filter lets it."""
        if self.ended:
            return
        self.counts[event["type"]] += 1
        for observer in self.observers:
            observer.mail.put_nowait(event)
        self.tell_caller(event)

    def tell_caller(self, event: Event) -> None:
        passes = webrtc_filter.passes(event["type"], filtered=self.filtered)
        if passes and self.peer is not None and self.connected.is_set():
            self.peer.send(json.dumps(event))

    def observe(self) -> Observer:
        """A mailbox for everything from now on. What has passed is not replayed."""
        observer = Observer()
        self.observers.add(observer)
        return observer

    def spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Work that ends with the call at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.forget)
        return task

    def forget(self, task: "asyncio.Task[Any]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("call %s: something broke", self.id, exc_info=task.exception())

    def end(self, how: Ended) -> None:
        """Ends the call for everybody. Safe to call again."""
        if self.ended:
            return
        self.ended = how
        log.info("call %s ended: %s", self.id, how.reason)
        self.turns.wait_no_longer()
        self.dialogue.close()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        for observer in self.observers:
            observer.mail.put_nowait(how)
        self.on_end(self)

    async def close(self) -> None:
        """Releases the media. The call has ended by then."""
        if self.peer is not None:
            await self.peer.close()

    def shown(self) -> dict[str, Any]:
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
            "client_events": dict(self.commands),
            "usage": self.dialogue.usage,
        }
