"""Makes a new call of the Realtime API begin with what was said in the one that it continues.

A session cannot be created with a conversation, so its items are created over a sideband of their
own, before the page has the answer: nobody has spoken by then.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from itertools import chain, repeat
from typing import Any

from shared.core import logs
from shared.core.problems import Problem
from shared.realtime.server_events import ItemEvent
from shared.sideband.events import ErrorEvent
from shared.sideband.sideband import (
    Connect,
    NoSuchCall,
    Sideband,
    SidebandClosed,
    SidebandUnavailable,
)
from shared.transcripts.history import History, Message

CONTENT = {"system": "input_text", "user": "input_text", "assistant": "output_text"}
PAUSES = (0.1, 0.2, 0.4)
"""Seconds between dials: a new call may answer 404 for a moment."""
WITHIN = timedelta(seconds=4)


def item_of(message: Message, item_id: str) -> dict[str, Any]:
    """The item that a message becomes."""
    content = [{"type": CONTENT[message.role], "text": message.text}]
    return {"id": item_id, "type": "message", "role": message.role, "content": content}


class HistoryRefused(Exception):
    """The endpoint refused an item."""


FAILURES = (TimeoutError, Problem, SidebandClosed, SidebandUnavailable, HistoryRefused)


def carry_over(
    connect: Connect, call_id: str, history: History, within: timedelta = WITHIN
) -> bool:
    """Creates the items of a history in a new call. False: not all of them are known to be there;
    the call goes on without. Blocks, never raises."""

    async def create_in_time() -> None:
        async with asyncio.timeout(within.total_seconds()):
            await create_items(connect, call_id, history)

    try:
        asyncio.run(create_in_time())
    except FAILURES as error:
        logs.event("conversation not carried over", logging.WARNING, reason=type(error).__name__)
        return False
    except Exception:
        # The call has begun: whatever is wrong with its history, somebody has to have its answer.
        logs.failure("conversation not carried over")
        return False
    return True


async def create_items(connect: Connect, call_id: str, history: History) -> None:
    """Raises HistoryRefused, and what connections raise."""
    sideband = await dial(connect, call_id)
    try:
        items = [
            item_of(message, item_id)
            for message, item_id in zip(history.messages, history.item_ids(), strict=True)
        ]
        for item in items:
            event_id = f"event_{item['id']}"
            await sideband.send_event(
                {"type": "conversation.item.create", "event_id": event_id, "item": item}
            )
        await see_added(sideband, {item["id"] for item in items})
    finally:
        await sideband.close()


async def dial(connect: Connect, call_id: str) -> Sideband:
    """Raises SidebandUnavailable, Problem."""
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        try:
            return await connect(call_id)
        except NoSuchCall:
            await asyncio.sleep(pause)
    raise AssertionError


async def see_added(sideband: Sideband, missing: set[str]) -> None:
    """Waits until the items are in the conversation. Raises HistoryRefused."""
    while missing:
        match await sideband.receive_event():
            case ErrorEvent(caused_by=str(event_id)) if event_id.removeprefix("event_") in missing:
                raise HistoryRefused
            case ItemEvent(item=item):
                missing.discard(item.id)
