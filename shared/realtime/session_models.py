"""The models that a call's session names. Pure."""

from __future__ import annotations

from typing import Any

from shared.realtime.known_names import model_name, transcription_model
from shared.sideband.events import Json
from shared.sideband.json_fields import value_at

TRANSCRIPTION = ("audio", "input", "transcription", "model")


class SessionModels:
    """The latest that the session of one call has named. On Azure a deployment has a name of its
    own, and the session tells the model behind it. `configured` is the transcription model that the
    profile names."""

    def __init__(self) -> None:
        self.model: str | None = None
        self.configured: str | None = None
        self.transcription: str | None = None

    def note_session(self, session: Json) -> None:
        """Takes note of a session."""
        self.model = model_name(session.get("model")) or self.model
        found = transcription_model(value_at(session, TRANSCRIPTION), self.configured)
        self.transcription = found or self.transcription


def configured_transcription(session: Any) -> str | None:
    """The transcription model that a profile's session names."""
    named = value_at(session, TRANSCRIPTION)
    return named if isinstance(named, str) else None
