"""Everything that a soak has left, compared: requests, emulator, records, transcripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from shared.calls.call_record import CallRecord
from tests.soak.call_watch import CallWatch
from tests.soak.callers import SimulatedCallers
from tests.soak.environment import CALL_SECONDS, LIVE_CALLS, TOKEN_SECONDS
from tests.soak.health_probe import longest_health, slow_health
from tests.soak.hostile_requests import HostileRequests
from tests.soak.hostile_talkers import HostileConversation
from tests.soak.journal import WITH_KEY, Journal
from tests.soak.limits_check import (
    callers_over_limit,
    calls_let_go,
    counted_intervals,
    hung_up_by_others,
    keys_used_twice,
    most_at_once,
)
from tests.soak.reconciliation import (
    Claimed,
    Reconciliation,
    RecordedCall,
    UpstreamCall,
    overdue_calls,
    reconcile,
    unobserved_calls,
)
from tests.soak.stored import ComparedTranscripts, StoredState
from tests.soak.transcript_check import Conversation

LATE = 6.0
"""How many seconds after its limit a call must have ended: clocks differ, and this machine is
busy."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One run's traces; its methods block."""

    journal: Journal
    watch: CallWatch
    stored: StoredState
    callers: SimulatedCallers
    hostile: HostileRequests

    def compare(
        self, talks: Sequence[Conversation], hostile_talks: Sequence[HostileConversation]
    ) -> tuple[dict[str, Any], list[str]]:
        """What was found, and what does not agree."""
        records, upstream = self.stored.records(), self.watch.upstream_calls()
        recorded = [self.recorded_call(one) for one in records]
        claimed = Claimed(
            frozenset(self.hostile.made_up),
            {name: frozenset(outcomes) for name, outcomes in self.hostile.claimed.items()},
        )
        calls = reconcile(self.journal.requests, upstream, recorded, claimed)
        transcripts, hostile_transcripts = (
            self.stored.compare_transcripts(each, self.watch.calls, records)
            for each in (talks, hostile_talks)
        )
        sizes = self.stored.measure_transcripts()
        poison = self.stored.poison_messages()
        wrong = [
            *calls.inconsistencies,
            *self.broken_limits(upstream, recorded),
            *transcripts.wrong,
            *hostile_transcripts.wrong,
            *unobserved_calls(
                upstream,
                self.journal,
                (*transcripts.unobserved, *hostile_transcripts.unobserved),
            ),
            *sizes.complaints(),
            *slow_health(self.journal.requests),
            *([f"poison messages: {', '.join(poison)}"] if poison else []),
        ]
        found = {
            **self.figures(upstream, calls, {one.call_id for one in recorded}),
            "calls_on_record": len(records),
            "observed": sum(bool(one.observed) for one in records),
            "conversations": conversation_figures(talks, transcripts),
            "poison_messages": poison,
            "hostile": {
                **self.hostile_figures(upstream, calls, hostile_talks, hostile_transcripts),
                "largest_transcript_kib": sizes.largest / 1024,
                "most_gaps": sizes.gaps,
            },
        }
        return found, wrong

    def recorded_call(self, record: CallRecord) -> RecordedCall:
        if record.ended_at is None:
            return RecordedCall(record.id, record.call_id, record.ended_by)
        ended_at = record.ended_at.timestamp() - self.watch.epoch
        return RecordedCall(record.id, record.call_id, record.ended_by, ended_at)

    def broken_limits(
        self, upstream: Sequence[UpstreamCall], recorded: Sequence[RecordedCall]
    ) -> list[str]:
        """Complains of limits that did not hold, and of calls that were let go or hung up."""
        on_record = {one.call_id for one in recorded}
        numbers = {
            str(one.number): one.began
            for one in self.journal.requests
            if one.status == 201 and one.kind != WITH_KEY
        }
        answered = {one.id for one in upstream if one.session_id in numbers}
        asked = {
            number: numbers[number]
            for one in self.callers.started
            if one.location not in self.callers.hung_up and (number := str(one.number)) in numbers
        }
        intervals = counted_intervals(self.journal.requests, upstream, CALL_SECONDS, TOKEN_SECONDS)
        attacked = self.hostile.attacked.keys() & answered
        return [
            *overdue_calls(upstream, on_record, self.journal, CALL_SECONDS, LATE),
            *callers_over_limit(intervals, LIVE_CALLS),
            *keys_used_twice(self.journal.requests),
            *calls_let_go(upstream, recorded, answered),
            *hung_up_by_others(upstream, recorded, attacked, asked, CALL_SECONDS),
        ]

    def figures(
        self, upstream: Sequence[UpstreamCall], calls: Reconciliation, on_record: Set[str]
    ) -> dict[str, Any]:
        longest = max(
            (one.last_live - one.began for one in upstream if one.id in on_record), default=0.0
        )
        return {
            "calls_upstream": self.watch.started,
            "most_live": self.watch.most_live,
            "limit": CALL_SECONDS,
            "longest_call": longest,
            "calls_answered": calls.answered,
            "orphans_on_record": calls.orphans_on_record,
            "orphans_without_record": calls.orphans_without_record,
            "unusable_hung_up": calls.unusable_hung_up,
        }

    def hostile_figures(
        self,
        upstream: Sequence[UpstreamCall],
        calls: Reconciliation,
        talks: Sequence[HostileConversation],
        transcripts: ComparedTranscripts,
    ) -> dict[str, Any]:
        intervals = counted_intervals(self.journal.requests, upstream, CALL_SECONDS, TOKEN_SECONDS)
        attacks: Counter[str] = Counter()
        for talk in talks:
            attacks.update(talk.attacks)
        return {
            **conversation_figures(talks, transcripts),
            "attacks": dict(sorted(attacks.items())),
            "items_made": sum(len(talk.items) for talk in talks),
            "items_on_record": transcripts.forged,
            "with_key_on_record": calls.with_key_on_record,
            "with_key_unseen": calls.with_key_unseen,
            "made_up_on_record": calls.made_up_on_record,
            "others_attacked": len(self.hostile.attacked),
            "live_limit": LIVE_CALLS,
            "most_live_of_one_caller": max(map(most_at_once, intervals.values()), default=0),
            "longest_health_s": longest_health(self.journal.requests),
        }


def conversation_figures(
    talks: Sequence[Conversation], transcripts: ComparedTranscripts
) -> dict[str, Any]:
    return {
        "calls": len(talks),
        "turns": sum(len(talk.typed) + talk.spoken for talk in talks),
        "answers": sum(len(talk.answered) for talk in talks),
        "complete": transcripts.complete,
        "incomplete": transcripts.incomplete,
        "unobserved": len(transcripts.unobserved),
    }
