"""One GPT-Live session: its resource, its parts and its connections."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final, TypeVar

from realtime_emulator.call.services import Services
from realtime_emulator.live import events, identifiers
from realtime_emulator.live.appends import Appends
from realtime_emulator.live.audio_controls import AudioControls
from realtime_emulator.live.client_delegation import Acknowledgements, ClientDelegations
from realtime_emulator.live.client_events import ClientEventHandler
from realtime_emulator.live.context import AT_ONCE
from realtime_emulator.live.conversation import Conversation
from realtime_emulator.live.events import Event
from realtime_emulator.live.hosted_tasks import HostedTasks
from realtime_emulator.live.media_factory import MediaFactory
from realtime_emulator.live.media_interfaces import (
    AnsweredMedia,
    AppendedMedia,
    AudioFormat,
    Manner,
    MediaSettings,
    Saying,
)
from realtime_emulator.live.media_listener import MediaListener
from realtime_emulator.live.outlets import Outlet, Outlets
from realtime_emulator.live.recording import Recording
from realtime_emulator.live.session_end import SessionEnd
from realtime_emulator.live.session_resource import (
    DEFAULT_FORMAT,
    DEFAULT_VOICE,
    Config,
    build_resource,
    resolve,
)
from realtime_emulator.live.usage_meter import UsageMeter
from realtime_emulator.protocol.journal import Journal
from realtime_emulator.script.live_script import LiveScript

logger = logging.getLogger(__name__)
T = TypeVar("T")

KEPT_SAYINGS: Final = 8


class LiveSession:
    """A session from its creation to its end. Implements `SessionContext`."""

    def __init__(
        self,
        services: Services,
        config: Config,
        factory: MediaFactory,
        *,
        on_end: Callable[[LiveSession], None],
        is_primary: bool = False,
    ) -> None:
        self.services, self.is_primary = services, is_primary
        self.factory = factory
        self.config = resolve(config)
        self.id = identifiers.session()
        self.created_at = services.clock()
        self.max_duration = self.script.time("session_seconds")
        self.expires_at = int(self.created_at + self.max_duration.total_seconds())
        self.started: Event = {}
        self.answered: AnsweredMedia | None = None
        self.appended: AppendedMedia | None = None
        self.outlets = Outlets(lambda: self.script.time("replay_seconds"))
        self.counts: Counter[str] = Counter()
        self.journal = Journal(services.clock)
        self.running: set[asyncio.Task[Any]] = set()
        self.sayings: list[Saying] = []
        self.heard_ms = 0
        self.is_paused = False
        self.rule_uses: Counter[str] = Counter()
        acknowledgements = Acknowledgements(self)
        self.delegations = ClientDelegations(self, acknowledgements)
        tasks = HostedTasks(self, acknowledgements)
        self.audio = AudioControls(self)
        appends = Appends(self, self.delegations)
        self.client_events = ClientEventHandler(self, self.audio, appends, tasks)
        conversation = Conversation(self, self.delegations, tasks)
        self.listener = MediaListener(self, conversation, self.client_events.handle)
        may_pause = self.config.get("idle_timeout_s") is not None
        self.meter = UsageMeter(self, services.provider, may_pause=may_pause)
        self.recording = Recording() if self.config.get("store") else None
        self.ending = SessionEnd(self, self.meter, lambda: on_end(self))

    @property
    def script(self) -> LiveScript:
        return self.services.script.live(self.services.provider)

    @property
    def media(self) -> AnsweredMedia | AppendedMedia:
        media = self.answered or self.appended
        assert media is not None, "the session has not started"
        return media

    @property
    def takes_commands(self) -> bool:
        return not self.ending.is_closing and not self.ending.has_failed

    @property
    def ended(self) -> str | None:
        """Why it has ended; None while it runs."""
        return self.ending.reason

    async def answer_offer(self, offer: str) -> str:
        """Starts over WebRTC. Returns the answer; raises OfferRefused."""
        settings = media_settings(self)
        self.answered = await self.factory.answer(offer, settings, self.listener, self.services)
        self.start(None)
        return self.answered.sdp

    async def start_on_socket(self, client_event_id: str | None) -> Outlet:
        """Starts on a primary WebSocket. Returns where its events go."""
        audio_format = AudioFormat(**self.config["audio"].get("format", DEFAULT_FORMAT))
        self.appended = await self.factory.append(
            media_settings(self), audio_format, self.listener, self.services
        )
        if self.recording is not None:
            self.recording.set_format(audio_format)
        outlet = self.outlets.attach()
        self.start(client_event_id)
        return outlet

    def start(self, client_event_id: str | None) -> None:
        failure = self.script.values["startup_error"]
        if failure is not None:
            kind = failure.get("type", "server_error")
            self.started = events.error(failure.get("code"), failure["message"], kind=kind)
            self.ending.has_failed = True
            self.spawn(self.ending.drop())
        else:
            resource = self.build_resource()
            self.started = events.event(events.STARTED, client_event_id, session=resource)
            self.spawn(self.meter.run())
            self.spawn(self.ending.expire(self.max_duration))
        self.counts[self.started["type"]] += 1
        self.journal.note_sent(self.started)
        self.outlets.send_started(self.started)

    def build_resource(self) -> dict[str, Any]:
        return build_resource(
            self.services.provider,
            self.id,
            self.expires_at,
            self.config,
            has_media=not self.is_primary,
        )

    def emit(self, event: Event) -> None:
        if self.ended is not None:
            return
        if event["type"] == "error" and self.script.flag("null_codes"):
            event["error"]["code"] = None
        self.counts[event["type"]] += 1
        self.journal.note_sent(event)
        self.outlets.send(event)
        self.media.send_event(event)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        def forget(done: asyncio.Task[T]) -> None:
            self.running.discard(done)
            if not done.cancelled() and done.exception() is not None:
                logger.error("session %s: a task failed", self.id, exc_info=done.exception())

        task = asyncio.get_running_loop().create_task(work)
        self.running.add(task)
        task.add_done_callback(forget)
        return task

    def say(self, text: str, manner: Manner = "answer") -> Saying:
        saying = self.media.say(text, manner)
        self.sayings = [*self.sayings[1 - KEPT_SAYINGS :], saying]
        return saying

    def silence(self) -> None:
        for saying in self.sayings:
            saying.cancel()

    def close(
        self, reason: str, client_event_id: str | None = None, *, after: timedelta = AT_ONCE
    ) -> None:
        self.ending.close(reason, client_event_id, after=after)

    def snapshot(self) -> dict[str, Any]:
        """The session for the control route."""
        return {
            "id": self.id,
            "live": self.ended is None,
            "ended": self.ended,
            "transport": "websocket" if self.is_primary else "webrtc",
            "connected": self.answered is None or self.answered.is_connected,
            "model": self.config["model"],
            "delegation": self.config["delegation"]["type"],
            "safety_identifier": self.config.get("safety_identifier"),
            "history": len(self.config.get("input") or ()),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "muted": self.audio.is_muted,
            "paused": self.is_paused,
            "observers": len(self.outlets.all),
            "events": dict(self.counts),
            "client_events": dict(self.client_events.received),
            "usage": self.ending.usage or self.meter.snapshot(),
        }


def media_settings(session: LiveSession) -> MediaSettings:
    """What the media need of a session and of the script."""
    config, script = session.config, session.script
    voice = config["audio"]["output"]["voice"]
    idle = config.get("idle_timeout_s")
    return MediaSettings(
        session_id=session.id,
        voice=voice if isinstance(voice, str) else DEFAULT_VOICE,
        data_channel=(config.get("client") or {}).get("data_channel", {}),
        idle_timeout=None if idle is None else timedelta(seconds=idle),
        wake_threshold=(config.get("wake_policy") or {}).get("vad_threshold", 0.5),
        connect_within=script.time("connect_seconds"),
        connection_lost_after=script.time("connection_lost_seconds"),
        backchannel_after=script.time("backchannel_seconds") or None,
        forbidden_event_code=script.text("forbidden_event_code"),
    )
