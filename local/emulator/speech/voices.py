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
    "ballad": Timbre("en-gb+m2", 55, 70, 165),
    "cedar": Timbre("en-us+m3", 32, 45, 168),
    "coral": Timbre("en-us+f3", 62, 65, 180),
    "echo": Timbre("en-us+m4", 50, 40, 175),
    "marin": DEFAULT,
    "sage": Timbre("en-gb+f5", 48, 50, 165),
    "shimmer": Timbre("en-us+f1", 75, 70, 185),
    "verse": Timbre("en-gb+m7", 45, 75, 180),
}
