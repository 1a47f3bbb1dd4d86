"""A turn: what one speaker says until the other one has the word. Pure; times are milliseconds."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from shared.live.server_events import Speaker, TranscriptFragment

CloseReason = Literal[
    "speaker_change", "inactivity", "timestamp_reset", "too_long", "late", "closed"
]
LONGEST_TURN = 20_000
"""In characters: twenty minutes of speech without a word of the other one's."""


@dataclass(frozen=True, slots=True)
class TurnRules:
    """When a turn ends.

    An assistant's words that come after the caller has been silent for `separation` are a turn of
    their own; earlier ones wait to see whether the caller goes on. The assistant's turn ends after
    `silence`. Words shorter than `backchannel_longest` and with nothing around them for
    `backchannel_isolation` are a backchannel. Fragments of both speakers with the same place are
    put in order once `settle` has passed.

    An answer that the caller breaks into is taken up within `taken_up_within`, or was interrupted
    (`interruptions`). Words are on the timeline before they are heard: `words_ahead_at_least`, and
    `words_ahead` at most (measured).
    """

    separation: int = 500
    silence: int = 2000
    backchannel_longest: int = 1000
    backchannel_isolation: int = 2000
    settle: int = 50
    words_ahead: int = 600
    words_ahead_at_least: int = 200
    taken_up_within: int = 800


USUAL_RULES = TurnRules()
SENTENCE_ENDS = tuple(".!?\u2026\u3002\uff01\uff1f")
CLOSING_MARKS = "\"'\u201d\u2019\u00bb)]\uff09\u300d\u300f \t\n"


@dataclass(slots=True)
class Turn:
    """What one speaker says until the other one has the word. `pieces` are the fragments that the
    text consists of, as pairs: how many characters came before each, and where it begins."""

    speaker: Speaker
    text: str
    start_ms: int
    end_ms: int
    pieces: list[tuple[int, int]] = field(default_factory=list)
    may_be_backchannel: bool = True
    is_backchannel: bool = False
    interrupted: bool = False
    recorded: int = 0
    """How many of its characters are in the record."""
    key: str = ""
    """Of its first line there."""
    no_cut_until: int = 0
    """Up to which character no place is fit for the end of a piece (`turn_lines`)."""

    @classmethod
    def of(cls, fragment: TranscriptFragment) -> Turn:
        """The turn that begins with a fragment."""
        start, end = fragment.start_ms, fragment.end_ms
        return cls(fragment.speaker, fragment.text, start, end, [(0, start)])

    def append(self, fragment: TranscriptFragment, *, after_break: bool = False) -> None:
        """Adds a fragment. `after_break`: the other speaker has said something since, so that two
        words must not become one."""
        joined = self.text[-1:].isalnum() and fragment.text[:1].isalnum()
        self.text += " " if after_break and joined else ""
        self.pieces.append((len(self.text), fragment.start_ms))
        self.text += fragment.text
        self.end_ms = max(self.end_ms, fragment.end_ms)

    @property
    def duration(self) -> int:
        return self.end_ms - self.start_ms

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be added to it."""
        return len(self.text) >= LONGEST_TURN

    @property
    def is_unfinished(self) -> bool:
        """Whether it stops in the middle of a sentence."""
        return not self.text.rstrip(CLOSING_MARKS).endswith(SENTENCE_ENDS)

    def place_of(self, character: int) -> int:
        """Where the fragment with that character begins on the timeline."""
        index = bisect_right(self.pieces, character, key=lambda piece: piece[0])
        return self.pieces[max(0, index - 1)][1]


@dataclass(frozen=True, slots=True)
class ClosedTurn:
    """A turn that is over, and why."""

    turn: Turn
    reason: CloseReason
