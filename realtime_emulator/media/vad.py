"""Voice activity detection: where a caller's turn starts and stops.

Pure: no clock and no tasks. Time is measured in audio received, as in the live service.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final

import webrtcvad

RATE: Final = 16_000
"""Samples per second of all inbound audio, which is mono s16le."""

FRAME: Final = timedelta(milliseconds=20)
FRAME_BYTES: Final = RATE * 2 * 20 // 1000
WINDOW_FRAMES: Final = 10
ONSET_FRAMES: Final = 8
"""Speech starts when this many of the last `WINDOW_FRAMES` frames are voiced."""

NOISE_SHARE: Final = 0.1
"""The share of voiced frames that still counts as silence: a click must not keep a turn open."""

LONGEST: Final = timedelta(minutes=5)
"""How much of one turn is kept; the beginning of a longer one is dropped."""


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """The part of a session's `server_vad` settings that detection needs.

    The defaults are the Realtime API's documented ones. `threshold` is 0 to 1.
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
    """`at`: the start of the speech minus the prefix padding (`audio_start_ms`)."""

    at: timedelta


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """`at`: the end of the speech and its silence (`audio_end_ms`); `pcm`: all since the start."""

    at: timedelta
    pcm: bytes


class VoiceActivityDetector:
    """Finds the turns of one caller.

    `detection` None is push-to-talk: no events, the audio is fetched with `take_audio`.
    """

    def __init__(self, detection: TurnDetection | None) -> None:
        self.received_bytes = 0
        self.partial_frame = bytearray()
        self.kept = bytearray()
        self.is_speaking = False
        self.recent: deque[bool] = deque(maxlen=WINDOW_FRAMES)
        self.set_detection(detection)

    def set_detection(self, detection: TurnDetection | None) -> None:
        """May be called at any time. Switching to None ends the current turn without an event."""
        self.detection = detection
        if detection is None:
            self.is_speaking = False
            self.recent.clear()
        else:
            self.classifier = webrtcvad.Vad(detection.mode)

    @property
    def position(self) -> timedelta:
        """How much audio has been received in all."""
        return duration_of(self.received_bytes)

    def add_audio(self, pcm: bytes) -> list[SpeechStarted | SpeechStopped]:
        """Takes 16 kHz mono audio in pieces of any size; returns the events they complete."""
        events: list[SpeechStarted | SpeechStopped] = []
        self.partial_frame += pcm
        whole = len(self.partial_frame) - len(self.partial_frame) % FRAME_BYTES
        for offset in range(0, whole, FRAME_BYTES):
            frame = bytes(self.partial_frame[offset : offset + FRAME_BYTES])
            self.received_bytes += FRAME_BYTES
            self.keep_frame(frame)
            if self.detection is not None:
                event = self.detect_turn(frame, self.detection)
                if event is not None:
                    events.append(event)
        del self.partial_frame[:whole]
        return events

    def take_audio(self) -> bytes:
        """Returns and forgets the audio since the last turn, `take_audio` or `clear_audio`."""
        taken = bytes(self.kept)
        self.clear_audio()
        return taken

    def clear_audio(self) -> None:
        """Forgets the audio received so far; `position` stays."""
        self.kept.clear()
        self.is_speaking = False
        self.recent.clear()

    def keep_frame(self, frame: bytes) -> None:
        self.kept += frame
        if self.detection is None or self.is_speaking:
            limit = size_of(LONGEST)
        else:
            limit = size_of(self.detection.prefix_padding) + WINDOW_FRAMES * FRAME_BYTES
        del self.kept[: max(0, len(self.kept) - limit)]

    def detect_turn(
        self, frame: bytes, detection: TurnDetection
    ) -> SpeechStarted | SpeechStopped | None:
        is_voiced: bool = self.classifier.is_speech(frame, RATE)
        self.recent.append(is_voiced)
        if not self.is_speaking:
            return self.start_speech(detection) if sum(self.recent) >= ONSET_FRAMES else None
        needed = max(1, frames_in(detection.silence_duration))
        quiet = list(islice(reversed(self.recent), needed))
        if len(quiet) < needed:
            return None
        if sum(quiet) > NOISE_SHARE * len(quiet):
            return None
        stopped = SpeechStopped(self.position, bytes(self.kept))
        self.clear_audio()
        self.recent = deque(maxlen=WINDOW_FRAMES)
        return stopped

    def start_speech(self, detection: TurnDetection) -> SpeechStarted:
        speech = list(self.recent)
        since_voiced = (len(speech) - speech.index(True)) * FRAME_BYTES
        start = since_voiced + size_of(detection.prefix_padding)
        del self.kept[: max(0, len(self.kept) - start)]
        self.is_speaking = True
        self.recent = deque(maxlen=frames_in(LONGEST))
        return SpeechStarted(self.position - duration_of(len(self.kept)))


def duration_of(size: int) -> timedelta:
    """The length of `size` bytes of audio."""
    return timedelta(seconds=size / (RATE * 2))


def size_of(length: timedelta) -> int:
    """The bytes of audio in `length`, in whole frames."""
    return frames_in(length) * FRAME_BYTES


def frames_in(length: timedelta) -> int:
    """The whole frames in `length`, at least 0."""
    return max(0, round(length / FRAME))
