"""A call that continues another: the same conversation in a new call, after a drop or before a cap.

A handle stands for the conversation of its call, so whoever has an older one continues the latest
call: each is continued once, and what a conversation becomes is one chain of calls. The new call
takes over the line of those before it, begins with what was said in them, as the record has it, and
they are ended soon after.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.calls.call_record import CONTINUED, ENDED_BY_ITSELF, CallRecord
from shared.calls.queue_messages import call_message
from shared.calls.records import Records
from shared.config.profiles import Profile
from shared.config.settings import SHORTEST_CALL
from shared.core import logs
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.limits.booked_call import HANDOVER
from shared.limits.times import to_timedelta
from shared.storage.interfaces import Log, Queue, StorageUnavailable
from shared.storage.refusal import RETRY_AFTER
from shared.transcripts.history import History, Message, has_room, history_from, messages_in
from shared.transcripts.record_lines import decode_lines
from shared.transcripts.writer import log_name

LATER_CALLS, EARLIER_CALLS = 8, 8
"""How many calls are looked at, after the one that a handle is for and before the latest one."""
MOST_READ = 512 * 1024
"""Bytes of one record: an hour of talk is about 100 KB."""
MAY_GO_ON = (*ENDED_BY_ITSELF, CONTINUED, "expired", "connection_lost", "refused")
"""What may have ended a call that is continued; a refused one has never reached its page. Whatever
else ends one, ends its conversation."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a call continues: `calls` are those of the conversation, the latest first, and `left` is
    the time that it has left."""

    calls: tuple[CallRecord, ...]
    left: timedelta

    @property
    def last(self) -> CallRecord:
        """The call that is continued."""
        return self.calls[0]

    @property
    def unsettled(self) -> tuple[str, ...]:
        """The references of the calls that still count."""
        return tuple(each.reference for each in self.calls if not each.settled_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuations:
    """Finds conversations, and hands them over. `transcripts` is None where none are kept."""

    records: Records
    transcripts: Log | None
    end_queue: Queue
    clock: Clock

    def find(self, name: str, profile: Profile) -> Conversation:
        """The conversation of the call with that record. Raises Problem conversation_over,
        invalid_query for another profile's, call_not_found, storage_unavailable."""
        with storage_problems():
            last = self.latest(self.records.get(name))
            if last.profile != profile.name:
                raise Problem("invalid_query", "continues: expected a call of the same profile.")
            left = last.conversation_end - self.clock()
            if may_not_go_on(last) or left < SHORTEST_CALL:
                raise Problem("conversation_over")
            return Conversation(tuple(self.before(last)), left)

    def latest(self, record: CallRecord) -> CallRecord:
        """The latest call of a call's conversation. Raises Problem already_continued where that is
        too far off."""
        for _ in range(LATER_CALLS):
            if not record.continued_by:
                return record
            record = self.records.get(record.continued_by)
        raise Problem("already_continued")

    def before(self, record: CallRecord) -> Iterator[CallRecord]:
        """The call and those that it continues, the latest first."""
        yield record
        for _ in range(EARLIER_CALLS):
            if not record.continues:
                return
            try:
                record = self.records.get(record.continues)
            except Problem:
                # Past retention.
                return
            yield record

    def history(self, conversation: Conversation, name: str) -> History:
        """What the next call begins with, whose booking has that name: the latest of what was said.
        Raises Problem storage_unavailable."""
        said: list[Message] = []
        for record in conversation.calls:
            with storage_problems():
                said = self.said_in(record) + said
            if not has_room(said):
                break
        return history_from(said, name)

    def said_in(self, record: CallRecord) -> list[Message]:
        """What was said in one call, or towards its end: nothing where it is not kept."""
        if self.transcripts is None or not record.call_id:
            return []
        # Imported only now: no other call needs it.
        from shared.transcripts.transcript import build_transcript

        name = log_name(record.call_id)
        start = max(0, self.transcripts.length(name) - MOST_READ)
        lines = decode_lines(self.transcripts.read(name, start=start))
        return messages_in(build_transcript(lines).entries)

    def hand_over(self, conversation: Conversation, successor: CallRecord) -> None:
        """The call is continued by `successor`, which is on record: it ends soon. Raises Problem
        already_continued if another call was faster, and what writing a record raises."""
        now = self.clock()

        def continued(record: CallRecord) -> CallRecord:
            if record.continued_by and record.continued_by != successor.id:
                raise Problem("already_continued")
            # Somebody may have ended it while the next call began.
            if may_not_go_on(record) or record.conversation_end <= now:
                raise Problem("conversation_over")
            return replace(
                record,
                continued_by=successor.id,
                ends_at=min(record.ends_at, now + to_timedelta(HANDOVER)),
                conversation_ends_at=record.conversation_end,
            )

        with storage_problems():
            last = self.records.update(conversation.last.id, continued)
            if not last.settled_by:
                self.end_queue.send(call_message(last.id), delay=to_timedelta(HANDOVER))
            for earlier in conversation.calls[1:]:
                self.end_now(earlier)
        logs.event("call continued", call=last.id, by=successor.id)

    def end_now(self, record: CallRecord) -> None:
        """Ends an earlier call that still runs: otherwise whoever continues one call after the
        other would hold several with one line."""
        if record.settled_by:
            return
        with contextlib.suppress(Problem):
            self.records.bring_forward(record.id, self.clock())
        self.end_queue.send(call_message(record.id))


def may_not_go_on(record: CallRecord) -> bool:
    """Whether what has ended a call has ended its conversation."""
    return record.ended_at is not None and record.ended_by not in MAY_GO_ON


@contextmanager
def storage_problems() -> Iterator[None]:
    """Makes an outage of storage a Problem."""
    try:
        yield
    except StorageUnavailable:
        raise Problem("storage_unavailable", retry_after=RETRY_AFTER) from None


def in_conversation(
    record: CallRecord, before: Conversation | None, longest: timedelta
) -> CallRecord:
    """The record of a new call, which goes on with the conversation `before`, or begins one that
    may last for `longest`; 0: until the call's own end."""
    if before is not None:
        last = before.last
        return replace(record, continues=last.id, conversation_ends_at=last.conversation_end)
    return replace(record, conversation_ends_at=record.started_at + longest) if longest else record
