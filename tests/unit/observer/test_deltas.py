"""Words of an answer are most of what comes. `EventDispatch` hands them to the recorder alone, once
something else comes: this says that nobody else would make anything of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from shared.core.clock import utc_now
from shared.observer.realtime.approval_proofs import CallProofs
from shared.observer.realtime.backfill import Backfill
from shared.observer.realtime.event_dispatch import WORDS_AT_ONCE, EventDispatch
from shared.observer.realtime.mcp_calls import McpCalls
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.steering import SteeringMonitor
from shared.realtime.event_mapper import EventMapper
from shared.realtime.failures import FailureFinder
from shared.realtime.item_origins import MODEL, UNKNOWN
from shared.realtime.server_events import OutputTextDelta
from shared.realtime.turn_clock import TurnClock
from shared.sideband.events import OtherEvent, ServerEvent

DELTA = OutputTextDelta("response.output_audio_transcript.delta", "item_1", "words")


def test_nobody_else_makes_anything_of_a_delta() -> None:
    tracker, proofs, backfill = ResponseTracker(), CallProofs(), Backfill()
    calls = McpCalls(tracker, lambda _, __: None, lambda: None)
    mapper, clock = EventMapper(), TurnClock()
    before = [vars(each).copy() for each in (tracker, proofs, backfill, calls, clock)]
    tracker.track_event(DELTA)
    calls.handle_event(DELTA)
    assert not proofs.note_event(DELTA, ())
    assert backfill.requests_for(DELTA) == []
    assert FailureFinder().find(DELTA) == []
    assert SteeringMonitor({"instructions": "x"}).find(DELTA, UNKNOWN, is_ours=False) is None
    assert clock.time_event(DELTA, utc_now()) is None
    assert mapper.lines_of_turn(DELTA, utc_now()) == []
    mapper.origins.observe_interruption(DELTA)
    after = [vars(each) for each in (tracker, proofs, backfill, calls, clock)]
    assert after == before


def test_a_delta_proves_who_speaks_and_is_kept_until_the_item_is_done() -> None:
    mapper, now = EventMapper(), utc_now()
    for _ in range(3):
        assert mapper.map_event(DELTA, now) == []
        now += timedelta(milliseconds=10)
    assert mapper.partial_text["item_1"] == "wordswordswords"
    assert mapper.origins.origin_of("item_1", seen_added=True) == MODEL


def test_words_are_recorded_together_before_whatever_comes_next() -> None:
    recorded: list[ServerEvent] = []
    recorder = SimpleNamespace(record_event=recorded.append, mapper=EventMapper())
    context: Any = SimpleNamespace(recorder=recorder)
    gaps: Any = SimpleNamespace(requests_for=lambda _: [])
    controller: Any = Mock()
    dispatch = EventDispatch(context, gaps, controller)
    other, last = replace(DELTA, item_id="item_2"), OtherEvent("output_audio_buffer.paused")
    for event in (DELTA, DELTA, other, last):
        dispatch.handle_event(event)
    assert recorded == [replace(DELTA, delta="wordswords"), other, last]
    recorded.clear()
    for _ in range(WORDS_AT_ONCE + 1):
        dispatch.handle_event(DELTA)
    assert recorded == [replace(DELTA, delta="words" * WORDS_AT_ONCE)]
    dispatch.record_words()
    assert recorded[1:] == [DELTA]
    assert controller.event_passed.call_count == WORDS_AT_ONCE + 4
