"""The reconciliation of a soak: what it accepts, and what not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from shared.storage.memory import MemoryStorage
from shared.transcripts.transcript import Entry, Transcript
from shared.usage.tokens import Usage
from tests.soak.callers import numbered
from tests.soak.footprint import Footprint
from tests.soak.journal import Journal, SentRequest, documented
from tests.soak.reconciliation import (
    RecordedCall,
    UpstreamCall,
    overdue_calls,
    reconcile,
    unobserved_calls,
)
from tests.soak.report import summary
from tests.soak.storage_probe import SLOW, StorageProbe
from tests.soak.transcript_check import Conversation, compare
from tests.support.offers import OFFER

AT = datetime(2030, 1, 1, tzinfo=UTC)


def journal(*requests: SentRequest) -> Journal:
    """Host 1 is down from 100 to 110; storage is unavailable from 200 to 203, upstream from 50 to
    300, the vault from 112 to 121 and from 400 to 409."""
    found = Journal(list(requests))
    for what, since, until in (
        *((1, 100.0, 110.0), ("storage", 200.0, 203.0), ("upstream", 50.0, 300.0)),
        *(("vault", 112.0, 121.0), ("vault", 400.0, 409.0)),
    ):
        found.add_outage(what, since).until = until
    return found


def request(
    began: float,
    ended: float,
    status: int = 0,
    code: str = "",
    kind: str = "connect",
    host: int = 1,
) -> SentRequest:
    return SentRequest(
        1, kind, host, began, ended, status, code, "" if status else "ServerDisconnected"
    )


@pytest.mark.parametrize(
    "fine",
    [
        request(10, 11, 201),
        request(99, 101),
        request(105, 105.1),
        request(200, 201, 503, "storage_unavailable"),
        request(207, 208, 503, "storage_unavailable"),
        request(60, 61, 502, "upstream_failed"),
        request(10, 11, 429, "too_many_live_calls"),
        request(10, 11, 401, "sign_in_required", "not signed in"),
        request(10, 11, 204, "", "hang up"),
        request(120, 121, 503, "vault_unavailable"),
    ],
)
def test_right_answers(fine: SentRequest) -> None:
    assert journal(fine).wrong_answers() == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (request(10, float("inf")), "never came back"),
        (request(10, 11), "no answer from a running host"),
        (request(98, 99.5), "no answer from a running host"),
        (request(111, 112), "no answer from a running host"),
        (request(99, 101, host=2), "no answer from a running host"),
        (request(10, 11, 500, "internal_error"), "a bug in the broker"),
        (request(10, 11, 200), "is not documented"),
        (request(10, 11, 503, "storage_unavailable"), "storage was available"),
        (request(209, 210, 503, "storage_unavailable"), "storage was available"),
        (request(310, 311, 502, "upstream_failed"), "upstream was available"),
        (request(200, 201, 503, "vault_unavailable"), "has the last value"),
        (request(405, 406, 503, "vault_unavailable"), "has the last value"),
        (request(405, 406, 503, "vault_unavailable", host=2), "has the last value"),
        (request(10, 11, 201, "", "not signed in"), "is not documented"),
        (request(10, 11, 404, "call_not_found", "look up"), "no excuse"),
    ],
)
def test_wrong_answers(bad: SentRequest, why: str) -> None:
    (line,) = journal(bad).wrong_answers()
    assert why in line


def test_what_was_sent_is_what_came_back() -> None:
    found = Journal()
    for kind in ("connect", "connect", "look up"):
        found.add_request(kind, 1, 0.0)
    for one in found.requests[:2]:
        one.ended, one.status = 1.0, 201
    assert found.sent() == {"connect": 2, "look up": 1}
    assert found.outcomes() == {"connect": {"201": 2}, "look up": {"no answer": 0}}
    assert len({one.number for one in found.requests}) == 3


def test_the_contract_says_what_is_documented() -> None:
    assert {"201", "429 too_many_starts"} <= documented("/connect", "post")
    assert "201" not in documented("/calls/{handle}/hangup", "post")


ANSWERED = SentRequest(1, "connect", 1, 10, 11, 201)
LOST = SentRequest(2, "connect", 1, 99, 101)
REFUSED = SentRequest(3, "connect", 1, 20, 21, 429, "too_many_starts")


def call(number: int, ended: str = "hung up over REST") -> UpstreamCall:
    return UpstreamCall(f"rtc_{number}", str(number), ended)


def record(number: int, ended_by: str = "caller") -> RecordedCall:
    return RecordedCall(f"record {number}", f"rtc_{number}", ended_by)


def test_calls_that_agree_are_counted_with_the_orphans() -> None:
    requests = [ANSWERED, LOST, REFUSED]
    found = reconcile(requests, [call(1), call(2)], [record(1)])
    assert (found.answered, found.orphans_without_record, found.inconsistencies) == (
        1,
        {"no answer": 1},
        (),
    )
    found = reconcile(requests, [call(1), call(2)], [record(1), record(2)])
    assert (found.orphans_on_record, found.inconsistencies) == ({"no answer": 1}, ())


@pytest.mark.parametrize(
    ("upstream", "records", "why"),
    [
        ([call(1)], [], "not on record"),
        ([], [], "upstream does not know"),
        ([call(1), call(3)], [record(1)], "its request got 429 too_many_starts"),
        ([call(1), call(9)], [record(1)], "no request began"),
        ([call(1), UpstreamCall("rtc_x", "2", "over"), call(2)], [record(1)], "began 2 calls"),
        ([call(1, "")], [record(1)], "upstream is live"),
        ([call(1)], [record(1, "")], "record is live"),
        ([call(1)], [record(1), record(7)], "upstream does not know"),
    ],
)
def test_calls_that_do_not_agree(
    upstream: list[UpstreamCall], records: list[RecordedCall], why: str
) -> None:
    assert why in " ".join(reconcile([ANSWERED, LOST, REFUSED], upstream, records).inconsistencies)


def test_a_call_ends_at_its_limit_unless_what_its_end_needs_is_unavailable() -> None:
    long = UpstreamCall("rtc_1", "1", "over", 10.0, 40.0)
    excused = UpstreamCall("rtc_2", "2", "over", 85.0, 120.0)
    assert overdue_calls([long], ["rtc_1"], journal(), 20, 6)
    assert not overdue_calls([excused], ["rtc_2"], journal(), 20, 6)
    assert not overdue_calls([long], ["rtc_1"], journal(), 30, 6)
    assert unobserved_calls([long], journal(), ["rtc_1"])
    assert not unobserved_calls([long, excused], journal(), ["rtc_2"])


TALK = Conversation(1, {"u": "Hello"}, {"a": "Hi!"})


def transcript(*entries: Entry, tokens: int = 10, ended: str | None = "closed") -> Transcript:
    gaps = sum(entry.kind == "gap" for entry in entries)
    return Transcript(entries, Usage(text_in=tokens), ended, gaps)


def said(name: str, text: str) -> Entry:
    return Entry("message", AT, name, text=text)


BOTH = (said("u", "Hello"), said("a", "Hi!"))
GAP = Entry("gap", AT)


def test_a_transcript_is_complete_or_declares_that_it_is_not() -> None:
    assert compare(TALK, transcript(*BOTH), 10, 10).complete
    for partial in (transcript(GAP, BOTH[1], tokens=6), transcript(BOTH[0], tokens=6, ended=None)):
        found = compare(TALK, partial, 10, 6)
        assert (found.complete, found.wrong) == (False, ())


@pytest.mark.parametrize(
    ("record", "tokens", "why"),
    [
        (transcript(BOTH[0]), 10, "does not declare it"),
        (transcript(*BOTH, tokens=9), 9, "does not declare it"),
        (transcript(*BOTH), 9, "does not declare it"),
        (transcript(GAP, *BOTH, tokens=11), 10, "more tokens"),
        (transcript(GAP, *BOTH, BOTH[0]), 10, "twice"),
        (transcript(GAP, said("u", "Goodbye"), BOTH[1]), 10, "different"),
    ],
)
def test_a_transcript_that_is_neither_is_wrong(record: Transcript, tokens: int, why: str) -> None:
    assert why in " ".join(compare(TALK, record, 10, tokens).wrong)


@pytest.mark.parametrize(("slow", "journaled"), [(0.0, False), (SLOW + 1, True)])
async def test_storage_that_does_not_answer_is_an_outage(
    slow: float, journaled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, looked = Journal(), asyncio.Event()
    probe = StorageProbe(MemoryStorage(), found, lambda event: None)
    asked = {probe.measure(ask) < SLOW for ask in (probe.ask_table, probe.ask_queue, probe.ask_log)}
    assert asked == {True}
    monkeypatch.setattr(StorageProbe, "measure", lambda self, ask: slow)

    async def once(seconds: float) -> None:
        looked.set()
        await asyncio.Future()

    monkeypatch.setattr("tests.soak.storage_probe.asyncio.sleep", once)
    running = asyncio.create_task(probe.run())
    await looked.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [outage.what for outage in found.outages] == ["storage"] * journaled


def test_offers_are_numbered() -> None:
    assert "o=- 77 1 IN IP4" in numbered(OFFER.decode(), 77)


def test_the_summary_says_whether_everything_agrees() -> None:
    held = Footprint(1, {}, 1, {}).as_dict()
    talks = {
        "calls": 1, "turns": 1, "answers": 1, "complete": 1, "incomplete": 0, "unobserved": 0,
    }  # fmt: skip
    found = {
        "sent": {"connect": 2}, "outcomes": {"connect": {"201": 2}}, "requests": 2,
        "consistent": True, "inconsistencies": [], "calls_upstream": 2, "most_live": 1,
        "longest_call": 3.0, "limit": 20, "calls_answered": 2, "orphans_without_record": {},
        "orphans_on_record": {"no answer": 1}, "calls_on_record": 2, "stale_records": 1,
        "observed": 2, "conversations": talks, "poison_messages": [], "vault_reads": 1,
        "before": {"host 1": held}, "after": {"host 1": held},
    }  # fmt: skip
    assert "everything agrees" in summary(found)
    assert "a mistake" in summary({**found, "consistent": False, "inconsistencies": ["a mistake"]})
    assert "no node" in summary({"skipped": "no node"})
