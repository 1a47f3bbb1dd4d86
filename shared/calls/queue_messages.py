"""The messages about calls: their queues, their bodies, their delays."""

from __future__ import annotations

import json
from datetime import timedelta

END_QUEUE = "end-call"
OBSERVE_QUEUE = "observe-call"
END_MESSAGE_EARLY = timedelta(seconds=4)
"""How long before a call's limit its end message is delivered, because queues are polled every two
seconds; its receiver waits for the exact moment."""
SECOND_END_MESSAGE_LATE = timedelta(seconds=15)
"""How long after a call's limit its second end message is delivered."""


def call_message(record_id: str) -> str:
    """The body of a message about the call with that record. It names the call, nothing more."""
    return json.dumps({"call": record_id})


def record_id_in(body: str) -> str:
    """The record's id in a message's body. Raises ValueError for any other body."""
    content = json.loads(body)
    found = content.get("call") if isinstance(content, dict) else None
    if not isinstance(found, str):
        raise ValueError("not a message about a call")
    return found
