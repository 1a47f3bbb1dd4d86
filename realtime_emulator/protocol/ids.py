"""Ids in the formats of the live service.

In recorded live traffic, `event_E4AmeSKqIZ89RWnYjSPVj` is a kind, five base-62 digits (seconds
since 1576800000) and sixteen random characters. Call ids are `rtc_` and 32 hex digits (Azure) or
`rtc_u2_` and the same 21 characters (OpenAI); events of the output audio buffer have 16 hex digits.
"""

from __future__ import annotations

import secrets
import string
import time
from typing import Literal

Provider = Literal["azure", "openai"]

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
EPOCH = 1_576_800_000


def characters(count: int) -> str:
    """`count` random letters and digits."""
    return "".join(secrets.choice(DIGITS) for _ in range(count))


def stamp(seconds: int) -> str:
    """Unix time as the five base-62 digits that live ids begin with."""
    rest, out = seconds - EPOCH, ""
    for _ in range(5):
        rest, digit = divmod(rest, 62)
        out = DIGITS[digit] + out
    return out


def new(kind: str) -> str:
    """A new id such as `item_…`, `resp_…`, `sess_…`, `conv_…` or `event_…`."""
    return f"{kind}_{stamp(int(time.time()))}{characters(16)}"


def buffer_event() -> str:
    """The `event_id` of an `output_audio_buffer.*` event."""
    return f"event_{secrets.token_hex(8)}"


def tool_call() -> str:
    """The id that links a function call to its output."""
    return f"call_{characters(16)}"


def call(provider: Provider) -> str:
    """The id of a call, as in `Location`."""
    return f"rtc_{secrets.token_hex(16)}" if provider == "azure" else new("rtc_u2")


def ephemeral_key() -> str:
    """An ephemeral key. Recordings mask its body, so only the prefix is known."""
    return f"ek_{secrets.token_hex(16)}"
