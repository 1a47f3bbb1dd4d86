"""The account of a soak: what it takes for even, and what not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from shared.storage.memory import MemoryStorage
from shared.transcripts.transcript import Entry, Transcript
from shared.usage.tokens import Usage
from tests.soak.account import Account, Request, documented
from tests.soak.agreement import Recorded, Upstream, agreement, overdue, unexcused
from tests.soak.leftovers import Footprint
from tests.soak.load import numbered
from tests.soak.pulse import SLOW, Pulse
from tests.soak.report import summary
from tests.soak.spoken import Conversation, compare
from tests.unit.upstream.test_sdp import GOOD

AT = datetime(2030, 1, 1, tzinfo=UTC)


def account(*requests: Request) -> Account:
    """Host 1 is down from 100 to 110, storage away from 200 to 203, upstream from 50 to 300, the
    vault from 112 to 121 and from 400 to 409."""
    found = Account(list(requests))
    for what, since, until in (
        *((1, 100.0, 110.0), ("storage", 200.0, 203.0), ("upstream", 50.0, 300.0)),
        *(("vault", 112.0, 121.0), ("vault", 400.0, 409.0)),
    ):
        found.trouble(what, since).until = until
    return found


def request(
    began: float,
    ended: float,
    status: int = 0,
    code: str = "",
    kind: str = "connect",
    host: int = 1,
) -> Request:
    return Request(
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
        request(10, 11, 401, "sign_in_required", "nobody"),
        request(10, 11, 204, "", "hang up"),
        request(120, 121, 503, "vault_unavailable"),
    ],
)
def test_what_may_come_back(fine: Request) -> None:
    assert account(fine).wrong() == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (request(10, float("inf")), "never came back"),
        (request(10, 11), "no answer of a living host"),
        (request(98, 99.5), "no answer of a living host"),
        (request(111, 112), "no answer of a living host"),
        (request(99, 101, host=2), "no answer of a living host"),
        (request(10, 11, 500, "internal_error"), "mistake of the broker"),
        (request(10, 11, 200), "not what is documented"),
        (request(10, 11, 503, "storage_unavailable"), "storage was there"),
        (request(209, 210, 503, "storage_unavailable"), "storage was there"),
        (request(310, 311, 502, "upstream_failed"), "upstream was there"),
        (request(200, 201, 503, "vault_unavailable"), "has the last value"),
        (request(405, 406, 503, "vault_unavailable"), "has the last value"),
        (request(405, 406, 503, "vault_unavailable", host=2), "has the last value"),
        (request(10, 11, 201, "", "nobody"), "not what is documented"),
        (request(10, 11, 404, "call_not_found", "look"), "nothing was there"),
    ],
)
def test_what_may_not(bad: Request, why: str) -> None:
    (line,) = account(bad).wrong()
    assert why in line


def test_what_was_sent_is_what_came_back() -> None:
    found = Account()
    for kind in ("connect", "connect", "look"):
        found.send(kind, 1, 0.0)
    for one in found.requests[:2]:
        one.ended, one.status = 1.0, 201
    assert found.sent() == {"connect": 2, "look": 1}
    assert found.came() == {"connect": {"201": 2}, "look": {"no answer": 0}}
    assert len({one.number for one in found.requests}) == 3


def test_the_contract_says_what_is_documented() -> None:
    assert {"201", "429 too_many_starts"} <= documented("/connect", "post")
    assert "201" not in documented("/calls/{handle}/hangup", "post")


GIVEN = Request(1, "connect", 1, 10, 11, 201)
LOST = Request(2, "connect", 1, 99, 101)
REFUSED = Request(3, "connect", 1, 20, 21, 429, "too_many_starts")


def call(number: int, ended: str = "hung up over REST") -> Upstream:
    return Upstream(f"rtc_{number}", str(number), ended)


def record(number: int, ended_by: str = "caller") -> Recorded:
    return Recorded(f"record {number}", f"rtc_{number}", ended_by)


def test_one_story_is_even_and_says_what_nobody_was_told_of() -> None:
    requests = [GIVEN, LOST, REFUSED]
    found = agreement(requests, [call(1), call(2)], [record(1)])
    assert (found.given, found.untold, found.wrong) == (1, {"no answer": 1}, ())
    found = agreement(requests, [call(1), call(2)], [record(1), record(2)])
    assert (found.untold_on_record, found.wrong) == ({"no answer": 1}, ())


@pytest.mark.parametrize(
    ("upstream", "records", "why"),
    [
        ([call(1)], [], "not on record"),
        ([], [], "upstream does not know"),
        ([call(1), call(3)], [record(1)], "its request got 429 too_many_starts"),
        ([call(1), call(9)], [record(1)], "no request began"),
        ([call(1), Upstream("rtc_x", "2", "over"), call(2)], [record(1)], "began 2 calls"),
        ([call(1, "")], [record(1)], "upstream is live"),
        ([call(1)], [record(1, "")], "record is live"),
        ([call(1)], [record(1), record(7)], "upstream does not know"),
    ],
)
def test_two_stories_are_not(upstream: list[Upstream], records: list[Recorded], why: str) -> None:
    assert why in " ".join(agreement([GIVEN, LOST, REFUSED], upstream, records).wrong)


def test_a_call_ends_at_its_limit_unless_its_end_could_not_be_seen_to() -> None:
    long = Upstream("rtc_1", "1", "over", 10.0, 40.0)
    excused = Upstream("rtc_2", "2", "over", 85.0, 120.0)
    assert overdue([long], account(), 20, 6)
    assert not overdue([excused], account(), 20, 6)
    assert not overdue([long], account(), 30, 6)
    assert unexcused([long], account(), ["rtc_1"])
    assert not unexcused([long, excused], account(), ["rtc_2"])


TALK = Conversation(1, {"u": "Hello"}, {"a": "Hi!"})


def transcript(*entries: Entry, tokens: int = 10, ended: str | None = "closed") -> Transcript:
    gaps = sum(entry.kind == "gap" for entry in entries)
    return Transcript(entries, Usage(text_in=tokens), ended, gaps)


def said(name: str, text: str) -> Entry:
    return Entry("message", AT, name, text=text)


BOTH = (said("u", "Hello"), said("a", "Hi!"))
GAP = Entry("gap", AT)


def test_a_record_is_whole_or_says_that_it_is_not() -> None:
    assert compare(TALK, transcript(*BOTH), 10, 10).whole
    for partial in (transcript(GAP, BOTH[1], tokens=6), transcript(BOTH[0], tokens=6, ended=None)):
        found = compare(TALK, partial, 10, 6)
        assert (found.whole, found.wrong) == (False, ())


@pytest.mark.parametrize(
    ("record", "tokens", "why"),
    [
        (transcript(BOTH[0]), 10, "does not say so"),
        (transcript(*BOTH, tokens=9), 9, "does not say so"),
        (transcript(*BOTH), 9, "does not say so"),
        (transcript(GAP, *BOTH, tokens=11), 10, "more tokens"),
        (transcript(GAP, *BOTH, BOTH[0]), 10, "twice"),
        (transcript(GAP, said("u", "Goodbye"), BOTH[1]), 10, "otherwise"),
    ],
)
def test_a_record_that_is_neither_is_wrong(record: Transcript, tokens: int, why: str) -> None:
    assert why in " ".join(compare(TALK, record, 10, tokens).wrong)


@pytest.mark.parametrize(("slow", "told"), [(0.0, False), (SLOW + 1, True)])
async def test_storage_that_keeps_its_answers_back_is_in_the_account(
    slow: float, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, looked = Account(), asyncio.Event()
    pulse = Pulse(MemoryStorage(), found, lambda words: None)
    asked = {pulse.feel(ask) < SLOW for ask in (pulse.ask_table, pulse.ask_queue, pulse.ask_log)}
    assert asked == {True}
    monkeypatch.setattr(Pulse, "feel", lambda self, ask: slow)

    async def once(seconds: float) -> None:
        looked.set()
        await asyncio.Future()

    monkeypatch.setattr("tests.soak.pulse.asyncio.sleep", once)
    keeping = asyncio.create_task(pulse.keep())
    await looked.wait()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert [trouble.what for trouble in found.troubles] == ["storage"] * told


def test_offers_are_numbered() -> None:
    assert "o=- 77 1 IN IP4" in numbered(GOOD.decode(), 77)


def test_the_account_says_whether_everything_is_even() -> None:
    held = Footprint(1, {}, 1, {}).shown()
    talks = {"calls": 1, "turns": 1, "answers": 1, "whole": 1, "stated": 0, "unobserved": 0}
    found = {
        "sent": {"connect": 2}, "came": {"connect": {"201": 2}}, "requests": 2, "even": True,
        "wrong": [], "calls_upstream": 2, "most_live": 1, "longest_call": 3.0, "limit": 20,
        "calls_given": 2, "untold": {}, "untold_on_record": {"no answer": 1}, "calls_on_record": 2,
        "forgotten": 1,
        "observed": 2, "conversations": talks, "set_aside": [], "vault_reads": 1,
        "before": {"host 1": held}, "after": {"host 1": held},
    }  # fmt: skip
    assert "everything is even" in summary(found)
    assert "a mistake" in summary({**found, "even": False, "wrong": ["a mistake"]})
    assert "no node" in summary({"skipped": "no node"})
