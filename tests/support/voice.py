"""Recorded voices, whole and by utterance."""

from __future__ import annotations

import array
import random
import wave
from itertools import groupby
from pathlib import Path
from typing import Final

FIXTURES: Final = Path(__file__).resolve().parents[1] / "fixtures"
VOICE: Final = FIXTURES / "voice"
SPEECH: Final = FIXTURES / "speech"
"""One utterance in each file, without long silences around it."""

RATE: Final = 16_000
BLOCK: Final = RATE // 10
LOUD: Final = 200
"""A block with a louder sample is speech; the recordings' noise stays below 10."""

PAUSE_BLOCKS: Final = 10
"""A longer silence ends an utterance; one within a sentence is shorter."""


def read_wav(path: Path) -> tuple[bytes, int]:
    """The samples and the rate of a mono 16-bit WAV file."""
    with wave.open(str(path), "rb") as file:
        assert file.getnchannels() == 1
        assert file.getsampwidth() == 2
        return file.readframes(file.getnframes()), file.getframerate()


def recording(name: str) -> bytes:
    """All of `name` of the fixtures, 16 kHz mono s16le."""
    pcm, rate = read_wav(VOICE / name)
    assert rate == RATE
    return pcm


def hiss(seconds: float) -> bytes:
    """What a microphone records in a silent room, 16 kHz mono s16le."""
    noise = random.Random(7)
    return b"".join(
        noise.randint(-8, 8).to_bytes(2, "little", signed=True)
        for _ in range(round(seconds * RATE))
    )


def silence(path: Path) -> Path:
    """Writes a minute of silence to a WAV file, for a browser to take for a microphone."""
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(bytes(2 * RATE * 60))
    return path


def utterances(name: str) -> list[bytes]:
    """The utterances in `name` of the fixtures, 16 kHz mono s16le, without the silences between."""
    samples = array.array("h", recording(name))
    blocks = [samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK)]
    said: list[array.array[int]] = []
    pausing = True
    for loud, run in groupby(blocks, lambda block: max(map(abs, block)) > LOUD):
        part = sum(run, array.array("h"))
        if not loud and len(part) >= PAUSE_BLOCKS * BLOCK:
            pausing = True
        elif pausing:
            said.append(part)
            pausing = False
        else:
            said[-1] += part
    return [each.tobytes() for each in said]
