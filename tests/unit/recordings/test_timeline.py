"""Both voices on one timeline: what ties them together where little is known."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import pytest

from shared.recordings.audio import Heard, Interruption
from shared.recordings.stereo_mix import StereoMix
from shared.recordings.timeline import MODEL_BEHIND_CALLER_MS, Timeline
from shared.recordings.wav import SAMPLE_BYTES, SAMPLES_PER_MS
from tests.support.live_call_audio import frame

EPOCH = 50_000.0
CALLER, MODEL = 312.0, 312.0 + MODEL_BEHIND_CALLER_MS


def caller(number: int, *, late: float = CALLER) -> Heard:
    return Heard("caller", EPOCH + 200 * number + late, frame(number))


def model(number: int, *, late: float = MODEL, stated: bool = True) -> Heard:
    start = 200 * number if stated else None
    return Heard("model", EPOCH + 200 * number + late, frame(number), start)


def ends(mix: StereoMix) -> tuple[float, float]:
    """Up to when each side has come, in milliseconds."""
    return mix.ends["caller"] / SAMPLES_PER_MS, mix.ends["model"] / SAMPLES_PER_MS


def test_the_caller_is_placed_by_the_models_times_and_not_by_the_calls_record() -> None:
    """The clock of whoever wrote the record was five seconds ahead."""
    timeline = Timeline(StereoMix(), EPOCH + 5000)
    came = [each for number in range(1, 31) for each in (caller(number), model(number))]
    timeline.place(came, EPOCH + 7000, final=True)
    assert ends(timeline.mix) == (6200, 6200)
    assert timeline.mix.pieces["caller"][0].at == 200 * SAMPLES_PER_MS


def test_without_the_models_audio_the_record_says_when_the_call_began() -> None:
    timeline = Timeline(StereoMix(), EPOCH)
    timeline.place([caller(number) for number in range(10)], EPOCH + 4000, final=False)
    assert ends(timeline.mix) == (0, 0), "some of the model's may come yet"
    timeline.place([caller(number) for number in range(10, 50)], EPOCH + 10_500, final=False)
    first = timeline.mix.pieces["caller"][0]
    assert first.at == CALLER * SAMPLES_PER_MS


def test_a_service_that_says_nothing_of_the_models_times_is_counted() -> None:
    timeline = Timeline(StereoMix(), EPOCH)
    came = [each for number in range(50) for each in (caller(number), model(number, stated=False))]
    timeline.place(came, EPOCH + 10_400, final=True)
    assert ends(timeline.mix) == (10_000 + CALLER, 10_000 + MODEL)


def test_a_first_frame_of_an_engine_that_warms_up_does_not_move_the_caller() -> None:
    """The model's audio is seconds late, and catches up."""
    timeline = Timeline(StereoMix(), EPOCH)
    late = [max(MODEL, 5000.0 - 300 * number) for number in range(1, 60)]
    models = [model(number, late=by) for number, by in enumerate(late, 1)]
    came = sorted(
        [*(caller(number) for number in range(60)), *models], key=lambda each: each.arrived
    )
    for second in range(1, 14):
        until = EPOCH + 1000 * second
        part = [each for each in came if until - 1000 < each.arrived <= until]
        timeline.place(part, until, final=second == 13)
    assert ends(timeline.mix) == (12_000, 12_000)
    assert timeline.mix.pieces["caller"][0].at == 0


def test_what_came_before_an_interruption_is_not_placed_by_what_comes_after_it() -> None:
    timeline = Timeline(StereoMix(), EPOCH)
    before = [each for number in range(1, 20) for each in (caller(number), model(number))]
    after = [each for number in range(40, 60) for each in (caller(number), model(number))]
    lost = Interruption("reconnected", EPOCH + 5000)
    timeline.place([*before, lost, *after], EPOCH + 13_000, final=True)
    places = [piece.at // SAMPLES_PER_MS for piece in timeline.mix.pieces["caller"]]
    assert places == [200 * number for number in (*range(1, 20), *range(40, 60))]
    assert {(hole.from_ms, hole.to_ms) for hole in timeline.mix.holes} == {(4000, 8000)}


@dataclass(frozen=True, slots=True)
class Long:
    """A frame of a minute."""

    size = 60_000 * SAMPLES_PER_MS * SAMPLE_BYTES

    def pcm(self) -> bytes:
        return bytes([1]) * self.size


@pytest.mark.parametrize(
    "odd",
    [
        Heard("caller", EPOCH + 10_000 + CALLER, Long()),
        Heard("model", EPOCH + 10_000 + MODEL, Long(), 10_000),
        Heard("model", EPOCH + 10_000 + MODEL, Long(), 65_000),
        Heard("model", EPOCH + 10_000 + MODEL, frame(50), 65_000),
    ],
    ids=["caller", "model", "model ahead", "model ahead and short"],
)
def test_an_odd_frame_costs_neither_voice_what_follows(odd: Heard) -> None:
    timeline = Timeline(StereoMix(), EPOCH)
    came = [each for number in range(1, 500) for each in (caller(number), model(number))]
    came = sorted([*came, odd], key=lambda each: each.arrived)
    written = b""
    for second in range(3, 103, 3):
        now = EPOCH + 1000 * second
        timeline.place(
            [each for each in came if now - 3000 < each.arrived <= now], now, final=False
        )
        until = timeline.writable(now, 8000 * SAMPLES_PER_MS)
        assert until <= second * 1000 * SAMPLES_PER_MS, "nothing is written ahead of now"
        written += timeline.mix.take_samples(until)
    samples = array("h", written)
    for channel in (0, 1):
        for number in (*range(2, 48), *range(58, 480)):
            middle = (200 * number + 100) * SAMPLES_PER_MS
            assert samples[2 * middle + channel] == number + 1
    cut = [hole for hole in timeline.mix.holes if hole.reason == "too long"]
    assert [hole.side for hole in cut] == ([odd.side] if isinstance(odd.source, Long) else [])
    assert [hole for hole in timeline.mix.holes if hole not in cut] == []
