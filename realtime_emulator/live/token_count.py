"""How many tokens a text has, near enough for limits.

No tokenizer is at hand: words of ordinary length are one token each, as in the model's own, and
longer runs are cut. A text has never more tokens than bytes.
"""

from __future__ import annotations

import re

PIECES = re.compile(r" ?[^\W\d_]+| ?\d{1,3}|\s+| ?[^\w\s]+|_+")
WORD = 12
"""Characters of a word that is one token."""
PER_TOKEN = 4
IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def count_tokens(text: str) -> int:
    """The tokens of a text."""
    return sum(tokens_of(piece) for piece in PIECES.findall(text))


def tokens_of(piece: str) -> int:
    ideographs = len(IDEOGRAPHS.findall(piece))
    if ideographs:
        return ideographs
    return 1 if len(piece) <= WORD else -(-len(piece) // PER_TOKEN)
