"""Sends one client event of an admin's to a running call, and waits for what answers it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from shared.realtime.admin_event_schemas import ANSWERS, validate_client_event
from shared.realtime.server_events import (
    ItemDeleted,
    ItemEvent,
    ItemTruncated,
    ResponseCreated,
    ResponseDone,
)
from shared.sideband.admin_events import exchange_event
from shared.sideband.events import ServerEvent
from shared.sideband.sideband import Connect, SidebandClosed, SidebandUnavailable


async def send_admin_event(
    connect: Connect,
    call_id: str,
    event: Mapping[str, Any],
    *,
    timeout: timedelta = timedelta(seconds=5),
    before_sending: Callable[[Mapping[str, Any]], None] | None = None,
) -> ServerEvent | None:
    """Sends one client event to a running call over a connection of its own. `before_sending` is
    told the event with its ids.

    Gives the server event that answers it; None if none came in time (clearing an empty buffer is
    answered by nothing). Raises ValueError for an event that is not allowed or not of its shape,
    EventRefused, NoSuchCall, SidebandUnavailable.
    """
    ours = validate_client_event(event)
    ours["event_id"] = f"event_{secrets.token_hex(8)}"
    if ours["type"] == "conversation.item.create":
        ours["item"].setdefault("id", f"item_{secrets.token_hex(8)}")
    sideband = await connect(call_id)
    try:
        if before_sending is not None:
            before_sending(ours)
        return await exchange_event(sideband, ours, is_answer, timeout)
    except SidebandClosed:
        raise SidebandUnavailable from None
    finally:
        await sideband.close()


def is_answer(answer: ServerEvent, ours: Mapping[str, Any]) -> bool:
    """Whether a server event answers our client event."""
    if answer.type not in ANSWERS[ours["type"]]:
        return False
    match answer:
        case ItemEvent():
            return bool(answer.item.id == ours["item"]["id"])
        case ItemDeleted() | ItemTruncated():
            return bool(answer.item_id == ours["item_id"])
        case ResponseCreated():
            wanted = (ours.get("response") or {}).get("conversation") != "none"
            return answer.in_conversation == wanted
        case ResponseDone() if "response_id" in ours:
            return bool(answer.response_id == ours["response_id"])
    return True
