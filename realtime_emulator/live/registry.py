"""The GPT-Live sessions of one emulator: those that run, those stored, the last that ended."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Any, Final

from realtime_emulator.call.services import Services
from realtime_emulator.live import http_errors
from realtime_emulator.live.media_factory import MediaFactory
from realtime_emulator.live.outlets import Ended
from realtime_emulator.live.session import LiveSession
from realtime_emulator.live.session_resource import Config
from realtime_emulator.protocol.errors import ApiError
from realtime_emulator.protocol.journal import Journal, Journals

REMEMBERED: Final = 50
STORED: Final = 8


class LiveRegistry:
    """Starts, finds, forks and ends sessions."""

    def __init__(self, services: Services, media: MediaFactory) -> None:
        self.services, self.media = services, media
        self.live: dict[str, LiveSession] = {}
        self.starting = 0
        self.started = 0
        self.stored: OrderedDict[str, LiveSession] = OrderedDict()
        self.past: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.journals = Journals()
        self.closing: set[asyncio.Task[None]] = set()

    async def create(self, config: Config, offer: str) -> tuple[LiveSession, str]:
        """A new session over WebRTC, and the answer. Raises OfferRefused, and ApiError 429."""
        self.require_room()
        session = LiveSession(self.services, config, self.media, on_end=self.handle_end)
        self.starting += 1
        try:
            answer = await session.answer_offer(offer)
        finally:
            self.starting -= 1
        self.add(session)
        return session, answer

    def make_primary(self, config: Config) -> LiveSession:
        """A session that a primary WebSocket is about to start."""
        return LiveSession(
            self.services, config, self.media, on_end=self.handle_end, is_primary=True
        )

    def add(self, session: LiveSession) -> None:
        """A session that has started runs, unless it is over already."""
        self.started += 1
        if session.ended is None:
            self.live[session.id] = session

    def require_room(self) -> None:
        """Raises ApiError 429 where as many sessions run as may."""
        most = int(self.services.script.live(self.services.provider).values["max_sessions"])
        if most and len(self.live) + self.starting >= most:
            raise http_errors.too_many_sessions(most)

    def find(self, session_id: str) -> LiveSession:
        """The session with this id that runs and is not closing. Raises ApiError 404."""
        session = self.live.get(session_id)
        if session is None or session.ending.is_closing:
            raise http_errors.no_session()
        return session

    def find_running(self, session_id: str) -> LiveSession:
        """The same, also while it is closing."""
        if session_id not in self.live:
            raise http_errors.no_session()
        return self.live[session_id]

    def find_stored(self, session_id: str) -> LiveSession:
        """The stored session with this id. Raises ApiError 404, and 400 while it runs."""
        running = self.live.get(session_id)
        if running is not None:
            not_yet: ApiError = http_errors.no_session()
            if running.recording is not None:
                not_yet = http_errors.still_running()
            raise not_yet
        if session_id not in self.stored:
            raise http_errors.no_session()
        return self.stored[session_id]

    def find_journal(self, session_id: str) -> Journal:
        """What passed in a session, also after its end. Raises ApiError 404."""
        running = ((session.id, session.journal) for session in self.live.values())
        journal = self.journals.find(session_id, running)
        if journal is None:
            raise http_errors.no_session()
        return journal

    def handle_end(self, session: LiveSession) -> None:
        self.live.pop(session.id, None)
        self.past.append(session.snapshot())
        self.journals.keep(session.id, session.journal)
        if session.recording is not None:
            self.stored[session.id] = session
            while len(self.stored) > STORED:
                self.stored.popitem(last=False)
        task = asyncio.get_running_loop().create_task(session.media.close())
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)

    async def end_all(self, reason: str) -> None:
        """Ends all sessions and waits until their media are released."""
        for session in list(self.live.values()):
            session.ending.end(reason, Ended())
        if self.closing:
            await asyncio.wait(self.closing, timeout=5)

    async def reset(self) -> None:
        """Ends all sessions and forgets the past ones."""
        await self.end_all("hung up by the control route")
        self.past.clear()
        self.journals.clear()
        self.stored.clear()
        self.started = 0

    def snapshot(self) -> dict[str, Any]:
        """The sessions, for the control route."""
        live = list(self.live.values())
        return {
            "live_sessions": len(live),
            "started_sessions": self.started,
            "sessions": [session.snapshot() for session in live] + list(reversed(self.past)),
        }
