"""Ends a session over its sideband, where no HTTP hang-up is served, and tells whether it is over.

The proof is `session.closed`, or an attach that is refused because there is no such session. A
connection that ends without either proves nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from shared.core.deadline import Deadline
from shared.sideband.sideband import Connect, NoSuchCall, Sideband, SidebandClosed

CLOSE = {"type": "session.close"}
CLOSING = timedelta(seconds=15)
"""How long a session may take to close: what is being said is finished first (OpenAI's guide)."""
ATTACHES = 3
"""A connection may end before it tells; another attach then does."""
BETWEEN = timedelta(milliseconds=500)


class SessionEnder:
    """Ends sessions over sidebands that `connect` dials."""

    def __init__(
        self, connect: Connect, *, closing: timedelta = CLOSING, between: timedelta = BETWEEN
    ) -> None:
        self.connect = connect
        self.closing = closing
        self.between = between

    async def end_session(self, session_id: str, deadline: Deadline) -> bool | None:
        """Whether the session has been closed; None if there was none any more. False: nobody
        knows. Raises SidebandUnavailable."""
        try:
            for left in reversed(range(ATTACHES)):
                async with asyncio.timeout(deadline.seconds_left):
                    sideband = await self.connect(session_id)
                try:
                    if await self.close_session(sideband, deadline):
                        return True
                finally:
                    await disconnect(sideband, deadline)
                if left:
                    await asyncio.sleep(deadline.within(self.between))
        except NoSuchCall:
            return None
        except TimeoutError:
            return False
        return False

    async def close_session(self, sideband: Sideband, deadline: Deadline) -> bool:
        """Asks for the end and waits for it; False if the connection ends or stays silent."""
        # Imported here because a cold start does without it.
        from shared.live.server_events import SessionClosed

        try:
            async with asyncio.timeout(deadline.within(self.closing)):
                await sideband.send_event(CLOSE)
                while True:
                    if isinstance(await sideband.receive_event(), SessionClosed):
                        return True
                    # Events that have come already are received without waiting.
                    await asyncio.sleep(0)
        except (SidebandClosed, TimeoutError):
            return False


async def disconnect(sideband: Sideband, deadline: Deadline) -> None:
    """Disconnects within the time that is left, whatever still comes."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline.seconds_left):
            await sideband.close()
