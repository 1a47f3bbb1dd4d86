"""Whether the caller has interrupted an answer. Pure; times are milliseconds on the timeline.

Nothing on the wire says so: the model hears the caller and stops, and no more of its words come. An
answer counts as interrupted if it could be heard when the caller began, stopped, and was not taken
up soon. Where it may have been over by then, it must have stopped in the middle of a sentence. So
it must where the caller said no more than "mm-hm".
"""

from __future__ import annotations

from collections.abc import Callable

from shared.live.acknowledgements import is_acknowledgement
from shared.live.server_events import ASSISTANT, TranscriptFragment
from shared.live.turn import ClosedTurn, Turn, TurnRules


class Interruptions:
    """Holds back an answer that the caller has broken into until it is known. `emit` gets it;
    `callers_words` gives what the caller is saying."""

    def __init__(
        self,
        rules: TurnRules,
        emit: Callable[[ClosedTurn], None],
        callers_words: Callable[[], str],
    ) -> None:
        self.rules = rules
        self.emit = emit
        self.callers_words = callers_words
        self.answer: Turn | None = None

    def caller_begins(self, answer: Turn, place: int) -> None:
        """The caller begins to speak at this place, and the answer is over by that."""
        if self.may_interrupt(answer, place):
            self.answer = answer
        else:
            self.emit(ClosedTurn(answer, "speaker_change"))

    def may_interrupt(self, answer: Turn, place: int) -> bool:
        """Whether a caller who begins at that place may have interrupted an answer."""
        if place <= answer.end_ms + self.rules.words_ahead_at_least:
            return True
        return place < answer.end_ms + self.rules.words_ahead and answer.is_unfinished

    def is_interruption(self, answer: Turn) -> bool:
        """Whether the caller has interrupted an answer that was not taken up."""
        return answer.is_unfinished or not is_acknowledgement(self.callers_words())

    @property
    def deadline(self) -> float | None:
        """The place at which it is known; None while there is nothing to know."""
        return self.answer.end_ms + self.rules.taken_up_within if self.answer else None

    def judge(self, place: float, fragment: TranscriptFragment | None = None) -> None:
        """Takes note of what is said there, or of silence up to there."""
        deadline = self.deadline
        if deadline is not None and place >= deadline:
            self.decide()
        elif deadline is not None and fragment and fragment.speaker == ASSISTANT:
            self.decide(taken_up=True)

    def decide(self, *, taken_up: bool = False) -> None:
        """Gives the answer, if there is one."""
        answer, self.answer = self.answer, None
        if answer:
            answer.interrupted = not taken_up and self.is_interruption(answer)
            self.emit(ClosedTurn(answer, "speaker_change"))
