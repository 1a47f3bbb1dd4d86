"""Which of the two voice APIs a profile's calls speak."""

from __future__ import annotations

from typing import Literal

VoiceApi = Literal["realtime", "live"]

REALTIME: VoiceApi = "realtime"
"""GPT Realtime: turns and responses, priced by tokens."""
LIVE: VoiceApi = "live"
"""GPT-Live: full duplex, priced by the minute, without ephemeral keys."""


def voice_api(text: str) -> VoiceApi:
    """The API that a record or a handle names. An older one names none: it was Realtime."""
    return LIVE if text == LIVE else REALTIME
