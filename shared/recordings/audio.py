"""What a recording is given: audio whose decoding is put off, and what becomes of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from shared.recordings.wav import SAMPLE_BYTES

Side = Literal["caller", "model"]
SIDES: tuple[Side, Side] = ("caller", "model")
"""In the order of the channels: left, right."""
StateLine = Callable[[str, str, Mapping[str, Any]], None]
"""Adds a line of that kind, with that key and those fields, to the call's record."""


class PcmSource(Protocol):
    """Audio of one side, 24 kHz mono s16le, that is decoded where that costs the event loop
    nothing."""

    @property
    def size(self) -> int:
        """How many bytes it takes, undecoded."""

    def pcm(self) -> bytes:
        """The samples. Raises ValueError if there are none."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Audio as it came, `arrived` milliseconds by this process's monotonic clock. `start_ms` is
    where the service says that it begins on the call's timeline; None: it does not say, as of the
    caller's."""

    side: Side
    arrived: float
    source: PcmSource
    start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """Between what came before and what comes after it, something may be missing: what comes after
    it came over another connection, or is not from the beginning. `at` is as in `Heard`."""

    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples of one side, and where the first of them lies: in samples since the call's start."""

    at: int
    pcm: bytes

    @property
    def end(self) -> int:
        return self.at + len(self.pcm) // SAMPLE_BYTES


@dataclass(frozen=True, slots=True)
class Hole:
    """A time, in milliseconds since the call's start, of which one side's audio is missing: the
    file is silent there."""

    side: Side
    from_ms: int
    to_ms: int
    reason: str


LONGEST_FRAME_MS = 1000
"""The service's have 200. Of a longer one the rest is not kept: it would be of another time."""
TOO_LONG = "too long"


def decode_samples(source: PcmSource) -> bytes:
    """The whole samples of a source; empty if it cannot be decoded."""
    try:
        samples = source.pcm()
    except ValueError:
        return b""
    return samples[: len(samples) // SAMPLE_BYTES * SAMPLE_BYTES]
