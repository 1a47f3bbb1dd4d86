"""JSON in as many text columns of a row as it needs. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.storage.interfaces import Value

PROPERTY_CHARACTERS = 30_000
"""Characters of one text property; a table takes 32 Ki."""
BOOKINGS, KEYS, TIME, SESSIONS = "held", "keys", "time", "sessions"
"""What the properties that hold a row's JSON are named after: held0, held1, …, keys0, …"""


def split_json(content: Any, prefix: str = BOOKINGS) -> dict[str, Value]:
    """JSON in as many text properties as it needs: held0, held1, …"""
    text = json.dumps(content, separators=(",", ":"))
    pieces = [
        text[start : start + PROPERTY_CHARACTERS]
        for start in range(0, len(text), PROPERTY_CHARACTERS)
    ]
    return {f"{prefix}{index}": piece for index, piece in enumerate(pieces)}


def join_json(values: Mapping[str, Value], prefix: str = BOOKINGS) -> Any:
    """What `split_json` was given; None if the values hold none of it."""
    pieces: list[str] = []
    while (piece := values.get(f"{prefix}{len(pieces)}")) is not None:
        pieces.append(str(piece))
    return json.loads("".join(pieces)) if pieces else None
