"""Audio that was kept while another run still followed the call is placed by when it came."""

from __future__ import annotations

from datetime import timedelta

from shared.core.clock import utc_now
from shared.recordings.audio import Heard
from shared.recordings.call_recording import CallRecording, RecordedCall
from shared.storage.memory import MemoryLog


class Frame:
    size = 2

    def pcm(self) -> bytes:
        return b"\0\0"


def test_it_came_when_it_was_received() -> None:
    def state(*_: object) -> None:
        raise AssertionError("nothing is missing")

    call = RecordedCall("rtc_1", utc_now())
    recording = CallRecording(MemoryLog(), call, state, utc_now, now_ms=lambda: 1000.0)
    recording.add_caller(Frame(), timedelta(milliseconds=300))
    recording.add_model(Frame(), 40, timedelta(milliseconds=200))
    recording.add_caller(Frame())
    came = [each for each in recording.waiting.came if isinstance(each, Heard)]
    assert [(each.side, each.arrived, each.start_ms) for each in came] == [
        *(("caller", 700.0, None), ("model", 800.0, 40), ("caller", 1000.0, None)),
    ]
