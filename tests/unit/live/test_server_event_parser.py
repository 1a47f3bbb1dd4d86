"""Events of the Live API: every recorded one is understood, and none that is odd costs more than
itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.core.untrusted import LONGEST_MILLISECONDS, bounded_id
from shared.live.server_event_parser import (
    HANDOFF_INCOMPLETE,
    PARSERS,
    UNKNOWN_DELEGATION,
    parse_server_event,
)
from shared.live.server_events import (
    BackendEvent,
    BackendResponseCreated,
    BackendResponseDone,
    ContextAppended,
    DelegationCreated,
    FunctionCallDone,
    LiveError,
    SessionClosed,
    SessionEvent,
    TranscriptFragment,
    UsageUpdated,
    event_id_of,
)
from shared.sideband.events import NotUnderstood, OtherEvent
from shared.usage.tokens import Usage
from tests.support.live_recordings import NAMES, server_events

LONE = "\ud83d"
FRAGMENT = {
    "type": "session.output_transcript.delta",
    "event_id": "event_1",
    "delta": " Ada.",
    "start_ms": 3200,
    "end_ms": 3400,
}


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_event_is_understood(name: str) -> None:
    for frame in server_events(name):
        event = parse_server_event(frame.data)
        assert event.type == frame.data["type"]
        assert not isinstance(event, NotUnderstood), frame.data
        if "audio" not in event.type:
            assert type(event) is not OtherEvent
        if "event_id" in frame.data:
            assert event_id_of(event) == bounded_id(frame.data["event_id"])


def test_a_recorded_delegated_round_is_read() -> None:
    events = [
        parse_server_event(frame.data)
        for frame in server_events("oai-ws-delegated-tool-round.jsonl")
    ]
    created = [event for event in events if isinstance(event, DelegationCreated)]
    assert [(each.target, each.offset_ms) for each in created] == [("responses", 3800)]
    calls = [event for event in events if isinstance(event, FunctionCallDone)]
    assert [(each.name, each.arguments) for each in calls] == [
        ("lookup_forecast", '{"city":"Amsterdam"}')
    ]
    assert calls[0].is_completed
    begun = [event for event in events if isinstance(event, BackendResponseCreated)]
    done = [event for event in events if isinstance(event, BackendResponseDone)]
    assert [each.response_id for each in begun] == [each.response_id for each in done]
    assert created[0].response_id == begun[0].response_id
    assert [(each.status, each.usage.text_in, each.usage.text_out) for each in done] == [
        ("completed", 805, 19),
        ("completed", 846, 19),
    ]
    assert {each.model for each in done} == {"gpt-5.6-sol"}


@pytest.mark.parametrize("kind", sorted(PARSERS))
@pytest.mark.parametrize(
    "wrong", [None, 7, "text", [], {"a": 1}, float("nan"), 2**70, LONE, "x" * 5_000_000]
)
def test_no_field_of_another_type_raises(kind: str, wrong: Any) -> None:
    fields = (
        *("event_id", "client_event_id", "delta", "start_ms", "end_ms", "session", "delegation"),
        *("offset_ms", "event", "usage", "reason", "error", "code", "context_window"),
    )
    for field in fields:
        event = parse_server_event({**FRAGMENT, "type": kind, field: wrong})
        assert event.type == kind
    for field in ("type", "response", "item", "id", "code", "message", "client_event_id"):
        inner = {"type": "response.output_item.done", field: wrong}
        event = parse_server_event({"type": kind, "event": inner, "error": inner, "session": inner})
        assert event.type == kind


def test_what_an_event_cannot_do_without_costs_it() -> None:
    for missing in ("delta", "start_ms", "end_ms"):
        content = {name: value for name, value in FRAGMENT.items() if name != missing}
        assert parse_server_event(content) == NotUnderstood(FRAGMENT["type"], "KeyError")  # type: ignore[arg-type]


def test_times_are_within_a_day_and_in_their_order() -> None:
    late = parse_server_event({**FRAGMENT, "start_ms": 1e300, "end_ms": -5})
    assert isinstance(late, TranscriptFragment)
    assert (late.start_ms, late.end_ms) == (LONGEST_MILLISECONDS, LONGEST_MILLISECONDS)
    never = parse_server_event({**FRAGMENT, "start_ms": float("nan")})
    assert isinstance(never, NotUnderstood)
    early = parse_server_event({**FRAGMENT, "start_ms": -1, "end_ms": 2**80})
    assert isinstance(early, TranscriptFragment)
    assert (early.start_ms, early.end_ms) == (0, LONGEST_MILLISECONDS)


def test_ids_and_words_are_bounded_and_can_be_written() -> None:
    long = "i" * 5_000_000
    event = parse_server_event({**FRAGMENT, "event_id": long, "delta": LONE + "x" * 100_000})
    assert isinstance(event, TranscriptFragment)
    assert len(str(event.event_id)) < 200
    assert len(event.text) == 32_000
    json.dumps(event.text, ensure_ascii=False).encode()


def test_an_end_is_understood_whatever_else_is_wrong_with_it() -> None:
    odd = parse_server_event({"type": "session.closed", "reason": 5, "usage": "none"})
    assert odd == SessionClosed("session.closed", None, "", {})
    usage = {"seconds": float("inf"), "active_seconds": 2**80, "paused_seconds": 3}
    bounded = parse_server_event({"type": "session.closed", "reason": "x" * 500, "usage": usage})
    assert isinstance(bounded, SessionClosed)
    assert bounded.usage == {"active_seconds": 2**53, "paused_seconds": 3}
    assert len(bounded.reason) == 128


def test_usage_is_a_snapshot_of_numbers() -> None:
    event = parse_server_event(
        {
            "type": "session.usage.updated",
            "event_id": "event_9",
            "usage": {"seconds": 14.0, "other": 5},
            "context_window": {"usage_ratio": 7},
        }
    )
    assert event == UsageUpdated("session.usage.updated", "event_9", {"seconds": 14.0})


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Responses handoff incomplete.", HANDOFF_INCOMPLETE),
        ("Unknown client delegation.", UNKNOWN_DELEGATION),
        ("The model \u201cgpt-none\u201d does not exist.", ""),
        (LONE * 10_000, ""),
        (None, ""),
    ],
)
def test_an_error_without_a_code_has_a_meaning_where_it_is_known(
    message: str | None, meaning: str
) -> None:
    error = {"type": "server_error", "code": None, "message": message, "param": None}
    event = parse_server_event({"type": "error", "event_id": "event_1", "error": error})
    assert isinstance(event, LiveError)
    assert (event.code, event.meaning) == (None, meaning)


def test_an_error_says_what_it_answers_in_either_place() -> None:
    inner = parse_server_event({"type": "error", "error": {"client_event_id": "obs_1"}})
    outer = parse_server_event({"type": "error", "client_event_id": "obs_2", "error": {}})
    assert isinstance(inner, LiveError)
    assert isinstance(outer, LiveError)
    assert (inner.caused_by, outer.caused_by) == ("obs_1", "obs_2")
    assert isinstance(parse_server_event({"type": "error", "error": "boom"}), NotUnderstood)


def test_a_call_whose_arguments_are_too_long_is_known_as_one() -> None:
    item = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "x",
        "status": "completed",
        "arguments": "a" * 100_000,
    }
    nested = {"type": "response.output_item.done", "item": item}
    event = parse_server_event({"type": "response.event", "event": nested})
    assert isinstance(event, FunctionCallDone)
    assert event.arguments is None
    assert event.is_completed


def test_failed_responses_tell_their_code_and_what_they_used() -> None:
    response = {
        "id": "resp_1",
        "error": {"code": "server_error"},
        "usage": {"input_tokens": 2**70, "output_tokens": -1},
    }
    nested = {"type": "response.failed", "response": response}
    event = parse_server_event({"type": "response.event", "event": nested})
    assert isinstance(event, BackendResponseDone)
    assert (event.status, event.reason, event.usage) == (
        "failed", "server_error", Usage(text_in=1_000_000_000),
    )  # fmt: skip
    cut = {"id": "resp_2", "incomplete_details": {"reason": "max_output_tokens"}}
    nested = {"type": "response.incomplete", "response": cut}
    event = parse_server_event({"type": "response.event", "event": nested})
    assert isinstance(event, BackendResponseDone)
    assert event.reason == "max_output_tokens"


def test_what_nobody_needs_is_another_event() -> None:
    assert parse_server_event({"type": "decision.event"}) == OtherEvent("decision.event")
    assert parse_server_event({"type": "session.rejoiced" + "x" * 500}).type.startswith(
        "session.rej"
    )
    assert parse_server_event({"type": 5}) == OtherEvent("")
    nested = {"type": "response.output_text.delta", "delta": "secret"}
    event = parse_server_event(
        {"type": "response.event", "delegation_id": "item_1", "event": nested}
    )
    assert type(event) is BackendEvent
    assert event.nested == "response.output_text.delta"


def test_what_an_append_was_is_in_its_type() -> None:
    event = parse_server_event(
        {"type": "session.thinking.appended", "start_ms": 5, "end_ms": 5, "client_event_id": "a"}
    )
    assert isinstance(event, ContextAppended)
    assert (event.what, event.client_event_id) == ("thinking", "a")


def test_a_session_is_there_as_it_is() -> None:
    event = parse_server_event({"type": "session.started", "session": {"model": "gpt-live-1"}})
    assert isinstance(event, SessionEvent)
    assert event.session == {"model": "gpt-live-1"}
