"""What an admin says into a call, for its record. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.transcripts.record_lines import RecordLine

CREATES_ITEM = "conversation.item.create"
COMMENTARY = "session.commentary.append"


def line_of_item(event: Mapping[str, Any], at: datetime) -> RecordLine | None:
    """That an item of a Realtime call is the server's, not the page's; None for other events. What
    it says, the observer records."""
    if event["type"] != CREATES_ITEM:
        return None
    return RecordLine("sent", event["item"]["id"], at, {"what": "admin"})


def line_of_append(event: Mapping[str, Any], at: datetime) -> RecordLine | None:
    """What the model of a Live call was told; None for other events. No event shows it to the
    observer."""
    if not str(event["type"]).endswith(".append"):
        return None
    kind = "commentary" if event["type"] == COMMENTARY else "message"
    role = {} if kind == "commentary" else {"role": "system"}
    told = {"type": kind, "origin": "server", "status": "completed", "text": event["content"]}
    return RecordLine("item", f"admin {secrets.token_hex(8)}", at, {**told, **role})
