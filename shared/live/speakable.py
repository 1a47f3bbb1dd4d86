"""A text -> pieces that can be appended to a Live session one by one. Pure."""

from __future__ import annotations

import re

from shared.live.client_events import APPEND_BYTES, within

PIECES = 6
"""Of one answer: each is an utterance of its own, and six are a minute and a half of speech."""
LEFT_OUT = "There is more, which was left out."
ENDS = ".!?\u3002\uff01\uff1f\n"
"""Of sentences, those of Chinese and Japanese too."""
SENTENCE = re.compile(f"[^{ENDS}]*+(?:[{ENDS}]++[\"'\u201d\u2019\u00bb)\\]]*+|$)\\s*+")
WORDS = re.compile(r"\S+\s*|\s+")


def pieces_of(text: str, limit: int = APPEND_BYTES, most: int = PIECES) -> list[str]:
    """The text in pieces of at most `limit` bytes, split between sentences, or between words where
    a sentence is longer. What does not fit into `most` pieces is left out, and the last says so."""
    sentences = [part for found in SENTENCE.findall(text) for part in short_parts(found, limit)]
    pieces: list[str] = []
    for part in sentences:
        joined = f"{pieces[-1]}{part}" if pieces else part
        if pieces and size(joined.rstrip()) <= limit:
            pieces[-1] = joined
        else:
            pieces.append(part)
    kept = [piece.strip() for piece in pieces if piece.strip()]
    if len(kept) <= most:
        return kept
    last = within(kept[most - 1], limit - size(LEFT_OUT) - 1).rstrip()
    return [*kept[: most - 1], f"{last} {LEFT_OUT}"]


def short_parts(sentence: str, limit: int) -> list[str]:
    """The sentence, in parts of words where it is longer than that."""
    if size(sentence.rstrip()) <= limit:
        return [sentence]
    parts: list[str] = [""]
    for word in WORDS.findall(sentence):
        left = word
        while left:
            if size((parts[-1] + left).rstrip()) <= limit:
                parts[-1] += left
                left = ""
            elif parts[-1].strip():
                parts.append("")
            else:
                # A word that is too long by itself, or a language without spaces.
                head = within(left, limit)
                parts[-1] = head
                left = left[len(head) :]
    return parts


def size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
