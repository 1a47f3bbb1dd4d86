"""Words with which a listener says no more than that it listens. Pure."""

from __future__ import annotations

import re

WORDS = (
    *("aha", "alright", "gotcha", "hm", "hmm", "mhm", "mm", "mm hmm", "okay", "ok", "right"),
    *("sure", "uh huh", "yeah", "yep", "yes"),
)
"""Those of the official SDKs' transcript grouper. They are English: in other languages a
backchannel is known only by the caller going on."""
AROUND = ".,!?;:\"'()[]{}"
SPACES = re.compile(r"[\s\ufeff]+")


def plain(text: str) -> str:
    """A text without capitals, hyphens, and punctuation around it."""
    text = SPACES.sub(" ", text.lower().replace("-", " "))
    return text.strip(f" {AROUND}")


def is_acknowledgement(text: str) -> bool:
    return plain(text) in WORDS


def may_become_acknowledgement(text: str) -> bool:
    """Whether a text, which may go on, is the beginning of one."""
    begun = plain(text)
    return bool(begun) and any(word.startswith(begun) for word in WORDS)
