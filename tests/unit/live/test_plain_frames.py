"""Whatever comes as a frame is some event, and audio is not read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.live.plain_frames import read_plain_frame
from shared.sideband.events import ErrorEvent, NotUnderstood, OtherEvent


@pytest.mark.parametrize(
    "frame", ["", "{", "[]", "7", '{"a":1}', '{"type":7}', b"\xff\xfe", "{" * 99]
)
def test_what_is_no_event_is_not_understood(frame: str | bytes) -> None:
    assert isinstance(read_plain_frame(frame), NotUnderstood)


def test_audio_is_known_by_its_beginning() -> None:
    frame = '{"type":"session.output_audio.delta","delta":"' + "A" * 20_000
    assert read_plain_frame(frame) == OtherEvent("session.output_audio.delta")


@pytest.mark.parametrize("kind", ["session.closed", "an event of tomorrow"])
def test_an_event_has_its_type(kind: str) -> None:
    assert read_plain_frame(json.dumps({"type": kind, "session": {}})) == OtherEvent(kind)


@pytest.mark.parametrize("nested", [True, False])
def test_an_error_names_the_event_that_caused_it(nested: bool) -> None:
    error: dict[str, Any] = {"type": "invalid_request_error", "code": None, "message": "words"}
    event: dict[str, Any] = {"type": "error", "event_id": "event_1", "error": error}
    (error if nested else event)["client_event_id"] = "ours"
    found = read_plain_frame(json.dumps(event))
    assert found == ErrorEvent("error", "event_1", "invalid_request_error", None, None, "ours")


def test_an_error_without_anything_is_an_error() -> None:
    assert isinstance(read_plain_frame('{"type":"error","error":[1]}'), ErrorEvent)
