"""Which call a handle's conversation goes on in, for how long, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.calls.call_record import CONTINUED, CallRecord
from shared.calls.continuation import Continuations, in_conversation
from shared.calls.new_call import new_record
from shared.calls.queue_messages import record_id_in
from shared.calls.record_ids import record_id
from shared.calls.records import Records
from shared.core.problems import Problem
from shared.limits.ledger_store import Booking
from shared.storage.memory import MemoryStorage
from shared.transcripts.history import MOST_MESSAGES, Message
from shared.transcripts.record_lines import RecordLine, encode_line
from shared.transcripts.redaction import unchanged
from shared.transcripts.writer import log_name
from tests.support.clock import Clock
from tests.unit.calls.services import PROFILE

MINUTE = timedelta(minutes=1)


@dataclass
class Work:
    """One caller's calls, as they are on record."""

    clock: Clock = field(default_factory=Clock)
    number: int = 0

    def __post_init__(self) -> None:
        self.storage = MemoryStorage(lambda: self.clock.now)
        self.records = Records(self.storage.table("calls"))
        self.log = self.storage.log("transcripts")
        self.continuations = Continuations(
            records=self.records,
            transcripts=self.log,
            end_queue=self.storage.queue("end-call"),
            clock=lambda: self.clock.now,
        )

    def start(
        self, before: CallRecord | None = None, longest: timedelta = timedelta(0)
    ) -> CallRecord:
        """A call of fifteen minutes, or of what its conversation has left."""
        self.number += 1
        name = f"{self.number:012x}"
        now = self.clock.now
        lasts = 15 * MINUTE
        conversation = self.continuations.find(before.id, PROFILE) if before else None
        if conversation:
            lasts = min(lasts, conversation.left)
        booking = Booking(f"ada.{name}", "ada", now, now + lasts)
        record = new_record(
            f"rtc_{self.number}", booking, PROFILE, started_by="connect", endpoint=""
        )
        record = in_conversation(record, conversation, longest)
        assert record.id == record_id(now, booking.reference)
        self.records.insert(record)
        if conversation:
            self.continuations.hand_over(conversation, record)
        return record

    def write(self, record: CallRecord, *texts: str) -> None:
        """Puts what the caller said on the call's record."""
        data = b""
        for number, text in enumerate(texts):
            item: dict[str, Any] = {"type": "message", "role": "user", "origin": "caller"}
            line = RecordLine("item", f"item_{number}", self.clock.now, {**item, "text": text})
            data += encode_line(record.call_id, number, line, unchanged)
        name = log_name(record.call_id)
        self.log.append(name, data, at=self.log.length(name))

    def said(self, record: CallRecord) -> list[str]:
        found = self.continuations.find(record.id, PROFILE)
        return [each.text for each in self.continuations.history(found, "x").messages[:-1]]

    def refused(self, record: CallRecord) -> str:
        with pytest.raises(Problem) as problem:
            self.continuations.find(record.id, PROFILE)
        return problem.value.code


def test_what_was_said_in_all_of_its_calls() -> None:
    work = Work()
    first = work.start()
    work.write(first, "one", "two")
    second = work.start(first)
    work.write(second, "three")
    third = work.start(second)
    assert work.said(third) == work.said(first) == ["one", "two", "three"]


def test_no_more_is_read_than_a_call_can_begin_with(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work()
    first = work.start()
    work.write(first, "one")
    second = work.start(first)
    work.write(second, *(f"number {number}" for number in range(MOST_MESSAGES)))
    read: list[str] = []
    said_in = Continuations.said_in

    def seen(self: Continuations, record: CallRecord) -> list[Message]:
        read.append(record.id)
        return said_in(self, record)

    monkeypatch.setattr(Continuations, "said_in", seen)
    assert work.said(second)[0] == "number 0"
    assert read == [second.id]


def test_each_call_is_continued_once() -> None:
    work = Work()
    first = work.start()
    second, third = work.start(first), work.start(first)
    records = [work.records.get(each.id) for each in (first, second, third)]
    assert [each.continued_by for each in records] == [second.id, third.id, ""]
    assert [each.continues for each in records] == ["", first.id, second.id]


def test_who_comes_second_is_refused() -> None:
    work = Work()
    first = work.start()
    conversation = work.continuations.find(first.id, PROFILE)
    work.start(first)
    other = replace(first, id="20260101-00000000-ffffffffffff")
    with pytest.raises(Problem) as problem:
        work.continuations.hand_over(conversation, other)
    assert problem.value.code == "already_continued"


def test_without_a_limit_of_its_own_it_ends_with_its_first_call() -> None:
    work = Work()
    first = work.start()
    work.clock.advance(minutes=10)
    second = work.start(first)
    assert second.ends_at == first.ends_at
    work.clock.advance(minutes=4, seconds=51)
    assert work.refused(second) == "conversation_over"


def test_its_length_is_limited_over_all_its_calls() -> None:
    work = Work()
    first = work.start(longest=40 * MINUTE)
    last = first
    for _ in range(3):
        assert last.ends_at <= first.started_at + 40 * MINUTE
        work.clock.advance(minutes=13)
        last = work.start(last)
    assert last.ends_at == first.started_at + 40 * MINUTE
    work.clock.advance(seconds=51)
    assert work.refused(last) == "conversation_over"


def test_the_call_before_ends_soon_and_says_why() -> None:
    work = Work()
    first = work.start()
    work.start(first)
    before = work.records.get(first.id)
    assert before.ends_at == work.clock.now + timedelta(seconds=30)
    assert before.conversation_end == first.ends_at
    assert work.storage.queue("end-call")
    work.records.mark_ended(first.id, "limit", work.clock.now, "hang-up")
    assert work.records.get(first.id).ended_by == CONTINUED


@pytest.mark.parametrize(
    ("ended_by", "goes_on"),
    [
        ("caller", True),
        ("expired", True),
        ("limit", True),
        ("closed", True),
        ("admin", False),
        ("token budget", False),
        ("content", False),
        ("refused", True),
    ],
)
def test_what_may_have_ended_it(ended_by: str, goes_on: bool) -> None:
    work = Work()
    call = work.start()
    work.records.mark_ended(call.id, ended_by, work.clock.now, "hang-up")
    if goes_on:
        assert work.continuations.find(call.id, PROFILE).unsettled == ()
    else:
        assert work.refused(call) == "conversation_over"


def test_of_a_long_record_the_end_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.calls.continuation.MOST_READ", 400)
    work = Work()
    call = work.start()
    work.write(call, *(f"number {number}" for number in range(50)))
    said = work.said(call)
    assert said[-1] == "number 49"
    assert len(said) < 5


def test_the_service_may_end_a_call_sooner_than_its_conversation() -> None:
    work = Work()
    call = work.start()
    sooner = work.clock.now + 5 * MINUTE
    work.records.bring_forward(call.id, sooner)
    work.records.bring_forward(call.id, sooner + MINUTE)
    found = work.records.get(call.id)
    assert (found.ends_at, found.conversation_end) == (sooner, call.ends_at)


def test_what_ends_it_while_the_next_call_begins_ends_it() -> None:
    work = Work()
    first = work.start()
    conversation = work.continuations.find(first.id, PROFILE)
    work.records.mark_ended(first.id, "content", work.clock.now, "hang-up")
    with pytest.raises(Problem) as problem:
        work.continuations.hand_over(conversation, replace(first, id="20260101-00000000-f"))
    assert problem.value.code == "conversation_over"
    assert not work.records.get(first.id).continued_by


@pytest.mark.parametrize("ended_by", ["", "closed", "caller", "limit"])
def test_what_an_admin_ends_is_over_whatever_ends_its_call(ended_by: str) -> None:
    """A hang-up that failed, or one whose end the observer was faster to record."""
    work = Work()
    first = work.start(longest=40 * MINUTE)
    conversation = work.continuations.find(first.id, PROFILE)
    if ended_by:
        work.records.mark_ended(first.id, ended_by, work.clock.now, "hang-up")
    work.records.end_conversation(first.id, work.clock.now)
    assert work.refused(first) == "conversation_over"
    with pytest.raises(Problem) as problem:
        work.continuations.hand_over(conversation, replace(first, id="20260101-00000000-f"))
    assert problem.value.code == "conversation_over"


def test_no_more_than_two_of_its_calls_run() -> None:
    """Whoever continues one call after the other does not hold them all with one line."""
    work = Work()
    first = work.start()
    second = work.start(first)
    work.clock.advance(seconds=5)
    work.start(second)
    assert work.records.get(first.id).ends_at == work.clock.now
    assert work.records.get(second.id).ends_at == work.clock.now + timedelta(seconds=30)
    (due,) = work.storage.queue("end-call").receive(visibility=MINUTE, limit=9)
    assert record_id_in(due.body) == first.id
