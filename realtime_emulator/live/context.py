"""The view of a session that its parts get."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from realtime_emulator.call.services import Services
from realtime_emulator.live.events import Event
from realtime_emulator.live.media_interfaces import GRID_MS, AppendedMedia, Manner, Media, Saying
from realtime_emulator.live.outlets import Outlets
from realtime_emulator.live.recording import Recording
from realtime_emulator.live.session_resource import Config
from realtime_emulator.protocol.journal import Journal
from realtime_emulator.script.live_script import LiveScript

T = TypeVar("T")
AT_ONCE = timedelta(0)
POLL = timedelta(milliseconds=20)
"""How exactly a position of the timeline is waited for."""


class SessionContext(Protocol):
    """A session as its parts see it. `LiveSession` is built from them and imports them."""

    services: Services
    id: str
    config: Config
    started: Event
    """`session.started`, or the error instead of it."""
    is_primary: bool
    appended: AppendedMedia | None
    outlets: Outlets
    recording: Recording | None
    counts: Counter[str]
    journal: Journal
    running: set[asyncio.Task[Any]]
    heard_ms: int
    """The end of the caller's words whose transcript has been sent."""
    is_paused: bool
    rule_uses: Counter[str]
    """How often each of the script's rules has been followed."""

    @property
    def takes_commands(self) -> bool:
        """Whether it has started and is not closing."""
        ...

    @property
    def ended(self) -> str | None:
        """Why it has ended; None while it runs."""
        ...

    @property
    def script(self) -> LiveScript: ...

    @property
    def media(self) -> Media: ...

    def emit(self, event: Event) -> None:
        """Sends an event to everybody."""
        ...

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs a task that ends with the session at the latest."""
        ...

    def say(self, text: str, manner: Manner = "answer") -> Saying:
        """Lets the model say something."""
        ...

    def silence(self) -> None:
        """Cuts off whatever the model is saying or about to say."""
        ...

    def build_resource(self) -> dict[str, Any]: ...

    def close(
        self, reason: str, client_event_id: str | None = None, *, after: timedelta = AT_ONCE
    ) -> None:
        """Ends the session for everybody. May be repeated."""
        ...


async def wait_for_position(media: Media, position_ms: int) -> None:
    """Waits until the timeline has got there. On a primary WebSocket the client's audio moves it,
    so this may take for ever."""
    while media.position_ms < position_ms:
        left = (position_ms - media.position_ms) / 1000
        await asyncio.sleep(min(max(left, 0.001), POLL.total_seconds()))


def cell(position_ms: int) -> tuple[int, int]:
    """The start and the end of the cell of the timeline that a position lies in."""
    start = position_ms // GRID_MS * GRID_MS
    return start, start + GRID_MS
