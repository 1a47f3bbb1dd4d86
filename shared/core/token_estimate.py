"""How many tokens a text has, about, where no tokenizer is at hand. Pure.

Conservative: it errs on the side of more. English has four to five characters a token with today's
vocabularies, Chinese about one, other scripts two or more.
"""

from __future__ import annotations

import re

ASCII_CHARACTERS = 4
"""A token, of ASCII."""
OTHER_CHARACTERS = 2
"""A token, of any other script that has an alphabet."""
FIRST_IDEOGRAPH = "\u2e80"
PIECE = re.compile(r"\w+|[^\w\s]+")
"""No token of today's vocabularies reaches over the end of one."""


def estimated_tokens(text: str) -> int:
    """About how many tokens the text has; rather too many than too few."""
    plain = sum(character.isascii() for character in text)
    ideographs = sum(character >= FIRST_IDEOGRAPH for character in text)
    others = len(text) - plain - ideographs
    by_characters = plain / ASCII_CHARACTERS + others / OTHER_CHARACTERS + ideographs
    return max(round(by_characters), len(PIECE.findall(text)))
