"""The messages about calls: their queues, their bodies, their delays."""

from __future__ import annotations

import json
from datetime import timedelta

END_QUEUE = "end-call"


OBSERVE_QUEUE = "observe-call"


# Queues are looked at every two seconds: the message comes a little early and waits for its moment.
EARLY = timedelta(seconds=4)


AFTER = timedelta(seconds=15)


def message(record_id: str) -> str:
    """The body of a message about a call."""
    return json.dumps({"call": record_id})


def subject(body: str) -> str:
    """Which call a message is about. Raises ValueError for what is no message of ours."""
    content = json.loads(body)
    name = content.get("call") if isinstance(content, dict) else None
    if not isinstance(name, str):
        raise ValueError("not a message about a call")
    return name
