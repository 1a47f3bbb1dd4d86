"""When a session is paused, and what wakes it; on recorded speech, without a clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from realtime_emulator.live.idling import IdleWatch
from tests.contract.live_media.session import Session
from tests.support.voice import hiss, utterances

FRAME = 640
FRAME_MS = 20


def listen(watch: IdleWatch, pcm: bytes, now_ms: int) -> bytes:
    """What the watch gives back of the audio when it wakes, or b""."""
    for offset in range(0, len(pcm) - FRAME + 1, FRAME):
        now_ms += FRAME_MS
        heard = watch.listen(pcm[offset : offset + FRAME], now_ms)
        if heard:
            return heard
    return b""


def test_a_session_without_a_timeout_is_never_due() -> None:
    watch = IdleWatch(None, 0.5, Session())
    assert not watch.is_due(10**9)
    assert watch.paused_ms(10**9) == 0


def test_paused_time_is_counted_over_all_pauses() -> None:
    session = Session()
    watch = IdleWatch(timedelta(seconds=10), 0.5, session)
    watch.note_activity(5_000)
    assert not watch.is_due(14_999)
    assert watch.is_due(15_000)
    watch.pause(15_000)
    assert not watch.is_due(60_000)
    assert watch.paused_ms(20_000) == 5_000
    watch.wake(25_000)
    watch.wake(26_000)
    assert watch.paused_ms(40_000) == 10_000
    watch.pause(40_000)
    assert watch.paused_ms(41_000) == 11_000
    assert session.states == ["paused", "resumed", "paused"]


def test_speech_wakes_and_is_heard_from_its_beginning() -> None:
    session = Session()
    watch = IdleWatch(timedelta(seconds=10), 0.5, session)
    watch.pause(0)
    (hello,) = utterances("hello.wav")
    heard = listen(watch, hiss(1) + hello, 0)
    assert heard
    assert session.states == ["paused", "resumed"]
    assert 500 <= watch.paused_ms(10_000) <= 1_600


@pytest.mark.parametrize("pcm", [bytes(32_000), hiss(2)], ids=["digital silence", "hiss"])
def test_silence_does_not_wake(pcm: bytes) -> None:
    watch = IdleWatch(timedelta(seconds=10), 0.5, Session())
    watch.pause(0)
    assert listen(watch, pcm, 0) == b""
    assert watch.is_paused
