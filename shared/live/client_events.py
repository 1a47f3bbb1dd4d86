"""The client events that the server sends to a Live session. Pure.

`event_id` comes back in what answers an event: `client_event_id` of an acknowledgement or an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Event = dict[str, Any]
APPEND_BYTES = 480
"""Of one text. The service takes 500 tokens, and none has less than a byte; counting bytes needs no
tokenizer."""


def read_session(event_id: str) -> Event:
    """Asks for the session: an update that changes nothing."""
    return {"type": "session.update", "event_id": event_id, "session": {}}


def update_session(session: Mapping[str, Any], event_id: str) -> Event:
    """Changes the session."""
    return {"type": "session.update", "event_id": event_id, "session": dict(session)}


def append_instructions(content: str, event_id: str) -> Event:
    """Tells the model what to do from now on."""
    return append("instructions", content, None, event_id)


def append_commentary(content: str, event_id: str, delegation_id: str | None = None) -> Event:
    """Tells the model something to say in its own words: an answer to that delegation."""
    return append("commentary", content, delegation_id, event_id)


def append_thinking(content: str, event_id: str) -> Event:
    """Tells the model something that it need not say."""
    return append("thinking", content, None, event_id)


def append(what: str, content: str, delegation_id: str | None, event_id: str) -> Event:
    return {
        "type": f"session.{what}.append",
        "event_id": event_id,
        "content": within(content),
        # To be there, even if it is null.
        "delegation_id": delegation_id,
    }


def create_item(item: Mapping[str, Any], event_id: str) -> Event:
    """Adds an item to the delegated work. Nothing acknowledges it."""
    return {"type": "response.item.create", "event_id": event_id, "item": dict(item)}


def function_output(call_id: str, output: str) -> dict[str, Any]:
    """The item that answers a function call."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def create_response(event_id: str) -> Event:
    """Has the delegated work go on, once its function calls are answered."""
    return {"type": "response.create", "event_id": event_id}


def close_session(event_id: str) -> Event:
    """Ends the session; `session.closed` tells what it used."""
    return {"type": "session.close", "event_id": event_id}


def within(text: str, limit: int = APPEND_BYTES) -> str:
    """As much of a text as fits into that many bytes of UTF-8."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def item_bytes(item: Mapping[str, Any]) -> int:
    """About how many bytes the service counts for an item."""
    text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "replace"))
