"""Whether the caller has interrupted an answer. Pure; times are milliseconds on the timeline.

Nothing on the wire says so: the model hears the caller and stops, and no more of its words come. An
answer counts as interrupted if the caller began while it could be heard, it stopped in the middle
of a sentence, and it was not taken up soon.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.live.server_events import ASSISTANT, TranscriptFragment
from shared.live.turn import ClosedTurn, Turn, TurnRules


class Interruptions:
    """Holds back an answer that the caller has broken into until it is known. `emit` gets it."""

    def __init__(self, rules: TurnRules, emit: Callable[[ClosedTurn], None]) -> None:
        self.rules = rules
        self.emit = emit
        self.answer: Turn | None = None

    def caller_begins(self, answer: Turn, place: int) -> None:
        """The caller begins to speak at this place, and the answer is over by that."""
        heard = place < answer.end_ms + self.rules.words_ahead
        if heard and answer.is_unfinished:
            self.answer = answer
        else:
            self.emit(ClosedTurn(answer, "speaker_change"))

    @property
    def deadline(self) -> float | None:
        """The place at which it is known; None while there is nothing to know."""
        return self.answer.end_ms + self.rules.taken_up_within if self.answer else None

    def judge(self, place: float, fragment: TranscriptFragment | None = None) -> None:
        """Takes note of what is said there, or of silence up to there."""
        deadline = self.deadline
        if deadline is not None and place >= deadline:
            self.decide(interrupted=True)
        elif deadline is not None and fragment and fragment.speaker == ASSISTANT:
            self.decide(interrupted=False)

    def decide(self, *, interrupted: bool) -> None:
        """Gives the answer, if there is one."""
        answer, self.answer = self.answer, None
        if answer:
            answer.interrupted = interrupted
            self.emit(ClosedTurn(answer, "speaker_change"))
