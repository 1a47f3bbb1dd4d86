"""Sidebands in memory that say what a script has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from shared.live.server_events import SessionClosed
from shared.sideband.events import OtherEvent, ServerEvent
from shared.sideband.sideband import Connect, Sideband, SidebandClosed


def event_of(kind: str) -> ServerEvent:
    """An event of that type."""
    return SessionClosed(kind, None, "", {}) if kind == "session.closed" else OtherEvent(kind)


class FixedSideband:
    """Gives `events` in their order, then closes, or stays silent if it is `quiet`."""

    def __init__(self, *events: ServerEvent | str, quiet: bool = False) -> None:
        self.events = [event_of(each) if isinstance(each, str) else each for each in events]
        self.quiet = quiet
        self.sent: list[Mapping[str, Any]] = []
        self.closed = False

    async def send_event(self, event: Mapping[str, Any]) -> None:
        self.sent.append(dict(event))

    async def receive_event(self) -> ServerEvent:
        if self.events:
            return self.events.pop(0)
        if self.quiet:
            await asyncio.Event().wait()
        raise SidebandClosed(1006, clean=False)

    async def close(self) -> None:
        self.closed = True


def dialled(*answers: Sideband | Exception) -> tuple[Connect, list[str]]:
    """A `Connect` with these outcomes, the last of which repeats, and the ids that were dialled."""
    asked: list[str] = []
    left = list(answers)

    async def connect(call_id: str) -> Sideband:
        asked.append(call_id)
        outcome = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return connect, asked
