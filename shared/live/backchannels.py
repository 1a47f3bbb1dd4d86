"""Whether what the model says while the caller speaks is a backchannel. Pure; milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from shared.live.server_events import USER
from shared.live.turn import Turn, TurnRules


@dataclass(frozen=True, slots=True)
class Backchannel:
    """`waiting` is what the assistant has said while `current` has the word. `answered_until` is
    where its turn before that ended."""

    rules: TurnRules
    current: Turn
    waiting: Turn
    answered_until: int | None

    @property
    def is_short(self) -> bool:
        by_caller = self.current.speaker == USER
        return by_caller and self.waiting.duration < self.rules.backchannel_longest

    @property
    def caller_went_on(self) -> bool:
        """Whether the caller has spoken on beyond it: then it was one."""
        may_be = self.is_short and self.waiting.may_be_backchannel
        return may_be and self.current.end_ms > self.waiting.end_ms

    @property
    def follows_an_answer(self) -> bool:
        """Whether the assistant had the word a moment before, and only goes on."""
        if self.answered_until is None:
            return False
        since = self.waiting.start_ms - self.answered_until
        is_first = self.waiting.start_ms <= self.current.start_ms
        return since < self.rules.backchannel_isolation and is_first

    @property
    def is_undecided(self) -> bool:
        """Whether it is one if nothing of the assistant's follows it."""
        may_be = self.is_short and self.waiting.may_be_backchannel
        return may_be and not self.caller_went_on and not self.follows_an_answer

    @property
    def isolated_at(self) -> int:
        """The place up to which nothing may follow it."""
        return self.waiting.end_ms + self.rules.backchannel_isolation

    def is_backchannel(self, next_place: float) -> bool:
        """Whether `waiting` is one, now that nothing of the assistant's came before that place."""
        return self.caller_went_on or (self.is_undecided and next_place >= self.isolated_at)
