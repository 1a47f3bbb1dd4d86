"""Words of an answer are most of what comes. `EventDispatch` hands them to the recorder alone: this
says that nobody else would make anything of them."""

from __future__ import annotations

from datetime import timedelta

from shared.core.clock import utc_now
from shared.observer.realtime.approval_proofs import CallProofs
from shared.observer.realtime.backfill import Backfill
from shared.observer.realtime.mcp_calls import McpCalls
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.steering import SteeringMonitor
from shared.realtime.event_mapper import EventMapper
from shared.realtime.failures import FailureFinder
from shared.realtime.item_origins import MODEL, UNKNOWN
from shared.realtime.server_events import OutputTextDelta
from shared.realtime.turn_clock import TurnClock

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
