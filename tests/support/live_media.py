"""The media of a GPT-Live session without sound, which checks every event that it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openai.types.live import ConnectServerEvent
from pydantic import TypeAdapter

from realtime_emulator.live.stand_in_media import StandInLiveMedia, StandInMediaFactory

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(ConnectServerEvent)
CODELESS = "the types demand a code, which the service leaves out at times"
AZURE_REASON = "client_request"


def valid(event: dict[str, Any]) -> dict[str, Any]:
    """The event, after validation against the API's types. Two things are recorded that they do
    not have: errors without a code, and Azure's reason for a close."""
    checked = event
    if event["type"] == "error" and event["error"]["code"] is None:
        checked = {**event, "error": {**event["error"], "code": CODELESS}}
    if event["type"] == "session.closed" and event["reason"] == AZURE_REASON:
        checked = {**event, "reason": "close_requested"}
    SERVER_EVENT.validate_python(checked)
    return event


class FakeLiveMedia(StandInLiveMedia):
    """Every event must match the API's types."""

    def send_event(self, event: Mapping[str, Any]) -> bool:
        return super().send_event(valid(dict(event)))


class FakeMediaFactory(StandInMediaFactory):
    """Makes fakes, and keeps them in `made`."""

    media = FakeLiveMedia
