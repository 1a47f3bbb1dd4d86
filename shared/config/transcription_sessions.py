"""Profiles whose session only transcribes (`type: "transcription"`, dictation): what is wrong with
one, and what the settings fill in. Nobody answers in such a call. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRANSCRIPTION = "transcription"
FOR_ANSWERS = ("goodbye", "instructions_secret", "mcp_approvals", "session_from_page")
"""Fields of a profile that say something about answers, or about who may have one."""


def is_transcription(session: Mapping[str, Any] | None) -> bool:
    """Whether a profile's session only transcribes."""
    return session is not None and session.get("type") == TRANSCRIPTION


def transcription_in(session: Mapping[str, Any]) -> Mapping[str, Any]:
    found = session.get("audio", {}).get("input", {}).get("transcription")
    return found if isinstance(found, Mapping) else {}


def check_transcription(content: Mapping[str, Any], default_model: str | None) -> list[str]:
    """What is wrong with a profile that is valid by the schema."""
    if not is_transcription(content["session"]):
        return []
    wrong = [
        f"{name}: expected nothing in a transcription session, where nobody answers"
        for name in FOR_ANSWERS
        if content.get(name)
    ]
    if not transcription_in(content["session"]).get("model") and not default_model:
        wrong.append(
            "session.audio.input.transcription.model: missing, and REALTIME_TRANSCRIPTION_MODEL too"
        )
    return wrong


def complete_transcription(session: Mapping[str, Any], default_model: str | None) -> dict[str, Any]:
    """A transcription session that names its model."""
    audio = session.get("audio", {})
    default = {"model": default_model} if default_model else {}
    stated = {**default, **transcription_in(session)}
    return {
        **session,
        "audio": {**audio, "input": {**audio.get("input", {}), "transcription": stated}},
    }
