"""What has been said in a Live call so far, for a function that work is delegated to. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from shared.live.server_events import ASSISTANT, USER, Speaker, TranscriptFragment
from shared.live.turn import Turn
from shared.tools.delegation import Said
from shared.transcripts.record_lines import StoredLine

FRAGMENTS = 4_000
"""Of the caller's: an hour of talk has about 5,000, and a task is made of the latest."""
WORD_CHARACTERS = 200_000
TURNS = 1_000
TURN_CHARACTERS = 4_000


class Spoken:
    """The turns of one call, and the caller's latest words by their place. `open_turns` gives what
    is being said."""

    def __init__(self, open_turns: Callable[[], list[Turn]]) -> None:
        self.open_turns = open_turns
        self.closed: deque[Said] = deque(maxlen=TURNS)
        self.words: deque[tuple[int, str]] = deque()
        """Of the caller's, those that no delegation has been given: where each fragment begins, and
        its text."""
        self.word_characters = 0
        self.given_until = -1
        """Up to where an earlier run has given them to delegations."""

    def resume(self, line: StoredLine) -> None:
        """Takes over a `turn` line of the record."""
        role, text = line.fields.get("role"), line.fields.get("text")
        start_ms = line.fields.get("start_ms")
        if not isinstance(text, str) or not isinstance(start_ms, int):
            return
        if role == USER:
            self.add_words(start_ms, text)
            self.note_said(USER, text)
        elif role == ASSISTANT:
            self.note_said(ASSISTANT, text)

    def note_given(self, until: int) -> None:
        """An earlier run has given the words up to that place to a delegation."""
        self.given_until = max(until, self.given_until)
        self.take_words(until)

    def add(self, fragment: TranscriptFragment, *, may_repeat: bool = False) -> None:
        """`may_repeat`: an earlier run may have had it, and have given it to a delegation."""
        was_given = may_repeat and fragment.start_ms <= self.given_until
        if fragment.speaker == USER and fragment.text and not was_given:
            self.add_words(fragment.start_ms, fragment.text)

    def add_words(self, start_ms: int, text: str) -> None:
        self.words.append((start_ms, text))
        self.word_characters += len(text)
        while len(self.words) > FRAGMENTS or self.word_characters > WORD_CHARACTERS:
            self.word_characters -= len(self.words.popleft()[1])

    def note_closed(self, turn: Turn, *, again: bool = False) -> None:
        """A turn is over; `again`: more of one that was over has come."""
        if turn.is_backchannel:
            return
        places = reversed(range(len(self.closed)))
        latest = next((at for at in places if self.closed[at].role == turn.speaker), None)
        if again and latest is not None:
            self.closed[latest] = Said(turn.speaker, turn.text.strip()[:TURN_CHARACTERS])
        else:
            self.note_said(turn.speaker, turn.text)

    def note_said(self, role: Speaker, text: str) -> None:
        said = text.strip()
        if said:
            self.closed.append(Said(role, said[:TURN_CHARACTERS]))

    def take_words(self, until: int) -> str:
        """The caller's words that begin up to that place and that have not been given before. Those
        that come later are not given by that, wherever they begin."""
        taken = "".join(text for start, text in self.words if start <= until)
        self.words = deque(each for each in self.words if each[0] > until)
        self.word_characters = sum(len(text) for _, text in self.words)
        return taken.strip()

    def said(self) -> tuple[Said, ...]:
        """All that has been said, in turns."""
        now = [
            Said(turn.speaker, turn.text.strip()[-TURN_CHARACTERS:]) for turn in self.open_turns()
        ]
        return (*self.closed, *(each for each in now if each.text))
