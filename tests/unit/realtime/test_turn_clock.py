"""A turn of a Realtime call lasts from the caller's last word to the first sound of the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.realtime.server_event_parser import parse_server_event
from shared.realtime.turn_clock import AnsweredTurn, TurnClock

START = datetime(2026, 11, 26, 12, tzinfo=UTC)
SPEAKS = {"type": "input_audio_buffer.speech_started", "item_id": "item_1", "audio_start_ms": 0}
STOPS = {"type": "input_audio_buffer.speech_stopped", "item_id": "item_1", "audio_end_ms": 900}
COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "item_1"}
MESSAGE = {"id": "item_2", "type": "message", "role": "assistant", "status": "in_progress"}


def created(name: str, conversation: str | None = "conv_1") -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": name, "conversation_id": conversation}}


def done(name: str, status: str) -> dict[str, Any]:
    response = {"id": name, "conversation_id": "conv_1", "status": status}
    return {"type": "response.done", "response": response}


def begins(name: str, item: dict[str, Any] = MESSAGE) -> dict[str, Any]:
    return {"type": "response.output_item.added", "response_id": name, "item": item}


def sounds(name: str) -> dict[str, Any]:
    return {"type": "output_audio_buffer.started", "response_id": name}


def timed(*events: dict[str, Any] | int) -> list[AnsweredTurn]:
    """The turns that events show, which come one after the other; a number is a pause in ms."""
    clock, now, found = TurnClock(), START, []
    for event in events:
        if isinstance(event, int):
            now += timedelta(milliseconds=event)
        elif answered := clock.time_event(parse_server_event(event), now):
            found.append(answered)
    return found


def test_from_the_end_of_speech_to_the_first_sound() -> None:
    one = (SPEAKS, 900, STOPS, COMMITTED, 20, created("r1"), begins("r1"), 400, sounds("r1"))
    found = timed(*one, done("r1", "completed"), 3000, sounds("r1"))
    assert found == [AnsweredTurn("r1", "item_2", 420)]
    assert len(timed(*one, *one)) == 2, "the next turn has a clock of its own"


def test_what_is_committed_by_a_page_has_been_said_by_then() -> None:
    found = timed(SPEAKS, 900, COMMITTED, 50, created("r1"), 300, sounds("r1"))
    assert [each.latency_ms for each in found] == [350]


def test_a_tool_before_the_first_word_is_in_it() -> None:
    call = {"id": "item_3", "type": "function_call", "name": "f", "call_id": "c"}
    first = (STOPS, created("r1"), begins("r1", call), done("r1", "completed"))
    found = timed(*first, 1500, created("r2"), begins("r2"), 500, sounds("r2"))
    assert found == [AnsweredTurn("r2", "item_2", 2000)]


def test_an_answer_that_failed_and_was_asked_for_again_is_what_the_caller_waited_for() -> None:
    found = timed(STOPS, created("r1"), done("r1", "failed"), 1000, created("r2"), 9, sounds("r2"))
    assert [each.latency_ms for each in found] == [1009]


@pytest.mark.parametrize(
    "events",
    [
        (created("r1"), 100, sounds("r1")),
        (created("r1"), STOPS, 100, sounds("r1")),
        (STOPS, created("r1", None), 100, sounds("r1")),
        (STOPS, created("r1"), 100, SPEAKS, 50, sounds("r1")),
        (STOPS, created("r1"), done("r1", "cancelled"), created("r2"), 100, sounds("r2")),
    ],
    ids=["no speech", "one from before", "out of band", "speaks again", "cancelled"],
)
def test_what_answers_no_turn_is_not_timed(events: tuple[Any, ...]) -> None:
    assert timed(*events) == []


def test_a_lost_connection_ends_the_turn() -> None:
    clock = TurnClock()
    for event in (STOPS, created("r1")):
        clock.time_event(parse_server_event(event), START)
    clock.start_over()
    assert clock.time_event(parse_server_event(sounds("r1")), START) is None
