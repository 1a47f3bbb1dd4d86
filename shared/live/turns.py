"""Fragments of what both speakers say -> turns that can be read. Pure; times are milliseconds.

The service marks no turns: fragments of a few characters come as they are recognised, those of both
speakers between each other, and both may speak at once. The rules and their numbers are those of
the official SDKs' transcript grouper (`TurnRules`), with three differences: a backchannel ("mm-hm",
while the caller goes on) is given too, as a turn marked as one, because a record leaves nothing
out that was said; a turn of the model's says whether it was interrupted; and words that come late
belong to the turn in which they were said.

There are two clocks: the session's timeline, which the fragments are placed on, and `now`, any
clock of the process, by which silence is noticed: no fragment tells of it.
"""

from __future__ import annotations

from shared.live.late_words import take_late
from shared.live.server_events import TranscriptFragment
from shared.live.turn import USUAL_RULES, ClosedTurn, CloseReason, Turn, TurnRules
from shared.live.turn_policy import TurnPolicy

LATE = 20_000
"""How far behind the latest words others may come. Recorded ones never do."""

MOST_SETTLING = 100
"""Fragments with one place. Both speakers together have two, or a few."""


class TurnGrouper:
    """Groups the fragments of one session. Each is to be given once (`FragmentFilter`)."""

    def __init__(self, rules: TurnRules = USUAL_RULES) -> None:
        self.rules = rules
        self.policy = TurnPolicy(rules)
        self.settling: list[TranscriptFragment] = []
        """Fragments with one place, of one speaker who does not have the word."""
        self.settling_since = self.settling_until = 0.0
        """When the first and the last of them came."""
        self.latest_start: int | None = None
        self.latest_end = 0
        self.heard_at = 0.0
        """When the latest fragment came."""

    def add(self, fragment: TranscriptFragment, now: float) -> list[ClosedTurn]:
        """Takes a fragment that came at `now`; gives the turns that are over."""
        if not fragment.text:
            return []
        if self.is_beside_settling(fragment):
            self.settling.append(fragment)
            self.settling_until = now
            if self.settling[0].speaker != fragment.speaker or len(self.settling) >= MOST_SETTLING:
                self.settle()
            return self.take_closed()
        self.settle()
        current = self.policy.current
        if current and current.speaker == fragment.speaker:
            self.place([fragment], now)
        else:
            self.settling = [fragment]
            self.settling_since = self.settling_until = now
        return self.take_closed()

    def advance(self, now: float) -> list[ClosedTurn]:
        """Notices the silence since the latest fragment; gives the turns that are over."""
        if self.settling and now - self.settling_since >= self.rules.settle:
            self.settle()
        place = self.timeline_at(now)
        self.policy.interruptions.judge(place)
        self.policy.pass_silence(place)
        return self.take_closed()

    def due_in(self, now: float) -> float | None:
        """In how many milliseconds `advance` has something to do; None if nothing is open that
        silence would close."""
        if self.settling:
            return max(0.0, self.settling_since + self.rules.settle - now)
        deadlines = (self.policy.deadline(), self.policy.interruptions.deadline)
        due = [each for each in deadlines if each is not None]
        return max(0.0, min(due) - self.timeline_at(now)) if due else None

    def close(self, now: float, reason: CloseReason = "closed") -> list[ClosedTurn]:
        """Ends everything that is open: the session is over, or this run is."""
        self.settle()
        self.policy.end_all(self.timeline_at(now), reason)
        return self.take_closed()

    def open_turns(self) -> list[Turn]:
        """What is being said and what waits, in their order."""
        return self.policy.open_turns()

    def is_beside_settling(self, fragment: TranscriptFragment) -> bool:
        place = (fragment.start_ms, fragment.end_ms)
        return any((each.start_ms, each.end_ms) == place for each in self.settling[:1])

    def settle(self) -> None:
        fragments, self.settling = self.settling, []
        if fragments:
            self.place(fragments, self.settling_until)

    def timeline_at(self, now: float) -> float:
        """Where the session is now, as far as its fragments tell."""
        if self.latest_start is None:
            return 0
        return self.latest_end + max(0.0, now - self.heard_at)

    def place(self, fragments: list[TranscriptFragment], came_at: float) -> None:
        start = fragments[0].start_ms
        behind = 0 if self.latest_start is None else self.latest_start - start
        if 0 < behind <= LATE:
            take_late(self.policy, fragments)
            return
        if behind > LATE:
            # Not another word of these turns: the timeline has begun again.
            self.policy.end_all(self.timeline_at(came_at), "timestamp_reset")
            self.latest_end = 0
        self.latest_start, self.heard_at = start, came_at
        self.latest_end = max(self.latest_end, *(each.end_ms for each in fragments))
        self.policy.take_fragments(fragments)

    def take_closed(self) -> list[ClosedTurn]:
        closed, self.policy.closed = self.policy.closed, []
        return closed
