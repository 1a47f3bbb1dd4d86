"""Conversations: their transcripts compared with what was said. Pure.

A transcript is complete, or it declares that it is not: by a gap or a cut, or by having no end.
Nothing in it may be duplicated or invented, complete or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from shared.transcripts.transcript import Transcript

BEGINNING = 200
"""Characters. A text that is cut ends in a mark."""


@dataclass
class Conversation:
    """What one caller typed and what they were answered, by the items' ids."""

    number: int
    """Of the request that started it."""
    typed: dict[str, str] = field(default_factory=dict)
    answered: dict[str, str] = field(default_factory=dict)
    spoken: int = 0
    """Turns spoken aloud; their words are the recogniser's."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """`complete`: everything is there. Otherwise the transcript declares it, or `wrong` says what
    is missing without a word."""

    complete: bool
    wrong: tuple[str, ...]


def compare(talk: Conversation, transcript: Transcript, counted: int, recorded: int) -> Comparison:
    """Compares a call's transcript with what was said, and its tokens with those that the model's
    endpoint counted (`counted`) and those of the call's record (`recorded`)."""
    wrong = []
    items = [entry.item_id for entry in transcript.entries if entry.item_id]
    texts = {entry.item_id: entry.text for entry in transcript.entries if entry.item_id}
    # Of a long text only the beginning is kept, and the entry says so.
    cut = {entry.item_id for entry in transcript.entries if entry.cut}
    if len(items) != len(set(items)):
        wrong.append("an item is in the transcript twice")
    wrong += different_texts(talk.typed, texts, cut, "what was typed")
    wrong += different_texts(talk.answered, texts, cut, "what was answered")
    used = transcript.usage.total
    if used > counted or recorded > counted:
        wrong.append("more tokens on record than the model's endpoint counted")
    missing = [item for item in (*talk.typed, *talk.answered) if texts.get(item) is None]
    complete = not missing and used == recorded == counted
    declared = declares_missing(transcript)
    if not complete and not declared:
        what = "words" if missing else f"tokens ({used} in lines, {recorded} in the record)"
        wrong.append(f"{what} are missing, and the transcript does not declare it")
    return Comparison(complete and not declared, tuple(wrong))


def declares_missing(transcript: Transcript) -> bool:
    """Whether a transcript says that something is missing."""
    cut = any(entry.kind == "cut" for entry in transcript.entries)
    return bool(transcript.gaps) or cut or transcript.ended is None


def different_texts(
    expected: Mapping[str, str], texts: Mapping[str, str | None], cut: Set[str], what: str
) -> list[str]:
    """Complains of texts on record that are not those that were said."""
    return [
        f"{what} is different in the transcript ({len(text)} characters, "
        f"{len(recorded)} on record, {'cut' if item in cut else 'not cut'})"
        for item, text in expected.items()
        if (recorded := texts.get(item)) is not None
        and recorded != text
        and not (item in cut and text[:BEGINNING] == recorded[:BEGINNING])
    ]
