"""Frames without times: where they are placed by when they come."""

from __future__ import annotations

import pytest

from shared.recordings.counting_clock import CountingClock

LAG = 10_312.0
"""Of a monotonic clock whose zero is anywhere."""


def place(clock: CountingClock, arrivals: list[float], lag: float = LAG) -> list[float]:
    """The places of frames of 200 ms, all of them old enough."""
    return clock.place_frames(arrivals, [200.0] * len(arrivals), lag, len(arrivals))


def on_time(first: int, count: int, late: float = 0.0) -> list[float]:
    """The arrivals of frames in a row, the first of which has that number."""
    return [LAG + 200 * (first + index) + late for index in range(count)]


def test_frames_follow_each_other_whatever_the_jitter() -> None:
    jitter = [0, 4, 2, 90, 3, 0, 120, 7]
    arrivals = [came + late for came, late in zip(on_time(0, 8), jitter, strict=True)]
    assert place(CountingClock(), arrivals) == [200.0 * index for index in range(8)]


def test_counting_goes_on_from_one_batch_to_the_next() -> None:
    clock = CountingClock()
    assert place(clock, on_time(0, 5))[-1] == 800
    assert place(clock, on_time(5, 5)) == [1000, 1200, 1400, 1600, 1800]


def test_a_first_frame_that_comes_late_is_placed_late() -> None:
    assert place(CountingClock(), on_time(25, 2)) == [5000, 5200]


def test_what_cannot_be_before_the_call_began_is_at_its_beginning() -> None:
    """The model's audio was seconds late, which made everything seem earlier."""
    clock = CountingClock()
    assert place(clock, on_time(0, 3), LAG + 5000) == [0, 200, 400]
    assert place(clock, on_time(3, 10), LAG) == [600.0 + 200 * index for index in range(10)]


def test_a_lost_frame_leaves_its_place_empty() -> None:
    assert place(CountingClock(), [*on_time(0, 4), *on_time(5, 3)]) == [
        *(0, 200, 400, 600),
        *(1000, 1200, 1400),
    ]


def test_frames_that_waited_are_not_taken_for_lost_ones() -> None:
    """The process stood still for three seconds, and then all came at once."""
    stalled = [LAG + 200 * 20] * 16
    assert place(CountingClock(), [*on_time(0, 4), *stalled, *on_time(20, 2)]) == [
        200.0 * index for index in range(22)
    ]


def test_frames_that_are_too_young_serve_to_judge_the_older_ones() -> None:
    clock = CountingClock()
    stalled = [LAG + 4000.0] * 6
    arrivals = [*on_time(0, 14), *stalled, LAG + 4000.0]
    places = clock.place_frames(arrivals, [200.0] * len(arrivals), LAG, 16)
    assert places == [200.0 * index for index in range(16)]


def test_a_reconnection_without_a_repetition_continues_where_the_time_is() -> None:
    clock = CountingClock()
    place(clock, on_time(0, 10))
    clock.start_connection()
    assert clock.lag is not None
    assert place(clock, on_time(25, 3), clock.lag) == [5000, 5200, 5400]


def test_a_reconnection_that_repeats_the_last_seconds_is_aligned() -> None:
    """Fifteen frames at once, of which the last is from now."""
    clock = CountingClock()
    place(clock, on_time(0, 10))
    clock.start_connection()
    burst = [LAG + 200 * 24] * 15
    assert clock.lag is not None
    places = place(clock, [*burst, *on_time(25, 3)], clock.lag)
    assert places == [200.0 * index for index in range(10, 28)]


@pytest.mark.parametrize("length", [20.0, 100.0, 260.0])
def test_frames_may_have_any_length(length: float) -> None:
    arrivals = [LAG + length * index for index in range(10)]
    places = CountingClock().place_frames(arrivals, [length] * 10, LAG, 10)
    assert places == pytest.approx([length * index for index in range(10)])


def test_audio_that_is_too_much_does_not_move_what_follows_it() -> None:
    clock = CountingClock()
    place(clock, on_time(0, 4))
    places = clock.place_frames(on_time(4, 6), [1000.0] + [200.0] * 5, LAG, 6)
    assert places == [200.0 * index for index in range(4, 10)]
    assert place(clock, on_time(10, 5)) == [200.0 * index for index in range(10, 15)]


@pytest.mark.parametrize("length", [20.0, 100.0, 200.0])
def test_frames_that_come_twice_lie_where_they_were_spoken(length: float) -> None:
    clock = CountingClock()
    clock.place_frames([LAG], [length], LAG, 1)
    arrivals = [LAG + length * index for index in range(1, 501) for _ in range(2)]
    for first in range(0, 1000, 50):
        lag = LAG if clock.lag is None else clock.lag
        batch = arrivals[first : first + 50]
        places = clock.place_frames(batch, [length] * 50, lag, 50)
        ahead = [at - (came - LAG) for at, came in zip(places, batch, strict=True)]
        assert max(map(abs, ahead)) < 350


def test_a_side_that_catches_up_with_the_other_one_is_not_moved() -> None:
    """Both were five seconds late at first, and their frames come twice as fast as they were."""
    clock, places = CountingClock(), []
    arrivals = [max(LAG + 200 * index, LAG + 5000 + 100 * index) for index in range(80)]
    for first in range(0, 80, 4):
        batch = arrivals[first : first + 4]
        lag = batch[-1] - 200 * (first + 3)
        places += clock.place_frames(batch, [200.0] * 4, clock.lag or lag + 300, 4, lag)
    assert places == [200.0 * index for index in range(80)]
