"""The part of the script that GPT-Live sessions alone have: its `live` object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from realtime_emulator.protocol.validators import (
    Check,
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    mapping,
    nullable,
    number,
    obj,
    string,
)

DAY: Final = 86_400.0
SECONDS = number(0, DAY)
USAGE_SECONDS: Final = {"azure": 60, "openai": 14}
CLOSE_REASON: Final = {"azure": "client_request", "openai": "close_requested"}
ERROR = obj({"type": string, "code": nullable(string), "message": string}, required=("message",))
ANY: Check = either(text=choice("any"), other=array(string))

SHAPE: Final = obj(
    {
        "models": array(string),
        "backends": ANY,
        "unknown_model": nullable(obj({"status": integer(400, 599), "code": string})),
        "azure_strict": boolean,
        "bearer_key_redirect": boolean,
        "max_sessions": integer(0, 1_000_000),
        "has_credit": boolean,
        "startup_error": nullable(ERROR),
        "session_seconds": SECONDS,
        "connect_seconds": SECONDS,
        "connection_lost_seconds": SECONDS,
        "replay_seconds": SECONDS,
        "append_seconds": SECONDS,
        "acknowledgement": string,
        "stalling": string,
        "stalling_seconds": SECONDS,
        "commentary": string,
        "backend_seconds": SECONDS,
        "backend_answer": string,
        "spoken_seconds": SECONDS,
        "backchannel_seconds": SECONDS,
        "first_audio_seconds": SECONDS,
        "usage_seconds": nullable(SECONDS),
        "close_seconds": SECONDS,
        "close_reason": nullable(string),
        "close_handshake": boolean,
        "lose_closed": boolean,
        "content_words": array(string),
        "phantom_words": nullable(string),
        "null_codes": boolean,
        "forbidden_event_code": string,
    }
)

CHECK_DELEGATE: Final = obj(
    {
        "answer": string,
        "fail": string,
        "calls": array(obj({"tool": string, "arguments": mapping(anything)}, required=("tool",))),
    }
)
"""What a rule's `delegate` may say of the task."""


class LiveScript:
    """Reads the settings as they are at the moment."""

    def __init__(self, values: Mapping[str, Any], provider: str) -> None:
        self.values, self.provider = values, provider

    def text(self, name: str) -> str:
        return str(self.values[name])

    def flag(self, name: str) -> bool:
        return bool(self.values[name])

    def time(self, name: str) -> timedelta:
        """One of the `…_seconds` settings that always have a value."""
        return timedelta(seconds=self.values[name])

    def seconds(self, name: str) -> float:
        return float(self.values[name])

    def has_backend(self, model: str) -> bool:
        """Whether there is such a model, or deployment, for delegated work."""
        backends = self.values["backends"]
        return backends == "any" or model in backends

    @property
    def usage_seconds(self) -> float:
        """How long between two reports of usage."""
        stated = self.values["usage_seconds"]
        return float(USAGE_SECONDS[self.provider] if stated is None else stated)

    @property
    def close_reason(self) -> str:
        """Why a session that was asked to close has closed."""
        return str(self.values["close_reason"] or CLOSE_REASON[self.provider])
