"""The history that a session of GPT-Live is created with. Pure.

`input` takes up to 128 messages of one text each and 8,192 tokens in all (docs of the API). What a
profile has there itself comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.core.token_estimate import estimated_tokens
from shared.transcripts.history import MESSAGE_TOKENS, History, Message, trimmed

MOST_MESSAGES = 128
MOST_TOKENS = 7_500
"""Estimated, and so a little fewer than the service takes."""
ROLES = {"system": "developer", "user": "user", "assistant": "assistant"}
CONTENT = {"system": "input_text", "user": "input_text", "assistant": "output_text"}


def with_history(session: Mapping[str, Any], history: History) -> tuple[dict[str, Any], bool]:
    """The session with as much of the history as fits, and whether any of it does."""
    own = list(session.get("input") or [])
    fitting = trimmed(history, MOST_MESSAGES - len(own), MOST_TOKENS - tokens_of(own))
    if not fitting.messages:
        return dict(session), False
    return {**session, "input": [*own, *map(input_of, fitting.messages)]}, True


def input_of(message: Message) -> dict[str, Any]:
    """The message as the session has it."""
    content = [{"type": CONTENT[message.role], "text": message.text}]
    return {"type": "message", "role": ROLES[message.role], "content": content}


def tokens_of(messages: list[Any]) -> int:
    """About how many tokens a profile's own history takes."""
    return sum(MESSAGE_TOKENS + estimated_tokens(str(message)) for message in messages)
