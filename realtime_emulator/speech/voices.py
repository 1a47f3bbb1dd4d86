"""Which voice of the synthesiser speaks for each voice of the API: timbre, pitch and pace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOWEST, FASTEST = 80, 450
"""Words a minute; outside this range the library's behaviour is undefined."""


@dataclass(frozen=True, slots=True)
class Timbre:
    """A voice of the library and its settings. Pitch and range are 0 to 99."""

    name: str
    pitch: int = 50
    range: int = 50
    words_per_minute: int = 175


DEFAULT: Final = Timbre("en-us+f2", 52, 60, 175)


TIMBRES: Final = {
    "alloy": Timbre("en-us+f4", 40, 45, 175),
    "ash": Timbre("en-us+m1", 38, 50, 172),
    "ballad": Timbre("en+m2", 55, 70, 165),
    "beacon": Timbre("en-us+m5", 45, 55, 172),
    "bossa": Timbre("en-us+f2", 60, 70, 168),
    "cedar": Timbre("en-us+m3", 32, 45, 168),
    "cinder": Timbre("en-us+f3", 42, 60, 162),
    "coral": Timbre("en-us+f3", 62, 65, 180),
    "delta": Timbre("en-us+f1", 55, 55, 164),
    "echo": Timbre("en-us+m4", 50, 40, 175),
    "gleam": Timbre("en-us+f4", 65, 65, 180),
    "marin": DEFAULT,
    "meridian": Timbre("en-us+m7", 42, 50, 170),
    "quartz": Timbre("en-gb-x-rp+f2", 58, 55, 176),
    "ripple": Timbre("en-gb-x-rp+m1", 44, 60, 176),
    "sage": Timbre("en+f5", 48, 50, 165),
    "shida": Timbre("en-us+f5", 58, 60, 174),
    "shimmer": Timbre("en-us+f1", 75, 70, 185),
    "stone": Timbre("en-gb-scotland+m3", 36, 50, 166),
    "tempo": Timbre("en-us+m2", 50, 70, 182),
    "verse": Timbre("en+m7", 45, 75, 180),
    "vesper": Timbre("en+m4", 40, 50, 165),
    "willow": Timbre("en-gb-scotland+f2", 54, 60, 168),
}
"""Realtime's ten, and those of GPT-Live, whose documented accents are met as nearly as the library
can. Any other name gets the default."""
