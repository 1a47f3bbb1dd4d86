"""From the 24 kHz of the API to the 16 kHz of voice detection and recognition.

libav's resampler keeps a thread for each core; a session would have them for this alone.
"""

from __future__ import annotations

import array
import sys
from typing import Final

GROUP: Final = 3
"""So many samples become two: the first, and one halfway between the others."""


class Decimator:
    """A stream at two thirds of its rate. Mono s16le, in pieces of any size."""

    def __init__(self) -> None:
        self.rest = array.array("h")
        self.odd_byte = b""

    def add(self, pcm: bytes) -> bytes:
        """The samples that are complete with this piece."""
        pcm = self.odd_byte + pcm
        whole = len(pcm) - len(pcm) % 2
        self.odd_byte = pcm[whole:]
        samples = self.rest
        samples.frombytes(swapped(pcm[:whole]))
        # One more than whole groups: the sample after the last one shapes its curve.
        count = max(0, (len(samples) - 1) // GROUP)
        first, second = samples[: GROUP * count : GROUP], samples[1 : GROUP * count : GROUP]
        third, fourth = (
            samples[2 : GROUP * count : GROUP],
            samples[GROUP : GROUP * count + 1 : GROUP],
        )
        out = array.array("h", bytes(4 * count))
        out[0::2] = first
        out[1::2] = array.array("h", map(halfway, first, second, third, fourth))
        self.rest = samples[GROUP * count :]
        return swapped(out.tobytes())


def halfway(first: int, second: int, third: int, fourth: int) -> int:
    """Between the second and the third sample of a cubic curve through all four."""
    value = (9 * (second + third) - first - fourth) >> 4
    return max(-32768, min(32767, value))


def swapped(pcm: bytes) -> bytes:
    """Little-endian samples as this machine has them, and back."""
    if sys.byteorder == "little":
        return pcm
    samples = array.array("h", pcm)
    samples.byteswap()
    return samples.tobytes()
