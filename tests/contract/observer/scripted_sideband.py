"""A sideband in memory, for what neither the emulator nor the service would send."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.realtime.server_event_parser import parse_server_event
from shared.sideband.events import ServerEvent
from shared.sideband.sideband import SidebandClosed

Event = dict[str, Any]


class ScriptedSideband:
    """Receives the `events` put into it; keeps what is sent in `sent`. A close code, or None for
    1000, closes it; 1006 without a closing handshake."""

    def __init__(self, *events: Event | int | None) -> None:
        self.events: asyncio.Queue[Event | ServerEvent | int | None] = asyncio.Queue()
        self.sent: asyncio.Queue[Event] = asyncio.Queue()
        for event in events:
            self.events.put_nowait(event)

    async def send_event(self, event: Any) -> None:
        self.sent.put_nowait(dict(event))

    async def receive_event(self) -> ServerEvent:
        event = await self.events.get()
        if event is None or isinstance(event, int):
            code = event or 1000
            raise SidebandClosed(code, clean=code != 1006)
        return parse_server_event(event) if isinstance(event, dict) else event

    async def close(self) -> None:
        self.events.put_nowait(None)
