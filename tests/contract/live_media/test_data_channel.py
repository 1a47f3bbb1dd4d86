"""What a page may send and receive, and what it gets instead."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.live import ConnectServerEvent
from pydantic import TypeAdapter

from realtime_emulator.live.data_channel import NEVER_TAKEN, Permissions, restriction_notice

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(ConnectServerEvent)


def permissions(**lists: Any) -> Permissions:
    return Permissions(lists, "event_not_allowed")


@pytest.mark.parametrize(
    "lists",
    [
        {},
        {"allowed_client_events": "all"},
        {"allowed_client_events": None, "allowed_server_events": None},
        {"allowed_client_events": "all", "allowed_server_events": "all"},
    ],
)
def test_an_open_channel_passes_everything(lists: dict[str, Any]) -> None:
    open_channel = permissions(**lists)
    assert not open_channel.are_restricted
    assert open_channel.reaches_page({"type": "session.started"})
    assert open_channel.check_client_event('{"type": "session.update", "session": {}}') is None


@pytest.mark.parametrize("kind", ["session.input_audio.append", "session.output_audio.delta"])
def test_audio_never_reaches_the_page(kind: str) -> None:
    assert not permissions().reaches_page({"type": kind})
    listed = permissions(allowed_server_events=[{"type": kind}])
    assert not listed.reaches_page({"type": kind})


@pytest.mark.parametrize("kind", sorted(NEVER_TAKEN))
def test_some_events_are_refused_whatever_the_list_says(kind: str) -> None:
    for lists in ({}, {"allowed_client_events": [kind]}):
        refusal = permissions(**lists).check_client_event(json.dumps({"type": kind}))
        assert refusal is not None
        assert SERVER_EVENT.validate_python(refusal)
        assert refusal["error"]["code"] == "invalid_event"


def test_lists_hold_both_ways_and_for_nested_events() -> None:
    closed = permissions(
        allowed_client_events=["session.close"],
        allowed_server_events=[
            {"type": "session.closed"},
            {"type": "response.event", "response_event": "response.completed"},
        ],
    )
    assert closed.are_restricted
    assert closed.check_client_event('{"type": "session.close"}') is None
    refusal = closed.check_client_event('{"type": "session.update", "event_id": "mine"}')
    assert refusal is not None
    assert SERVER_EVENT.validate_python(refusal)
    assert refusal["error"]["code"] == "event_not_allowed"
    assert (refusal["client_event_id"], refusal["error"]["client_event_id"]) == ("mine", "mine")
    assert closed.reaches_page({"type": "session.closed"})
    assert not closed.reaches_page({"type": "session.started"})
    assert closed.reaches_page({"type": "response.event", "event": {"type": "response.completed"}})
    assert not closed.reaches_page({"type": "response.event", "event": {"type": "response.failed"}})


def test_an_empty_list_closes_the_channel() -> None:
    closed = permissions(allowed_client_events=[], allowed_server_events=[])
    assert closed.check_client_event('{"type": "session.close"}') is not None
    assert not closed.reaches_page({"type": "session.closed"})


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"type": 7}', "{}", "[" * 100_000])
def test_what_is_no_event_is_left_to_the_session(text: str) -> None:
    assert permissions(allowed_client_events=[]).check_client_event(text) is None


def test_the_notice_of_a_restricted_channel_is_of_the_official_type() -> None:
    notice = restriction_notice()
    assert SERVER_EVENT.validate_python(notice)
    assert (notice["type"], notice["code"]) == ("info", "data_channel_permissions")
