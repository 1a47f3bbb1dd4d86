"""Who has the word, by the session's timeline. Pure; times are milliseconds.

The caller takes the word from the model at once. What the model says while the caller has the word
waits until the caller has been silent for a while, and is a backchannel if the caller goes on.
"""

from __future__ import annotations

from shared.live import late_words
from shared.live.acknowledgements import is_acknowledgement, may_become_acknowledgement
from shared.live.backchannels import Backchannel
from shared.live.interruptions import Interruptions
from shared.live.server_events import ASSISTANT, USER, Speaker, TranscriptFragment
from shared.live.turn import ClosedTurn, CloseReason, Turn, TurnRules


class TurnPolicy:
    """The turns of one session. What is over is in `closed`."""

    def __init__(self, rules: TurnRules) -> None:
        self.rules = rules
        self.closed: list[ClosedTurn] = []
        self.interruptions = Interruptions(rules, self.closed_turn, self.callers_words)
        self.current: Turn | None = None
        """The turn of the speaker who has the word."""
        self.waiting: Turn | None = None
        """What the assistant has said while the caller has the word."""
        self.answered_until: int | None = None
        """Where the last turn of the assistant's ended."""
        self.ended: dict[Speaker, Turn] = {}
        """The last turn of each that is over."""

    def callers_words(self) -> str:
        """What the caller is saying."""
        return self.current.text if self.current and self.current.speaker == USER else ""

    @property
    def backchannel(self) -> Backchannel | None:
        if self.current is None or self.waiting is None:
            return None
        return Backchannel(self.rules, self.current, self.waiting, self.answered_until)

    def deadline(self) -> float | None:
        """The place at which silence closes something."""
        current, rules = self.current, self.rules
        if current is None:
            return None
        if backchannel := self.backchannel:
            separated = current.end_ms + rules.separation
            decided = backchannel.isolated_at if backchannel.is_undecided else separated
            return max(separated, decided)
        return current.end_ms + rules.silence if current.speaker == ASSISTANT else None

    def take_fragments(self, fragments: list[TranscriptFragment]) -> None:
        """Takes fragments with one place: first those of the speaker who has the word."""
        start = fragments[0].start_ms
        first = self.current.speaker if self.current else USER
        while (deadline := self.deadline()) is not None and deadline < start:
            self.pass_silence(deadline)
        if self.current and all(each.speaker != self.current.speaker for each in fragments):
            by_user = any(each.speaker == USER for each in fragments)
            self.pass_silence(start, user_speaks=by_user)
        for fragment in sorted(fragments, key=lambda each: each.speaker != first):
            self.interruptions.judge(fragment.start_ms, fragment)
            self.take_fragment(fragment)

    def take_fragment(self, fragment: TranscriptFragment) -> None:
        current = self.current
        if current is None:
            self.current = Turn.of(fragment)
            late_words.mark_interrupted(self, fragment)
        elif fragment.speaker == current.speaker:
            if current.is_full:
                self.end_turn(current, "too_long")
                self.current = Turn.of(fragment)
            else:
                current.append(fragment, after_break=self.waiting is not None)
        elif current.speaker == ASSISTANT:
            self.answered_until = current.end_ms
            self.current = Turn.of(fragment)
            self.interruptions.caller_begins(current, fragment.start_ms)
        else:
            self.take_answer(current, fragment)

    def take_answer(self, current: Turn, fragment: TranscriptFragment) -> None:
        """Takes words of the assistant's while the caller has the word."""
        if (before := self.backchannel) and before.caller_went_on:
            self.drop_waiting()
        rules, waiting = self.rules, self.waiting
        begun = waiting.start_ms if waiting else fragment.start_ms
        text = (waiting.text if waiting else "") + fragment.text
        is_short = fragment.end_ms - begun < rules.backchannel_longest
        if fragment.start_ms - current.end_ms < rules.separation:
            self.wait_with(fragment, may_drop=is_short and may_become_acknowledgement(text))
        elif is_short and is_acknowledgement(text):
            self.wait_with(fragment, may_drop=waiting is not None)
        else:
            self.give_word(current, fragment)

    def open_turns(self) -> list[Turn]:
        """What is being said and what waits, in their order."""
        turns = (self.interruptions.answer, self.current, self.waiting)
        return [turn for turn in turns if turn]

    def wait_with(self, fragment: TranscriptFragment, *, may_drop: bool) -> None:
        if self.waiting and self.waiting.is_full:
            self.end_turn(self.waiting, "too_long")
            self.waiting = None
        if self.waiting:
            self.waiting.append(fragment)
        else:
            self.waiting = Turn.of(fragment)
        self.waiting.may_be_backchannel = may_drop

    def give_word(self, current: Turn, fragment: TranscriptFragment) -> None:
        """The assistant answers: the caller's turn is over."""
        if (before := self.backchannel) and before.is_backchannel(fragment.start_ms):
            self.drop_waiting()
        answer, self.waiting = self.waiting, None
        self.end_turn(current, "speaker_change")
        if answer:
            answer.append(fragment)
        self.current = answer or Turn.of(fragment)

    def pass_silence(self, place: float, *, user_speaks: bool = False) -> None:
        """Nobody who has the word has said anything up to this place."""
        current, rules = self.current, self.rules
        if current is None:
            return
        if (waiting := self.backchannel) and place >= current.end_ms + rules.separation:
            if waiting.is_undecided and place < waiting.isolated_at:
                return
            if waiting.is_backchannel(place):
                self.drop_waiting()
            else:
                answer, self.waiting = self.waiting, None
                self.end_turn(current, "speaker_change")
                self.current = answer
        elif (
            current.speaker == ASSISTANT
            and place >= current.end_ms + rules.silence
            and not user_speaks
        ):
            self.current = None
            self.end_turn(current, "inactivity")

    def drop_waiting(self) -> None:
        """The caller keeps the word: what waits was a backchannel."""
        waiting, self.waiting = self.waiting, None
        if waiting:
            waiting.is_backchannel = True
            self.closed.append(ClosedTurn(waiting, "speaker_change"))

    def end_all(self, place: float, reason: CloseReason) -> None:
        """Ends everything that is open."""
        if (before := self.backchannel) and before.is_backchannel(place):
            self.drop_waiting()
        self.interruptions.decide()
        current, answer = self.current, self.waiting
        self.current = self.waiting = None
        for turn in (current, answer):
            if turn:
                self.end_turn(turn, reason)
        if reason == "timestamp_reset":
            self.answered_until = None

    def end_turn(self, turn: Turn, reason: CloseReason) -> None:
        if turn.speaker == ASSISTANT:
            self.answered_until = turn.end_ms
        if reason != "late":
            # Turns are given in their order.
            self.interruptions.decide()
        self.closed_turn(ClosedTurn(turn, reason))

    def closed_turn(self, closed: ClosedTurn) -> None:
        self.ended[closed.turn.speaker] = closed.turn
        self.closed.append(closed)
