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
TURNS = 1_000
TURN_CHARACTERS = 4_000


class Spoken:
    """The turns of one call, and the caller's latest words by their place. `open_turns` gives what
    is being said."""

    def __init__(self, open_turns: Callable[[], list[Turn]]) -> None:
        self.open_turns = open_turns
        self.closed: deque[Said] = deque(maxlen=TURNS)
        self.words: deque[tuple[int, str]] = deque(maxlen=FRAGMENTS)
        """Of the caller's: where each fragment begins, and its text."""

    def resume(self, line: StoredLine) -> None:
        """Takes over a `turn` line of the record."""
        role, text = line.fields.get("role"), line.fields.get("text")
        start_ms = line.fields.get("start_ms")
        if not isinstance(text, str) or not isinstance(start_ms, int):
            return
        if role == USER:
            self.words.append((start_ms, text))
            self.note_said(USER, text)
        elif role == ASSISTANT:
            self.note_said(ASSISTANT, text)

    def add(self, fragment: TranscriptFragment) -> None:
        if fragment.speaker == USER and fragment.text:
            self.words.append((fragment.start_ms, fragment.text))

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

    def words_between(self, after: int | None, until: int) -> str:
        """The caller's words that begin after one place and not after the other. Without `after`
        all of them."""
        since = -1 if after is None else after
        return "".join(text for start, text in self.words if since < start <= until).strip()

    def said(self) -> tuple[Said, ...]:
        """All that has been said, in turns."""
        now = [
            Said(turn.speaker, turn.text.strip()[-TURN_CHARACTERS:]) for turn in self.open_turns()
        ]
        return (*self.closed, *(each for each in now if each.text))
