"""The connection of one run to its call's sideband, dialled with backoff."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.realtime.server_events import ServerEvent
from shared.realtime.sideband import Connect, NoSuchCall, Sideband, SidebandUnavailable

BACKOFF = timedelta(milliseconds=250)
LONGEST_BACKOFF = timedelta(seconds=4)
NOT_ALLOWED = (400, 401, 403)
"""Statuses of a refusal that is final."""


class CallConnection:
    """Dials the call `call_id`, for at most `redial_for` at a time."""

    def __init__(self, connect: Connect, call_id: str, redial_for: timedelta) -> None:
        self.connect = connect
        self.call_id = call_id
        self.redial_for = redial_for
        self.sideband: Sideband | None = None
        self.was_refused = False
        """Whether the latest dial was refused before it succeeded or got a 404."""

    @property
    def was_open(self) -> bool:
        """Whether any dial has succeeded."""
        return self.sideband is not None

    async def dial(self, pauses_after_404: tuple[timedelta, ...] = ()) -> None:
        """Connects. A 404 is final after these pauses; any other failure is retried with backoff,
        unless it says that we are not allowed.

        Raises NoSuchCall, SidebandUnavailable.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.redial_for.total_seconds()
        pauses = iter(pauses_after_404)
        backoff = BACKOFF
        self.was_refused = False
        while True:
            try:
                self.sideband = await self.connect(self.call_id)
                return
            except NoSuchCall:
                pause = next(pauses, None)
                if pause is None:
                    raise
            except SidebandUnavailable as error:
                self.was_refused = True
                pause, backoff = backoff, min(backoff * 2, LONGEST_BACKOFF)
                too_late = loop.time() + pause.total_seconds() > give_up_at
                if error.status in NOT_ALLOWED or too_late:
                    raise
            await asyncio.sleep(pause.total_seconds())

    async def send_event(self, event: Mapping[str, Any]) -> None:
        """Sends a client event; does nothing before the first dial. Raises SidebandClosed."""
        if self.sideband is not None:
            await self.sideband.send_event(event)

    async def receive_event(self) -> ServerEvent:
        """The next server event. Raises SidebandClosed."""
        assert self.sideband is not None
        return await self.sideband.receive_event()

    async def close(self) -> None:
        """Disconnects; the call goes on."""
        if self.sideband is not None:
            await self.sideband.close()
