"""What becomes of a client event of an admin's, whichever API the call speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.core import logs

if TYPE_CHECKING:
    from shared.sideband.events import ErrorEvent, ServerEvent
    from shared.sideband.sideband import Sideband


class EventRefused(Exception):
    """The model's endpoint refused the event; `code` and `param` are its own. Its message is not
    kept."""

    def __init__(self, code: str, param: str | None = None) -> None:
        self.code = code
        self.param = param
        super().__init__(code)


def refusal_in(error: ErrorEvent) -> EventRefused:
    """The refusal that an error event is."""
    code = logs.safe_word(error.code) or "unknown"
    return EventRefused(code, logs.safe_word(error.param) or None)


async def exchange_event(
    sideband: Sideband,
    ours: Mapping[str, Any],
    is_answer: Callable[[ServerEvent, Mapping[str, Any]], bool],
    timeout: timedelta,
) -> ServerEvent | None:
    """Sends a client event, and gives the server event that answers it; None if none came in time.
    Raises EventRefused, SidebandClosed."""
    # Imported only now: a broker knows the refusal without knowing any event.
    from shared.sideband.events import ErrorEvent

    try:
        async with asyncio.timeout(timeout.total_seconds()):
            await sideband.send_event(ours)
            while True:
                event = await sideband.receive_event()
                if isinstance(event, ErrorEvent) and event.caused_by == ours["event_id"]:
                    raise refusal_in(event)
                if is_answer(event, ours):
                    return event
    except TimeoutError:
        return None
