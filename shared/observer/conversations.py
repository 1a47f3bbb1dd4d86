"""Which conversation a run holds: the one place where the voice API of a call decides."""

from __future__ import annotations

from shared.config.voice_api import LIVE
from shared.observer.conversation import Conversation, RunParts
from shared.observer.live.conversation import LiveConversation
from shared.observer.realtime.conversation import RealtimeConversation


def open_conversation(parts: RunParts) -> Conversation:
    """The conversation of a call, by its API."""
    if parts.call.api == LIVE:
        return LiveConversation(parts)
    return RealtimeConversation(parts)
