"""Where the caller's audio is on the timeline, when it is late and when it is missing."""

from __future__ import annotations

from realtime_emulator.live.media_interfaces import GRID_MS
from realtime_emulator.live.webrtc_media import MISSING_MS, InputTimeline

FRAME_MS = 20


def steady(timeline: InputTimeline, start: int, count: int) -> int:
    """The end of so many pieces that arrive in time."""
    end = 0
    for n in range(count):
        end = timeline.add(FRAME_MS, start + n * FRAME_MS)
    return end


def test_it_follows_the_audio() -> None:
    timeline = InputTimeline()
    assert timeline.add(FRAME_MS, 700) == 700
    assert timeline.add(FRAME_MS, 735) == 720
    assert timeline.add(FRAME_MS, 735) == 740


def test_audio_that_was_held_up_keeps_its_place() -> None:
    timeline = InputTimeline()
    end = steady(timeline, 1000, 50)
    ends = [timeline.add(FRAME_MS, 4000) for _ in range(100)]
    assert ends == [end + FRAME_MS * (n + 1) for n in range(100)]
    assert timeline.add(FRAME_MS, 4020) == ends[-1] + FRAME_MS


def test_audio_that_stays_late_is_moved_to_the_clock() -> None:
    timeline = InputTimeline()
    steady(timeline, 1000, 50)
    end = steady(timeline, 3000, 30)
    assert abs(end - (3000 + 29 * FRAME_MS)) <= FRAME_MS


def test_audio_that_is_early_is_moved_back() -> None:
    timeline = InputTimeline()
    ends = [timeline.add(FRAME_MS, 1000) for _ in range(60)]
    assert max(ends) - 1000 <= 400


def test_who_sends_nothing_is_silent_and_who_sends_is_not() -> None:
    timeline = InputTimeline()
    assert timeline.missing(500) == []
    assert timeline.missing(500 + MISSING_MS + 1) == [500 + GRID_MS]
    assert timeline.missing(500 + MISSING_MS + 2 * GRID_MS) == [500 + 2 * GRID_MS]
    timeline.add(FRAME_MS, 5000)
    assert timeline.missing(9000) == []
