"""How a session ends: asked to, at its age, for what was said, or because the caller is gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from realtime_emulator.live import events
from realtime_emulator.live.context import AT_ONCE, SessionContext
from realtime_emulator.live.outlets import Ended
from realtime_emulator.live.usage_meter import UsageMeter

logger = logging.getLogger(__name__)

DROP_AFTER: Final = timedelta(seconds=2)
"""How long after the error a session that did not start is dropped."""


class SessionEnd:
    """Ends one session, once. `on_end` is called then."""

    def __init__(
        self, context: SessionContext, meter: UsageMeter, on_end: Callable[[], None]
    ) -> None:
        self.context, self.meter, self.on_end = context, meter, on_end
        self.is_closing = False
        self.reason: str | None = None
        """Set once it has ended."""
        self.has_failed = False
        """Whether it did not start: an error stands in the place of `session.started`."""
        self.usage: dict[str, Any] = {}

    def close(
        self, reason: str, client_event_id: str | None = None, *, after: timedelta = AT_ONCE
    ) -> None:
        """Ends the session for everybody. May be repeated. The event that asked for it is named in
        the answer."""
        if not self.is_closing:
            self.is_closing = True
            if after:
                self.context.spawn(self.finish_later(reason, client_event_id, after))
            else:
                self.finish(reason, client_event_id)

    async def expire(self, after: timedelta) -> None:
        await asyncio.sleep(after.total_seconds())
        self.close("expired")

    async def drop(self) -> None:
        """Ends a session that did not start: without a word, after the error."""
        await asyncio.sleep(DROP_AFTER.total_seconds())
        self.end("not started", Ended(is_lost=True))

    def lose(self) -> None:
        """The connection of a primary WebSocket is gone."""
        self.is_closing = True
        self.finish("connection_lost")

    async def finish_later(
        self, reason: str, client_event_id: str | None, after: timedelta
    ) -> None:
        await asyncio.sleep(after.total_seconds())
        self.finish(reason, client_event_id)

    def finish(self, reason: str, client_event_id: str | None = None) -> None:
        """`session.closed`, unless the script loses it, and then nothing more."""
        session = self.context
        if self.reason is not None:
            return
        self.usage = self.meter.final()
        if not session.script.flag("lose_closed"):
            session.emit(
                events.event(
                    events.CLOSED,
                    client_event_id,
                    usage=self.usage,
                    reason=reason,
                    session=session.build_resource(),
                )
            )
        self.end(reason, Ended())

    def end(self, reason: str, how: Ended) -> None:
        session = self.context
        if self.reason is not None:
            return
        self.is_closing = True
        self.reason = reason
        logger.info("session %s ended: %s", session.id, reason)
        for task in session.running:
            if task is not asyncio.current_task():
                task.cancel()
        session.outlets.end(how)
        self.on_end()
