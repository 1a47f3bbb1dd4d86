"""Two voices on one timeline: what is where, and what is said to be missing."""

from __future__ import annotations

from array import array

from shared.recordings.audio import Hole, Piece, Side
from shared.recordings.stereo_mix import StereoMix

MS = 24


def tone(value: int, ms: int) -> bytes:
    return array("h", [value] * (ms * MS)).tobytes()


def add(mix: StereoMix, side: Side, at_ms: int, value: int, ms: int = 200) -> None:
    mix.add_piece(side, Piece(at_ms * MS, tone(value, ms)))


def channels(data: bytes) -> tuple[list[int], list[int]]:
    """One value for each 100 ms of the left and of the right channel."""
    samples = array("h", data)
    step = 100 * MS
    return list(samples[0::2][::step]), list(samples[1::2][::step])


def test_the_caller_is_on_the_left_and_the_model_on_the_right() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5)
    add(mix, "model", 0, 7)
    assert channels(mix.take_samples(200 * MS)) == ([5, 5], [7, 7])


def test_what_is_missing_is_silent() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 600)
    add(mix, "model", 200, 7)
    add(mix, "model", 500, 8, 100)
    assert channels(mix.take_samples(600 * MS)) == ([5] * 6, [0, 0, 7, 7, 0, 8])


def test_a_piece_may_be_taken_in_parts() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 400)
    add(mix, "model", 100, 7, 400)
    whole = b"".join(mix.take_samples(ms * MS) for ms in (150, 200, 350, 500))
    assert channels(whole) == ([5, 5, 5, 5, 0], [0, 7, 7, 7, 7])


def test_what_comes_again_changes_nothing_that_is_written() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 400)
    mix.take_samples(400 * MS)
    add(mix, "caller", 200, 9, 200)
    add(mix, "caller", 300, 6, 300)
    assert channels(mix.take_samples(600 * MS)) == ([6, 6], [0, 0])


def test_it_is_complete_up_to_where_both_have_come() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 1000)
    add(mix, "model", 200, 7, 400)
    assert mix.writable(8000 * MS) == 600 * MS


def test_a_silent_side_is_not_waited_for_for_ever() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 10_000)
    assert mix.writable(8000 * MS) == 2000 * MS
    assert mix.writable(0) == 10_000 * MS
    mix.take_samples(10_000 * MS)
    assert mix.writable(8000 * MS) == 10_000 * MS


def test_a_frame_that_was_left_out_is_no_hole() -> None:
    mix = StereoMix()
    add(mix, "model", 200, 7)
    add(mix, "model", 600, 7)
    add(mix, "caller", 0, 5, 800)
    mix.take_samples(800 * MS)
    mix.note_end()
    assert mix.holes == []


def test_a_second_without_a_side_is_a_hole_also_where_it_was_not_waited_for() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 12_000)
    mix.take_samples(4000 * MS)
    add(mix, "model", 9000, 7)
    assert mix.holes == [Hole("model", 0, 9000, "late")]
    add(mix, "model", 10_500, 7)
    assert mix.holes[1:] == [Hole("model", 9200, 10_500, "not received")]


def test_after_an_interruption_less_is_a_hole_and_it_says_why() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 1000)
    add(mix, "model", 0, 7, 1000)
    mix.interrupt("reconnected")
    add(mix, "caller", 1400, 5)
    add(mix, "model", 1000, 7)
    assert mix.holes == [Hole("caller", 1000, 1400, "reconnected")]


def test_a_run_that_takes_over_says_what_is_missing_since_the_end_of_the_file() -> None:
    mix = StereoMix(5000 * MS, "taken over")
    add(mix, "caller", 4800, 5)
    add(mix, "caller", 9000, 5)
    add(mix, "model", 5200, 7)
    assert mix.holes == [
        Hole("caller", 5000, 9000, "taken over"),
        Hole("model", 5000, 5200, "taken over"),
    ]


def test_what_is_missing_at_the_end_is_a_hole() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 5000)
    add(mix, "model", 0, 7, 2000)
    mix.take_samples(5000 * MS)
    mix.note_end()
    assert mix.holes == [Hole("model", 2000, 5000, "not received")]


def test_what_another_has_written_is_left_to_it() -> None:
    mix = StereoMix()
    add(mix, "caller", 0, 5, 1000)
    mix.skip_to(600 * MS)
    assert channels(mix.take_samples(1000 * MS)) == ([5, 5, 5, 5], [0, 0, 0, 0])


def test_frames_that_were_cut_are_stated_together() -> None:
    mix = StereoMix()
    for at_ms in (2000, 1000, 4000):
        mix.note_cut("caller", at_ms * MS, (at_ms + 1000) * MS)
    mix.note_cut("model", 0, 1000 * MS)
    assert mix.holes == [
        Hole("caller", 1000, 5000, "too long"),
        Hole("model", 0, 1000, "too long"),
    ]
