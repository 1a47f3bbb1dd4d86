"""Recorded voices: what is said in them, one utterance after the other."""

from __future__ import annotations

import array
import wave
from itertools import groupby
from pathlib import Path
from typing import Final

VOICE: Final = Path(__file__).resolve().parents[1] / "fixtures" / "voice"
RATE: Final = 16_000
BLOCK: Final = RATE // 10
LOUD: Final = 200
"""A block of samples with a louder one has a voice in it; the recordings' noise stays below 10."""

PAUSE_BLOCKS: Final = 10
"""A longer silence ends an utterance; one within a sentence is shorter."""


def utterances(name: str) -> list[bytes]:
    """What is said in `name` of the fixtures, 16 kHz mono s16le, without the silences between."""
    with wave.open(str(VOICE / name)) as file:
        assert file.getparams()[:3] == (1, 2, RATE)
        samples = array.array("h", file.readframes(file.getnframes()))
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
