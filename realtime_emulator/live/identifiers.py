"""Ids in the formats of the Live API, from recorded traffic."""

from __future__ import annotations

import secrets

from realtime_emulator.protocol import ids


def session() -> str:
    """The id of a session: a shard and 32 letters and digits."""
    return f"live_u0_{ids.characters(32)}"


def response() -> str:
    """The id of a backend response."""
    return f"resp_{secrets.token_hex(24)}"


def call() -> str:
    """The id that links a function call to its output."""
    return f"call_{ids.characters(24)}"


def output_item(kind: str) -> str:
    """The id of a backend's output item: `fc` or `msg`."""
    return f"{kind}_{secrets.token_hex(24)}"


def delegation() -> str:
    return ids.new("item")
