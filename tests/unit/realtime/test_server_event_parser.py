"""Server events are parsed once; one that is not understood affects no other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent

from shared.observer.realtime.backfill import Backfill
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.realtime.event_mapper import EventMapper
from shared.realtime.server_event_parser import PARSERS, parse_server_event
from shared.realtime.server_events import ItemAdded, ResponseCreated, ResponseDone
from shared.sideband.events import ErrorEvent, NotUnderstood, OtherEvent
from shared.usage.tokens import Usage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ITEM = {
    "id": "item_1",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_text", "text": "a"}, {"type": "input_image"}, {"transcript": "b"}],
}
RESPONSE = {
    "id": "resp_1",
    "status": "cancelled",
    "status_details": {"type": "cancelled", "reason": "turn_detected"},
    "output": [ITEM, {"object": "without an id"}],
    "conversation_id": None,
    "usage": {"input_tokens": 3, "input_token_details": {"text_tokens": 3}},
    "metadata": None,
}


def test_every_type_that_is_parsed_is_one_of_the_apis() -> None:
    (union, *_) = get_args(RealtimeServerEvent)
    of_the_api = {get_args(each.model_fields["type"].annotation)[0] for each in get_args(union)}
    assert set(PARSERS) <= of_the_api


def test_what_an_item_says_and_what_stands_before_it() -> None:
    event = parse_server_event(
        {"type": "conversation.item.added", "previous_item_id": "item_0", "item": ITEM}
    )
    assert isinstance(event, ItemAdded)
    assert (event.item.id, event.item.role, event.previous_item_id) == ("item_1", "user", "item_0")
    assert event.item.text == "a\n[image]\nb"
    assert event.item.arguments is None


def test_the_usage_of_a_response_is_parsed_with_it() -> None:
    event = parse_server_event({"type": "response.done", "response": RESPONSE})
    assert isinstance(event, ResponseDone)
    assert event.usage == Usage(text_in=3)
    assert (event.reason, [item.id for item in event.output]) == ("turn_detected", ["item_1"])


@pytest.mark.parametrize(("fields", "inside"), [({}, True), ({"conversation_id": None}, False)])
def test_a_response_outside_the_conversation(fields: dict[str, Any], inside: bool) -> None:
    event = parse_server_event({"type": "response.created", "response": {"id": "r", **fields}})
    assert isinstance(event, ResponseCreated)
    assert event.in_conversation is inside


def test_an_error_names_the_client_event_that_caused_it_and_keeps_no_message() -> None:
    error = {"type": "t", "code": "c", "param": None, "event_id": "e1", "message": "secret words"}
    event = parse_server_event({"type": "error", "event_id": "e2", "error": error})
    assert isinstance(event, ErrorEvent)
    assert (event.event_id, event.code, event.caused_by) == ("e2", "c", "e1")
    assert "secret" not in str(event)


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "conversation.item.added"},
        {"type": "conversation.item.added", "item": {"type": "message"}},
        {"type": "conversation.item.added", "item": {**ITEM, "id": 7}},
        {"type": "conversation.item.added", "item": ITEM, "previous_item_id": ["item_0"]},
        {"type": "conversation.item.truncated", "item_id": "a", "audio_end_ms": {}},
        {"type": "response.output_text.delta", "item_id": "a", "delta": None},
        {"type": "response.done", "response": 1},
        {"type": "response.created", "response": {"id": None}},
        {"type": "session.updated", "session": []},
        {"type": "error", "error": "boom"},
    ],
)
def test_a_malformed_event_is_not_understood(
    raw: dict[str, Any],
) -> None:
    assert isinstance(parse_server_event(raw), NotUnderstood)


@pytest.mark.parametrize(
    "raw", [{}, {"type": None}, {"type": ["error"]}, {"type": "response.unheard_of"}]
)
def test_an_event_of_another_type_is_ignored(raw: dict[str, Any]) -> None:
    assert isinstance(parse_server_event(raw), OtherEvent)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS: dict[str, Any] = {
    "event_id": "event_1",
    "item": ITEM,
    "item_id": "item_1",
    "previous_item_id": "item_0",
    "response": RESPONSE,
    "response_id": "resp_1",
    "session": {"model": "gpt-realtime", "tools": []},
    "error": {"type": "t", "code": "c", "param": None, "event_id": "e1"},
    "delta": "a",
    "text": "a",
    "transcript": "a",
    "audio_end_ms": 10,
    "usage": {"type": "duration", "seconds": 1.5},
}
PLACES = [(name, "") for name in FIELDS] + [
    (name, inner) for name, value in FIELDS.items() if isinstance(value, dict) for inner in value
]


def broken(kind: str, changes: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """An event of that type with other values in some places."""
    raw = {"type": kind, **FIELDS}
    for (name, inner), value in changes.items():
        whole = raw[name]
        raw[name] = {**whole, inner: value} if inner and isinstance(whole, dict) else value
    return raw


@given(
    st.lists(
        st.builds(
            broken,
            st.sampled_from(sorted(PARSERS)),
            st.dictionaries(st.sampled_from(PLACES), JSON, max_size=3),
        ),
        max_size=10,
    )
)
def test_no_event_breaks_its_handlers(events: list[dict[str, Any]]) -> None:
    mapper, backfill, tracker = EventMapper(), Backfill(), ResponseTracker()
    for raw in events:
        event = parse_server_event(raw)
        mapper.map_event(event, NOW)
        backfill.requests_for(event)
        tracker.track_event(event)
