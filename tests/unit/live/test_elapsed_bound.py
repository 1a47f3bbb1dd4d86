"""What a Live session tells of its time is held to the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.live.elapsed_bound import ElapsedBound
from shared.live.server_event_parser import parse_server_event
from shared.sideband.events import ServerEvent

START = datetime(2026, 11, 26, 12, tzinfo=UTC)
ELAPSED = timedelta(minutes=5)
NOW_MS = 300_000


def words(start: Any, end: Any) -> ServerEvent:
    told = {"delta": "Hello", "start_ms": start, "end_ms": end}
    return parse_server_event({"type": "session.input_transcript.delta", **told})


def delegation(offset: Any) -> ServerEvent:
    about = {"id": "item_1", "type": "delegation", "target": "client"}
    kind = "session.delegation.created"
    return parse_server_event({"type": kind, "offset_ms": offset, "delegation": about})


def bound(started_at: datetime | None = START) -> ElapsedBound:
    return ElapsedBound(started_at, START + timedelta(seconds=1))


def test_what_can_be_is_left_as_it_is() -> None:
    for event in (words(0, 200), words(NOW_MS, NOW_MS + 200), words(NOW_MS + 60_000, NOW_MS)):
        assert bound().apply(event, START + ELAPSED) is event
    assert bound().apply(asked := delegation(NOW_MS), START + ELAPSED) is asked


@pytest.mark.parametrize("odd", [7_000_000, 86_400_000, 1e308, NOW_MS + 121_000])
def test_words_that_the_session_cannot_have_come_to_are_kept_at_the_present(odd: Any) -> None:
    assert bound().apply(words(odd, odd), START + ELAPSED) == words(NOW_MS, NOW_MS)
    assert bound().apply(words(0, odd), START + ELAPSED) == words(0, NOW_MS)
    assert bound().apply(delegation(odd), START + ELAPSED) == delegation(NOW_MS + 120_000)


def test_a_call_that_begins_in_the_future_begins_now() -> None:
    ahead = bound(START + timedelta(hours=2))
    spoken = words(NOW_MS, NOW_MS + 200)
    assert ahead.apply(spoken, START + ELAPSED) is spoken
    assert ahead.apply(words(7_000_000, 7_000_000), START + ELAPSED) == words(299_000, 299_000)


def test_a_call_whose_beginning_nobody_knows_may_be_as_long_as_any() -> None:
    spoken = words(7_000_000, 7_000_200)
    assert bound(None).apply(spoken, START + ELAPSED) is spoken
    assert bound(None).apply(words(1e308, 1e308), START + ELAPSED) == words(299_000, 299_000)


@pytest.mark.parametrize("kind", ["session.usage.updated", "session.closed"])
def test_seconds_that_cannot_have_passed_are_left_out(kind: str) -> None:
    def told(**usage: Any) -> ServerEvent:
        return parse_server_event({"type": kind, "reason": "expired", "usage": usage})

    for event in (told(seconds=300.5, paused_seconds=20), told(seconds=419, active_seconds=419)):
        assert bound().apply(event, START + ELAPSED) is event
    odd = told(seconds=14, paused_seconds=86_400)
    assert bound().apply(odd, START + ELAPSED) == told(seconds=14)
    assert bound().apply(told(seconds=1e308), START + ELAPSED) == told()
