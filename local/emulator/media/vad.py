"""Voice activity: where a caller's turn starts and stops.

Pure: no clock and no tasks. Time is counted in the audio heard, as the live service does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final

import webrtcvad

RATE: Final = 16_000
"""Samples per second of everything heard; mono, signed 16 bit, little endian."""

FRAME: Final = timedelta(milliseconds=20)
FRAME_BYTES: Final = RATE * 2 * 20 // 1000
WINDOW_FRAMES: Final = 10
ONSET_FRAMES: Final = 8
"""Speech starts when this many of the last `WINDOW_FRAMES` frames are voiced."""

NOISE_SHARE: Final = 0.1
"""Share of voiced frames that still counts as silence: one click must not hold a turn open."""

LONGEST: Final = timedelta(minutes=5)
"""What is kept of one turn; of a longer one the beginning is forgotten."""


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """The part of the session's `server_vad` settings that the ears need.

    Defaults are the documented ones of the Realtime API. `threshold` is 0 to 1.
    """

    threshold: float = 0.5
    prefix_padding: timedelta = timedelta(milliseconds=300)
    silence_duration: timedelta = timedelta(milliseconds=500)

    @property
    def mode(self) -> int:
        """The detector's aggressiveness, 0 to 3; the default threshold gives 2."""
        return min(3, max(0, int(self.threshold * 4)))


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """`at`: start of the speech less the prefix padding (`audio_start_ms`)."""

    at: timedelta


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """`at`: end of the speech with its silence (`audio_end_ms`); `pcm`: all since the start."""

    at: timedelta
    pcm: bytes


class VoiceActivityDetector:
    """Listens to one caller. `None` as `detection` is push-to-talk: no events, see `take`."""

    def __init__(self, detection: TurnDetection | None) -> None:
        self._heard = 0
        self._partial = bytearray()
        self._kept = bytearray()
        self._speaking = False
        self._recent: deque[bool] = deque(maxlen=WINDOW_FRAMES)
        self.detection = detection

    @property
    def detection(self) -> TurnDetection | None:
        """May be set at any time; a turn that is being heard ends without an event if `None`."""
        return self._detection

    @detection.setter
    def detection(self, detection: TurnDetection | None) -> None:
        self._detection = detection
        if detection is None:
            self._speaking = False
            self._recent.clear()
        else:
            self._vad = webrtcvad.Vad(detection.mode)

    @property
    def position(self) -> timedelta:
        """How much audio was heard in all."""
        return duration(self._heard)

    def hear(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]:
        """Takes any number of bytes of 16 kHz mono audio; gives what they made certain."""
        events: list[SpeechStarted | SpeechStopped] = []
        self._partial += pcm
        whole = len(self._partial) - len(self._partial) % FRAME_BYTES
        for offset in range(0, whole, FRAME_BYTES):
            frame = bytes(self._partial[offset : offset + FRAME_BYTES])
            self._heard += FRAME_BYTES
            self._keep(frame)
            if self._detection is not None:
                event = self._detect(frame, self._detection)
                if event is not None:
                    events.append(event)
        del self._partial[:whole]
        return events

    def take(self) -> bytes:
        """Gives what was heard since the last turn, `take` or `clear`, and forgets it."""
        taken = bytes(self._kept)
        self.clear()
        return taken

    def clear(self) -> None:
        """Forgets what was heard; `position` stays."""
        self._kept.clear()
        self._speaking = False
        self._recent.clear()

    def _keep(self, frame: bytes) -> None:
        self._kept += frame
        if self._detection is None or self._speaking:
            limit = size(LONGEST)
        else:
            limit = size(self._detection.prefix_padding) + WINDOW_FRAMES * FRAME_BYTES
        del self._kept[: max(0, len(self._kept) - limit)]

    def _detect(
        self, frame: bytes, detection: TurnDetection
    ) -> SpeechStarted | SpeechStopped | None:
        voiced: bool = self._vad.is_speech(frame, RATE)
        self._recent.append(voiced)
        if not self._speaking:
            return self._onset(detection) if sum(self._recent) >= ONSET_FRAMES else None
        needed = max(1, frames(detection.silence_duration))
        quiet = list(islice(reversed(self._recent), needed))
        if len(quiet) < needed:
            return None
        if sum(quiet) > NOISE_SHARE * len(quiet):
            return None
        stopped = SpeechStopped(self.position, bytes(self._kept))
        self.clear()
        self._recent = deque(maxlen=WINDOW_FRAMES)
        return stopped

    def _onset(self, detection: TurnDetection) -> SpeechStarted:
        speech = list(self._recent)
        since_voiced = (len(speech) - speech.index(True)) * FRAME_BYTES
        start = since_voiced + size(detection.prefix_padding)
        del self._kept[: max(0, len(self._kept) - start)]
        self._speaking = True
        self._recent = deque(maxlen=frames(LONGEST))
        return SpeechStarted(self.position - duration(len(self._kept)))


def duration(size: int) -> timedelta:
    """Length of `size` bytes of audio."""
    return timedelta(seconds=size / (RATE * 2))


def size(length: timedelta) -> int:
    """Bytes of audio in `length`, in whole frames."""
    return frames(length) * FRAME_BYTES


def frames(length: timedelta) -> int:
    """Whole frames in `length`, at least none."""
    return max(0, round(length / FRAME))
