"""A Live call's reflected audio, as a sideband gives it, at a clock that tests set: each frame's
samples say where on the call's timeline they belong."""

from __future__ import annotations

import io
import wave
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.recordings.call_recording import CallRecording, RecordedCall
from shared.storage.interfaces import Log

START = datetime(2026, 11, 26, 12, tzinfo=UTC)
FRAME_MS = 200
CALLER_LATE_MS, MODEL_LATE_MS = 312, 473
"""How much later than its place a frame comes at least, as in the recorded sideband of a call."""


async def ours() -> None:
    """The lease is held."""


@dataclass(frozen=True, slots=True)
class Pcm:
    """Samples that are decoded already. Implements `PcmSource`."""

    samples: bytes

    @property
    def size(self) -> int:
        return len(self.samples)

    def pcm(self) -> bytes:
        return self.samples


def frame(number: int) -> Pcm:
    """200 ms of samples that all say which frame of the call it is, from 1 on."""
    return Pcm(array("h", [number + 1] * (FRAME_MS * 24)).tobytes())


def numbers(first: int, last: int) -> list[int]:
    """What the frames of those numbers say, both included."""
    return [number + 1 for number in range(first, last + 1)]


@dataclass
class LiveCallAudio:
    """A call that goes on by `at` milliseconds. `monotonic` is the zero of this process's clock."""

    log: Log
    name: str = "live_1"
    at: float = 0.0
    monotonic: float = 5_000_000.0
    started_at: datetime | None = START
    lines: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def now_ms(self) -> float:
        return self.monotonic + self.at

    def clock(self) -> datetime:
        return START + timedelta(milliseconds=self.at)

    def recording(self) -> CallRecording:
        """A run that records the call from now on."""
        return CallRecording(
            self.log,
            RecordedCall(self.name, self.started_at),
            lambda kind, key, fields: self.lines.append((kind, key, dict(fields))),
            self.clock,
            None,
            self.now_ms,
        )

    def hear(
        self,
        recording: CallRecording | None,
        seconds: float,
        *,
        caller: Callable[[int], bool] = lambda _: True,
        model: Callable[[int], bool] = lambda _: True,
    ) -> None:
        """Goes on for so long, with the frames that `caller` and `model` do not leave out."""
        until = self.at + seconds * 1000
        comings = [
            (late + FRAME_MS * number, side, number)
            for late, side in ((CALLER_LATE_MS, "caller"), (MODEL_LATE_MS, "model"))
            for number in range(int(until) // FRAME_MS + 1)
        ]
        for comes, side, number in sorted(comings):
            if not self.at < comes <= until or recording is None:
                continue
            self.at = comes
            if side == "caller" and caller(number):
                recording.add_caller(frame(number))
            elif side == "model" and model(number) and number:
                recording.add_model(frame(number), FRAME_MS * number)
        self.at = until

    async def record(self, recording: CallRecording, seconds: float) -> None:
        """Hears so many seconds and writes them."""
        self.hear(recording, seconds)
        await recording.flush(ours)

    async def record_to_end(self, recording: CallRecording, seconds: float) -> None:
        """Hears the run's last seconds and closes its recording."""
        self.hear(recording, seconds)
        await recording.close(ours)

    def repeat(self, recording: CallRecording, seconds: float) -> None:
        """Sends the last seconds again at once, as at an attach."""
        first = max(0, int(self.at - CALLER_LATE_MS - seconds * 1000) // FRAME_MS)
        for number in range(first, int(self.at - CALLER_LATE_MS) // FRAME_MS + 1):
            recording.add_caller(frame(number))
            if FRAME_MS * number + MODEL_LATE_MS <= self.at:
                recording.add_model(frame(number), FRAME_MS * number)

    def played(self) -> tuple[list[int], list[int]]:
        """What each 200 ms of the file have on the left and on the right, as a player reads it."""
        samples = array("h", read_wav(self.log.read(f"{self.name}.wav")))
        step = 2 * FRAME_MS * 24
        middle = step // 2
        return list(samples[middle::step]), list(samples[middle + 1 :: step])

    def missing(self) -> list[tuple[str, int, int, str]]:
        """What the record says is missing."""
        return [
            (fields["side"], fields["from_ms"], fields["to_ms"], fields["reason"])
            for kind, _, fields in self.lines
            if kind == "unrecorded"
        ]


def read_wav(data: bytes) -> bytes:
    """The samples of a WAV file, read by Python's own reader."""
    with wave.open(io.BytesIO(data)) as file:
        shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        assert shape == (2, 2, 24_000)
        samples: bytes = file.readframes(len(data))
        return samples
