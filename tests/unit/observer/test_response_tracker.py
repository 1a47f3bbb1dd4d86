"""When the observer asks for a response, and what it knows of those under way."""

from __future__ import annotations

from typing import Any

import pytest

from shared.observer.response_tracker import ResponseTracker
from shared.realtime.server_event_parser import parse_server_event


def created(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": name, "conversation_id": "c", **more}}


def done(name: str) -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": name}}


def added(name: str, previous: str | None = None) -> dict[str, Any]:
    item = {"id": name, "type": "message"}
    return {"type": "conversation.item.added", "previous_item_id": previous, "item": item}


def track(tracker: ResponseTracker, event: dict[str, Any]) -> None:
    tracker.track_event(parse_server_event(event))


def requests_response(tracker: ResponseTracker, event_id: str) -> bool:
    """Asks for a response with that client event if one is due."""
    due = tracker.should_request_response
    if due:
        tracker.response_requested(event_id)
    return due


def test_a_response_is_asked_for_once_all_is_in_and_the_last_is_done() -> None:
    tracker = ResponseTracker()
    track(tracker, created("r1"))
    tracker.output_sent("o1")
    track(tracker, added("o1"))
    assert not requests_response(tracker, "e1"), "a response is being made"
    track(tracker, done("r1"))
    assert requests_response(tracker, "e1")
    assert not requests_response(tracker, "e2"), "asked already"
    track(tracker, created("r2"))
    track(tracker, done("r2"))
    assert not requests_response(tracker, "e3"), "r2 has read it"


def test_an_output_on_its_way_is_waited_for() -> None:
    tracker = ResponseTracker()
    tracker.output_sent("o1")
    tracker.output_sent("o2")
    track(tracker, added("o1"))
    assert not requests_response(tracker, "e1")
    track(tracker, added("o2"))
    assert requests_response(tracker, "e1")


def test_who_asked_too_late_asks_again_unless_the_other_response_has_read_it() -> None:
    tracker = ResponseTracker()
    track(tracker, created("r1"))
    tracker.output_sent("o1")
    track(tracker, added("o1"))
    track(tracker, done("r1"))
    assert requests_response(tracker, "e1")
    track(tracker, {"type": "error", "error": {"event_id": "e1", "code": "server_error"}})
    assert requests_response(tracker, "e2")
    track(tracker, created("r2"))
    track(tracker, {"type": "error", "error": {"event_id": "e2"}})
    track(tracker, done("r2"))
    assert not requests_response(tracker, "e3")


def test_a_response_outside_of_the_conversation_is_not_tracked() -> None:
    tracker = ResponseTracker()
    track(tracker, created("r1", conversation_id=None))
    assert tracker.is_quiet


@pytest.mark.parametrize("end", ["stopped", "cleared"])
def test_playing_outlasts_the_response(end: str) -> None:
    tracker = ResponseTracker()
    track(tracker, created("r1"))
    track(tracker, {"type": "output_audio_buffer.started", "response_id": "r1"})
    track(tracker, done("r1"))
    assert not tracker.is_responding
    assert not tracker.is_quiet
    track(tracker, {"type": f"output_audio_buffer.{end}", "response_id": "r1"})
    assert tracker.is_quiet
