"""The parts of an observer that do no I/O: response tracker, session guard, backfill."""

from __future__ import annotations

from typing import Any

import pytest

from shared.observer.backfill import Backfill
from shared.observer.response_tracker import ResponseTracker
from shared.observer.session_guard import SessionGuard, satisfies
from shared.realtime.server_event_parser import parse_server_event

PROFILE = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "Be brief.",
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
    "audio": {
        "input": {"transcription": {"model": "whisper-1"}},
        "output": {"voice": "marin"},
    },
}
RUNNING: dict[str, Any] = {
    **PROFILE,
    "object": "realtime.session",
    "tool_choice": "auto",
    "max_output_tokens": 4096,
    "prompt": None,
    "tools": [
        {"type": "function", "name": "f", "description": None, "parameters": {"type": "object"}}
    ],
    "audio": {
        "input": {"transcription": {"model": "whisper-1", "language": None}},
        "output": {"voice": "alloy", "speed": 1.2},
    },
}


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


def requests_for(backfill: Backfill, event: dict[str, Any]) -> list[dict[str, Any]]:
    return backfill.requests_for(parse_server_event(event))


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


def test_what_the_server_fills_in_is_no_override() -> None:
    guard = SessionGuard(PROFILE)
    assert guard.overridden_fields(RUNNING) == []
    assert guard.restoring_update(RUNNING, "e") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instructions", "Be rude."),
        ("tools", []),
        ("tools", [*RUNNING["tools"], {"type": "function", "name": "g"}]),
        ("tool_choice", "none"),
        ("prompt", {"id": "p"}),
    ],
)
def test_an_override_is_put_back_and_nothing_else_is_touched(field: str, value: Any) -> None:
    update = SessionGuard(PROFILE).restoring_update({**RUNNING, field: value}, "e")
    assert update is not None
    expected = PROFILE.get(field, {"tool_choice": "auto"}.get(field))
    assert update["session"] == {"type": "realtime", field: expected}


def test_a_page_cannot_silence_the_record() -> None:
    mute = {**RUNNING, "audio": {"input": {"transcription": None}}}
    update = SessionGuard(PROFILE).restoring_update(mute, "e")
    assert update is not None
    assert update["session"]["audio"] == {"input": {"transcription": {"model": "whisper-1"}}}


def test_its_own_echo_is_not_answered_but_what_comes_after_is() -> None:
    guard, bad = SessionGuard(PROFILE), {**RUNNING, "instructions": "x"}
    assert guard.restoring_update(bad, "e1")
    assert guard.restoring_update(bad, "e2") is None, "older than ours"
    assert guard.restoring_update(bad, "e3")
    guard.update_refused("e3")
    assert guard.restoring_update(bad, "e4"), "ours was refused: nothing is awaited"


def test_it_gives_up_after_a_few() -> None:
    guard, bad = SessionGuard(PROFILE, max_restores=2), {**RUNNING, "instructions": "x"}
    sent = [guard.restoring_update(bad, f"e{number}") for number in range(10)]
    assert sum(each is not None for each in sent) == 2


def test_what_the_service_hides_of_an_mcp_tool_is_not_missed() -> None:
    wanted = {"type": "mcp", "server_label": "s", "authorization": "secret"}
    assert satisfies({"type": "mcp", "server_label": "s"}, wanted)
    assert not satisfies({"type": "mcp", "server_label": "t"}, wanted)


def asked(events: list[dict[str, Any]]) -> list[str]:
    return [e["item_id"] for e in events if e["type"] == "conversation.item.retrieve"]


def test_the_item_before_the_first_is_asked_for_once() -> None:
    backfill = Backfill()
    assert asked(requests_for(backfill, added("c", "b"))) == ["b"]
    assert asked(requests_for(backfill, added("d", "c"))) == []
    told = {"type": "conversation.item.retrieved", "item": {"id": "b"}}
    assert asked(requests_for(backfill, told)) == []
    assert backfill.head == "b"
    assert not backfill.pending


def test_an_item_that_is_gone_ends_the_walk() -> None:
    backfill = Backfill()
    (request,) = requests_for(backfill, added("c", "b"))
    requests_for(backfill, {"type": "error", "error": {"event_id": request["event_id"]}})
    assert not backfill.pending
    assert backfill.head == "c"


def test_items_whose_beginning_was_missed_are_found_by_what_names_them() -> None:
    backfill = Backfill()
    words = "conversation.item.input_audio_transcription.completed"
    assert asked(requests_for(backfill, {"type": words, "item_id": "u"})) == ["u"]
    end = {"type": "conversation.item.done", "previous_item_id": "u", "item": {"id": "a"}}
    assert asked(requests_for(backfill, end)) == [], "asked for already"
    assert asked(requests_for(backfill, added("b", "a"))) == []


def test_a_walk_is_bounded() -> None:
    backfill = Backfill(max_requests=3)
    (request,) = requests_for(backfill, added("i0", "i1"))
    names = [request["item_id"]]
    for number in range(1, 10):
        told = {"type": "conversation.item.retrieved", "item": {"id": f"i{number}"}}
        names += asked(requests_for(backfill, {**told, "previous_item_id": f"i{number + 1}"}))
    assert names == ["i1", "i2", "i3"]


def test_the_tail_is_probed_for_only_where_nothing_names_it() -> None:
    backfill = Backfill()
    requests_for(backfill, added("a"))
    assert backfill.probe_tail() == []
    backfill.start_over()
    (create,) = backfill.probe_tail()
    assert backfill.probe_tail() == []
    name = create["item"]["id"]
    assert len(name) <= 32, "the service takes no longer id"
    remove, *rest = requests_for(backfill, added(name, "x"))
    assert (remove["type"], remove["item_id"]) == ("conversation.item.delete", name)
    assert asked(rest) == ["x"]
