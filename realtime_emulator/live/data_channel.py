"""What the page may send and receive on the data channel of a GPT-Live session."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from realtime_emulator.live import events
from realtime_emulator.live.events import Event

NEVER_SENT: Final = frozenset({"session.input_audio.append", "session.output_audio.delta"})
"""Audio is on the media track."""

NEVER_TAKEN: Final = frozenset(
    {
        "session.start",
        "session.input_audio.append",
        "session.output_audio.fixture.play",
        "transport.dtmf.send",
    }
)
"""Refused whatever the list says."""

RESPONSE_EVENT: Final = "response.event"


class Permissions:
    """The lists of `client.data_channel`, which hold for the whole session.

    A list that is "all" or absent allows everything.
    """

    def __init__(self, data_channel: Mapping[str, Any], forbidden_code: str) -> None:
        self.forbidden_code = forbidden_code
        client = data_channel.get("allowed_client_events")
        server = data_channel.get("allowed_server_events")
        self.client = None if client in (None, "all") else frozenset(client)
        self.server = (
            None
            if server in (None, "all")
            else frozenset((entry["type"], entry.get("response_event")) for entry in server)
        )

    @property
    def are_restricted(self) -> bool:
        return self.client is not None or self.server is not None

    def reaches_page(self, event: Mapping[str, Any]) -> bool:
        """Whether a server event may be sent on the channel."""
        kind = event["type"]
        if kind in NEVER_SENT:
            return False
        nested = event["event"]["type"] if kind == RESPONSE_EVENT else None
        return self.server is None or (kind, nested) in self.server

    def check_client_event(self, text: str) -> Event | None:
        """The error to answer a client event with, or None if it is allowed. What is not an event
        is left to the session, which knows better words for that."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return None
        kind = message.get("type") if isinstance(message, dict) else None
        if not isinstance(kind, str):
            return None
        if kind in NEVER_TAKEN:
            return refusal(kind, "invalid_event", "is not accepted on a data channel.", message)
        if self.client is not None and kind not in self.client:
            reason = "is not among the allowed client events of this data channel."
            return refusal(kind, self.forbidden_code, reason, message)
        return None


def refusal(kind: str, code: str, reason: str, message: Event) -> Event:
    """The error that answers a client event of that type."""
    event_id = message.get("event_id")
    named = event_id if isinstance(event_id, str) else None
    return events.error(code, f"'{kind}' {reason}", param="type", client_event_id=named)


def too_large(event: Mapping[str, Any], size: int, largest: int) -> Event:
    """What a page gets instead of an event that its data channel would not survive."""
    reason = f"'{event['type']}' has {size} bytes, and this data channel takes {largest}."
    return events.error("event_too_large", reason)


def restriction_notice() -> Event:
    """The `info` event that is the first on a restricted channel."""
    return events.event(
        "info",
        code="data_channel_permissions",
        message="The frontend data channel is configured with restricted event permissions.",
    )
