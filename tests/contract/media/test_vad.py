"""Turn detection on recorded speech (tests/fixtures/voice) and on silence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from realtime_emulator.media.vad import (
    SpeechStarted,
    SpeechStopped,
    TurnDetection,
    VoiceActivityDetector,
)
from tests.support.voice import hiss, recording

SECOND = 32_000
NEAR = timedelta(milliseconds=200)


def near(at: timedelta, seconds: float) -> bool:
    return abs(at - timedelta(seconds=seconds)) <= NEAR


def test_a_turn_starts_with_its_padding_and_stops_with_its_silence() -> None:
    vad = VoiceActivityDetector(TurnDetection())
    started, stopped = vad.add_audio(recording("hello.wav"))
    assert isinstance(started, SpeechStarted)
    assert isinstance(stopped, SpeechStopped)
    # A second of silence, 300 ms of padding before the speech; 1.7 s of it; 500 ms after it.
    assert near(started.at, 0.9)
    assert near(stopped.at, 3.4)
    assert len(stopped.pcm) == round((stopped.at - started.at).total_seconds() * SECOND)
    start = round(started.at.total_seconds() * SECOND)
    assert stopped.pcm == recording("hello.wav")[start : start + len(stopped.pcm)]


def test_two_sentences_are_two_turns() -> None:
    events = VoiceActivityDetector(TurnDetection()).add_audio(recording("story-then-stop.wav"))
    assert [type(event) for event in events] == [SpeechStarted, SpeechStopped] * 2
    for event, seconds in zip(events, (0.9, 3.6, 7.1, 9.1), strict=True):
        assert near(event.at, seconds)


@pytest.mark.parametrize("size", [1, 333, 640, 4096])
def test_it_does_not_matter_how_the_audio_is_cut(size: int) -> None:
    pcm = recording("weather.wav")
    whole = VoiceActivityDetector(TurnDetection()).add_audio(pcm)
    vad = VoiceActivityDetector(TurnDetection())
    cut = [e for at in range(0, len(pcm), size) for e in vad.add_audio(pcm[at : at + size])]
    assert cut == whole
    assert len(whole) == 2


def test_silence_duration_and_padding_move_the_turn() -> None:
    pcm = recording("hello.wav")
    short = VoiceActivityDetector(
        TurnDetection(
            prefix_padding=timedelta(milliseconds=100), silence_duration=timedelta(milliseconds=200)
        )
    ).add_audio(pcm)
    long = VoiceActivityDetector(
        TurnDetection(
            prefix_padding=timedelta(milliseconds=500), silence_duration=timedelta(milliseconds=900)
        )
    ).add_audio(pcm)
    assert short[0].at - long[0].at == timedelta(milliseconds=400)
    assert long[1].at - short[1].at == pytest.approx(
        timedelta(milliseconds=700), abs=timedelta(milliseconds=60)
    )


def test_padding_does_not_reach_before_the_beginning_or_the_last_turn() -> None:
    pcm = recording("hello.wav")[round(1.1 * SECOND) :]
    vad = VoiceActivityDetector(TurnDetection())
    first, stopped = vad.add_audio(pcm[: 5 * SECOND])
    second, _ = vad.add_audio(pcm[: 5 * SECOND])
    assert first.at == timedelta()
    assert second.at >= stopped.at


@pytest.mark.parametrize("pcm", [bytes(3 * SECOND), hiss(3)], ids=["zeros", "hiss"])
def test_silence_is_no_speech(pcm: bytes) -> None:
    vad = VoiceActivityDetector(TurnDetection())
    assert vad.add_audio(pcm) == []
    assert vad.position == timedelta(seconds=3)


def test_a_click_in_the_silence_does_not_hold_the_turn_open() -> None:
    pcm = bytearray(recording("hello.wav"))
    at = round(3.1 * SECOND) // 640 * 640
    loud = round(1.5 * SECOND) // 640 * 640
    pcm[at : at + 640] = pcm[loud : loud + 640]
    stopped = VoiceActivityDetector(TurnDetection()).add_audio(bytes(pcm))[1]
    assert near(stopped.at, 3.5)


def test_a_lower_threshold_is_the_more_sensitive() -> None:
    modes = [TurnDetection(threshold=t).mode for t in (0.0, 0.3, 0.5, 0.8, 1.0)]
    assert modes == sorted(modes)
    assert TurnDetection().mode == 2
    assert {modes[0], modes[-1]} == {0, 3}


def test_push_to_talk_keeps_everything_until_it_is_taken() -> None:
    vad = VoiceActivityDetector(None)
    pcm = recording("goodbye.wav")
    pcm = pcm[: len(pcm) // 640 * 640]
    assert vad.add_audio(pcm) == []
    assert vad.take_audio() == pcm
    assert vad.take_audio() == b""
    vad.add_audio(pcm)
    vad.clear_audio()
    assert vad.take_audio() == b""
    assert vad.position == 2 * timedelta(seconds=len(pcm) / SECOND)


def test_detection_can_be_turned_off_and_on_in_the_middle() -> None:
    pcm = recording("hello.wav")
    half = round(1.8 * SECOND)
    vad = VoiceActivityDetector(TurnDetection())
    assert [type(e) for e in vad.add_audio(pcm[:half])] == [SpeechStarted]
    vad.set_detection(None)
    assert vad.add_audio(pcm[half:]) == []
    assert len(vad.take_audio()) > 5 * SECOND
    vad.set_detection(TurnDetection())
    assert [type(e) for e in vad.add_audio(pcm)] == [SpeechStarted, SpeechStopped]


def test_new_settings_in_the_middle_of_a_turn_count_at_once() -> None:
    pcm = recording("hello.wav")
    half = round(1.8 * SECOND)
    vad = VoiceActivityDetector(TurnDetection())
    vad.add_audio(pcm[:half])
    vad.set_detection(TurnDetection(silence_duration=timedelta(seconds=2)))
    (stopped,) = vad.add_audio(pcm[half:])
    assert near(stopped.at, 4.9)


def test_an_idle_call_keeps_little() -> None:
    vad = VoiceActivityDetector(TurnDetection())
    vad.add_audio(hiss(2) * 30)
    assert len(vad.take_audio()) <= SECOND
