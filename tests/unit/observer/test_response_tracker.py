"""When the observer requests a response, and what it knows of those in progress."""

from __future__ import annotations

from typing import Any

import pytest

from shared.observer.realtime.response_tracker import REQUESTS_AT_MOST, ResponseTracker
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
    """Requests a response with that client event if one is due."""
    due = tracker.should_request_response
    if due:
        tracker.response_requested(event_id)
    return due


def test_a_response_is_requested_once_all_outputs_are_in_and_the_last_is_done() -> None:
    tracker = ResponseTracker()
    track(tracker, created("r1"))
    tracker.output_sent("o1")
    track(tracker, added("o1"))
    assert not requests_response(tracker, "e1"), "a response is in progress"
    track(tracker, done("r1"))
    assert requests_response(tracker, "e1")
    assert not requests_response(tracker, "e2"), "requested already"
    track(tracker, created("r2"))
    track(tracker, done("r2"))
    assert not requests_response(tracker, "e3"), "r2 has read it"


def test_no_response_is_requested_before_an_output_has_arrived() -> None:
    tracker = ResponseTracker()
    tracker.output_sent("o1")
    tracker.output_sent("o2")
    track(tracker, added("o1"))
    assert not requests_response(tracker, "e1")
    track(tracker, added("o2"))
    assert requests_response(tracker, "e1")


def test_a_refused_request_is_repeated_unless_another_response_read_the_output() -> None:
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


def refused(code: str, event_id: str | None = None) -> dict[str, Any]:
    return {"type": "error", "error": {"event_id": event_id, "code": code}}


@pytest.mark.parametrize(
    "error", [refused("invalid_tool_call_id"), refused("server_error", "create1"), None]
)
def test_an_output_that_was_refused_is_not_waited_for(error: dict[str, Any] | None) -> None:
    """Named, told by its code, or not at all: the next one is in, so it was refused."""
    tracker = ResponseTracker()
    tracker.output_sent("o1", "create1")
    if error is not None:
        track(tracker, error)
    tracker.output_sent("o2", "create2")
    assert not requests_response(tracker, "e1")
    track(tracker, added("o2"))
    assert requests_response(tracker, "e1")


def test_an_output_that_is_added_after_all_is_answered() -> None:
    """A page's own output is refused, by an error that does not say what it answers."""
    tracker = ResponseTracker()
    tracker.output_sent("o1", "create1")
    track(tracker, refused("invalid_tool_call_id"))
    assert not requests_response(tracker, "e1")
    track(tracker, added("o1"))
    assert requests_response(tracker, "e1")


def test_what_is_answered_by_nothing_is_given_up_and_asking_has_an_end() -> None:
    tracker = ResponseTracker()
    tracker.output_sent("o1")
    tracker.output_sent("o2")
    track(tracker, added("o1"))
    tracker.give_up("o2")
    asked = 0
    while requests_response(tracker, f"e{asked}"):
        tracker.give_up(f"e{asked}")
        asked += 1
    assert asked == REQUESTS_AT_MOST


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
