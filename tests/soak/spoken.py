"""Calls in which something was said: their records against what was said. Pure.

A record is whole, or it says that it is not: by a gap, or by having no end. Nothing in it may be
doubled or invented, whole or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.transcripts.transcript import Transcript


@dataclass
class Conversation:
    """What one caller typed and what they were answered, by the items' ids."""

    number: int
    """Of the request that started it."""
    said: dict[str, str] = field(default_factory=dict)
    heard: dict[str, str] = field(default_factory=dict)
    spoken: int = 0
    """Turns said aloud; their words are the recogniser's."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`whole`: everything is there. Otherwise the record says so itself, or `wrong` has why not."""

    whole: bool
    wrong: tuple[str, ...]


def compare(talk: Conversation, record: Transcript, counted: int, tokens: int) -> Comparison:
    """Holds a call's transcript against what was said, what the model's endpoint counted, and what
    the call's record says was used (`tokens`)."""
    wrong = []
    items = [entry.item_id for entry in record.entries if entry.item_id]
    words = {entry.item_id: entry.text for entry in record.entries if entry.item_id}
    if len(items) != len(set(items)):
        wrong.append("an item is in the transcript twice")
    wrong += differing(talk.said, words, "what was typed")
    wrong += differing(talk.heard, words, "what was answered")
    used = record.usage.total
    if used > counted or tokens > counted:
        wrong.append("more tokens on record than the model's endpoint counted")
    missing = [name for name in (*talk.said, *talk.heard) if words.get(name) is None]
    whole = not missing and used == tokens == counted
    stated = bool(record.gaps) or record.ended is None
    if not whole and not stated:
        what = "words" if missing else f"tokens ({used} in lines, {tokens} in the record)"
        wrong.append(f"{what} are missing, and the transcript does not say so")
    return Comparison(whole and not stated, tuple(wrong))


def differing(told: Mapping[str, str], words: Mapping[str, str | None], what: str) -> list[str]:
    """Complains of words on record that are not those that were said."""
    found = [name for name in told if words.get(name) not in (None, told[name])]
    return [f"{what} is otherwise in the transcript"] * bool(found)
