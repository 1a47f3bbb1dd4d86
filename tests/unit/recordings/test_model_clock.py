"""Frames with times: where they are placed, and which times are not believed."""

from __future__ import annotations

from shared.recordings.model_clock import AHEAD_AT_MOST, BEHIND_AT_MOST, REPEATED_FOR_MS, ModelClock

LAG = 10_473.0
LATEST = 3_600_000.0


def place(
    clock: ModelClock, start_ms: int, *, written: float = 0.0, late: float = 0.0
) -> float | None:
    return clock.place_frame(LAG + start_ms + late, start_ms, 200.0, written, LATEST)


def test_a_frame_lies_where_the_service_says() -> None:
    clock = ModelClock()
    assert [place(clock, at) for at in (200, 400, 1000)] == [200, 400, 1000]
    assert clock.lag == LAG


def test_a_time_that_the_call_has_not_reached_is_not_believed() -> None:
    clock = ModelClock()
    assert clock.place_frame(LAG, 9_000_000_000, 200.0, 0.0, LATEST) is None
    assert clock.place_frame(LAG, -200, 200.0, 0.0, LATEST) is None
    assert clock.lag is None


def test_a_repetition_stays_where_it_was() -> None:
    clock = ModelClock()
    place(clock, 10_000)
    clock.start_connection(LAG + 13_000)
    for start_ms in range(10_000, 13_000, 200):
        arrived = LAG + 13_000 + 10
        assert arrived < LAG + 13_000 + REPEATED_FOR_MS
        assert clock.place_frame(arrived, start_ms, 200.0, 13_000.0, LATEST) == start_ms
    assert clock.shift == 0


def test_after_the_services_clock_has_stood_still_arrival_decides() -> None:
    """A session was paused for a minute, in which the caller's audio was written."""
    clock = ModelClock()
    for start_ms in range(200, 10_200, 200):
        place(clock, start_ms)
    places = [
        place(clock, start_ms, written=60_000.0, late=60_000.0)
        for start_ms in range(10_200, 12_200, 200)
    ]
    assert places[: BEHIND_AT_MOST - 1] == [10_200, 10_400, 10_600, 10_800]
    assert places[BEHIND_AT_MOST - 1 :] == [71_000.0 + 200 * index for index in range(6)]
    assert clock.shift == 60_000


def test_a_frame_that_is_a_little_late_does_not_move_the_clock() -> None:
    clock = ModelClock()
    place(clock, 200)
    for _ in range(BEHIND_AT_MOST - 1):
        place(clock, 400, written=8000.0, late=9000.0)
    assert place(clock, 9000, written=8000.0) == 9000
    assert place(clock, 8600, written=9000.0, late=500.0) == 8600
    assert clock.shift == 0


def test_a_time_ahead_of_those_around_it_is_not_believed() -> None:
    clock = ModelClock()
    for start_ms in range(200, 10_200, 200):
        place(clock, start_ms)
    for odd in (65_000, 9_000_000_000):
        assert clock.place_frame(LAG + 10_200, odd, 200.0, 0.0, LATEST) == 10_200
    assert [place(clock, at) for at in (10_400, 10_600)] == [10_400, 10_600]
    assert clock.lag == LAG


def test_times_that_stay_ahead_are_believed() -> None:
    clock = ModelClock()
    place(clock, 200)
    places = [place(clock, 30_000 + 200 * index, late=-20_000.0) for index in range(6)]
    assert places[AHEAD_AT_MOST - 1 :] == [30_800, 31_000]
    assert clock.lag == LAG - 20_000
