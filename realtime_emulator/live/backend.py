"""The backend that delegated work goes to: its settings, its input, its chain of responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from realtime_emulator.live import events, identifiers
from realtime_emulator.live.backend_response import BackendResponse
from realtime_emulator.live.context import SessionContext
from realtime_emulator.live.events import Event
from realtime_emulator.live.item_buffer import ItemBuffer
from realtime_emulator.live.token_count import count_tokens

HIDDEN_TOKENS: Final = 700
"""What the backend reads before everything else."""
CACHE_BLOCK: Final = 128


class Backend:
    """The backend of one session."""

    def __init__(self, context: SessionContext) -> None:
        self.context = context
        self.buffer = ItemBuffer()
        self.previous_id = identifiers.response()
        """The first names a response that nobody sees."""
        self.cache_key = f"live:{identifiers.response().removeprefix('resp_')}"
        self.read_tokens = 0

    @property
    def settings(self) -> dict[str, Any]:
        """`delegation.responses` as it is at the moment."""
        settings: dict[str, Any] = self.context.config["delegation"]["responses"]
        return settings

    @property
    def exists(self) -> bool:
        return self.context.script.has_backend(self.settings["model"])

    def make_response(self, delegation_id: str, read: str) -> BackendResponse:
        """The next response of the chain, which reads this text after everything before."""
        emit: Callable[[Event], None] = partial(self.emit_nested, delegation_id)
        settings = self.settings
        prompt = json.dumps([settings.get("instructions"), settings["tools"]])
        tokens = HIDDEN_TOKENS + count_tokens(prompt) + count_tokens(read)
        response = BackendResponse(
            emit,
            settings,
            previous_id=self.previous_id,
            cache_key=self.cache_key,
            input_tokens=tokens,
            cached_tokens=min(self.read_tokens, tokens) // CACHE_BLOCK * CACHE_BLOCK,
        )
        self.previous_id, self.read_tokens = response.id, tokens
        return response

    def emit_nested(self, delegation_id: str, nested: Event) -> None:
        self.context.media.note_activity()
        self.context.emit(events.response_event(delegation_id, nested))
