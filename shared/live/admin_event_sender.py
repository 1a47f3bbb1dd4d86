"""Sends one client event of an admin's to a running Live call, and waits for what answers it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.live.admin_event_schemas import ANSWERS, validate_live_event
from shared.sideband.admin_events import exchange_event
from shared.sideband.events import ServerEvent
from shared.sideband.sideband import Connect, SidebandClosed, SidebandUnavailable

PATIENCE = timedelta(seconds=5)
CLOSING = timedelta(seconds=15)
"""A session finishes what it is saying before it closes."""


async def send_live_event(
    connect: Connect, call_id: str, event: Mapping[str, Any], *, timeout: timedelta | None = None
) -> ServerEvent | None:
    """Sends one client event to a running call over a connection of its own.

    Gives the server event that answers it; None if none came in time. Raises ValueError for an
    event that is not allowed or not of its shape, EventRefused, NoSuchCall, SidebandUnavailable.
    """
    ours = validate_live_event(event)
    ours["event_id"] = f"event_{secrets.token_hex(8)}"
    closes = ours["type"] == "session.close"
    patience = timeout or (CLOSING if closes else PATIENCE)
    sideband = await connect(call_id)
    try:
        return await exchange_event(sideband, ours, is_answer, patience)
    except SidebandClosed:
        if closes:
            # The connection may end before it tells the end.
            return None
        raise SidebandUnavailable from None
    finally:
        await sideband.close()


def is_answer(answer: ServerEvent, ours: Mapping[str, Any]) -> bool:
    """Whether a server event answers our client event. One that names another client event does
    not; Azure's are said to name none."""
    if answer.type != ANSWERS[ours["type"]]:
        return False
    return getattr(answer, "client_event_id", None) in (None, ours["event_id"])
