"""What a soak makes of its hostile pages: what it accepts, and what not."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.transcripts.record_lines import StoredLine
from shared.transcripts.transcript import Entry, Transcript
from shared.usage.tokens import Usage
from tests.soak.faults import FAULTS, FLAPS, NO_FAULTS, describe
from tests.soak.forgery_check import forgery_complaints
from tests.soak.health_probe import SLOW, longest_health, slow_health
from tests.soak.hostile_events import ATTACKS, LARGE, MARKER, own_response
from tests.soak.hostile_talkers import HostileConversation
from tests.soak.journal import UPSTREAM_HOST, WITH_KEY, Journal, SentRequest
from tests.soak.limits_check import (
    callers_over_limit,
    calls_let_go,
    counted_intervals,
    hung_up_by_others,
    keys_used_twice,
    most_at_once,
)
from tests.soak.log_check import LogCheck
from tests.soak.reconciliation import HUNG_UP, Claimed, RecordedCall, UpstreamCall, reconcile
from tests.soak.report import summary

AT = datetime(2030, 1, 1, tzinfo=UTC)
MESSAGE_LIMIT = 64 * 1024


def sent(number: int, kind: str, status: int = 0, code: str = "", user: str = "") -> SentRequest:
    host = UPSTREAM_HOST if kind == WITH_KEY else 1
    return SentRequest(number, kind, host, 10, 11, status, code, user=user)


def call(number: int, began: float = 10, last_live: float = 20, ended: str = HUNG_UP) -> Any:
    return UpstreamCall(f"rtc_{number}", str(number), ended, began, last_live)


def record(number: int, ended_at: float = 20, ended_by: str = "caller") -> RecordedCall:
    return RecordedCall(f"record {number}", f"rtc_{number}", ended_by, ended_at)


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_fits_into_messages_and_carries_the_marker(name: str) -> None:
    attack = ATTACKS[name]("0123456789abcdef")
    texts = [each if isinstance(each, str) else json.dumps(each) for each in attack.events]
    assert all(len(text) <= MESSAGE_LIMIT for text in texts)
    if not attack.calls:
        assert MARKER in "".join(texts)


def test_some_attacks_are_large_and_a_page_may_ask_for_its_own_response() -> None:
    assert max(len(str(event)) for event in ATTACKS["large_fields"]("0").events) > LARGE
    assert own_response()["type"] == "response.create"


@pytest.mark.parametrize(
    ("kind", "status", "code", "why"),
    [
        ("made-up id", 201, "", "instead of 403 registration_refused"),
        ("another's call", 201, "", "instead of 403 registration_refused"),
        ("another's handle", 204, "", "is not documented"),
        ("register", 403, "registration_refused", "instead of 201"),
    ],
)
def test_what_is_not_the_pages_own_is_refused(kind: str, status: int, code: str, why: str) -> None:
    (line,) = Journal([sent(1, kind, status, code)]).wrong_answers()
    assert why in line


def test_right_answers_to_hostile_pages() -> None:
    requests = [
        sent(1, "made-up id", 403, "registration_refused"),
        sent(2, "another's handle", 404, "call_not_found"),
        sent(3, "register", 201),
        sent(4, "register more", 403, "registration_refused"),
        sent(5, WITH_KEY, 429),
        sent(6, WITH_KEY),
    ]
    assert Journal(requests).wrong_answers() == []


def test_calls_with_a_key_are_on_record_if_they_were_registered() -> None:
    requests = [sent(1, WITH_KEY, 201), sent(2, WITH_KEY, 201), sent(3, "register", 201)]
    claimed = Claimed(frozenset({"rtc_9"}), {"rtc_1": frozenset({"201"})})
    found = reconcile(requests, [call(1), call(2)], [record(1), record(9)], claimed)
    assert found.inconsistencies == ()
    assert (found.with_key_on_record, found.with_key_unseen, found.made_up_on_record) == (1, 1, 1)
    lines = reconcile(requests, [call(1), call(2)], [record(2)], claimed).inconsistencies
    assert "a call was registered and is not on record (1 times)" in lines
    assert "a call that nobody registered is on record (1 times)" in lines


def test_a_call_whose_answer_is_of_no_use_is_hung_up() -> None:
    requests = [sent(number, "connect", 502, "upstream_failed") for number in range(1, 6)]
    hung_up, left = [call(1), call(2)], [call(3, ended="nobody connected"), call(4, ended="same")]
    found = reconcile(requests, [*hung_up, *left], [])
    assert (found.unusable_hung_up, found.inconsistencies) == (2, ())
    (line,) = reconcile(requests, left, []).inconsistencies
    assert line.startswith("2 calls were left running")


def test_the_most_at_once() -> None:
    assert most_at_once([]) == 0
    assert most_at_once([(0, 5), (5, 9), (6, 6)]) == 1
    assert most_at_once([(0, 5), (4, 9), (4, 5), (8, 9)]) == 3


def test_callers_with_more_calls_and_keys_than_the_limit_are_found() -> None:
    requests = [
        sent(1, "connect", 201, user="ada"),
        sent(2, "hostile key", 200, user="ada"),
        sent(3, WITH_KEY, 201),
        sent(4, "connect", 201, user="bob"),
    ]
    upstream = [call(1, 10, 15), call(3, 12, 40), call(4, 10, 15)]
    intervals = counted_intervals(requests, upstream, 20, 10)
    assert intervals["ada"] == [(11, 37), (10, 15)]
    assert callers_over_limit(intervals, 2) == []
    (line,) = callers_over_limit(intervals, 1)
    assert line.startswith("ada had 2")


def test_a_call_counts_no_longer_than_the_clocks_say() -> None:
    requests = [sent(1, "connect", 201, user="ada"), sent(2, "connect", 201, user="ada")]
    intervals = counted_intervals(requests, [call(1, 10, 40), call(2, 28, 30)], 20, 10)
    assert callers_over_limit(intervals, 1) == []


def test_a_key_registers_one_call() -> None:
    key = sent(1, "hostile key", 200, user="ada")
    once, twice = (sent(number, "register more", 201, user="ada") for number in (2, 3))
    assert keys_used_twice([key, once]) == []
    assert keys_used_twice([key, once, twice]) == ["ada registered 2 calls with 1 keys"]
    lost = sent(4, "hostile key", user="ada")
    assert keys_used_twice([key, lost, once, twice]) == []


def test_calls_that_go_on_after_their_record_are_found() -> None:
    upstream, records = [call(1, 10, 30), call(2, 10, 22)], [record(1), record(2)]
    assert calls_let_go(upstream, records, {"rtc_1", "rtc_2"}) == [
        "1 calls went on after their record had ended (caller)"
    ]
    assert calls_let_go(upstream, records, {"rtc_2"}) == []


def test_calls_that_others_had_hung_up_are_found() -> None:
    upstream, records = [call(1, 10, 11)], [record(1, ended_by="closed")]
    assert hung_up_by_others(upstream, records, {"rtc_1"}, {"1": 10}, 20) == [
        "1 calls that another page tried to register were hung up (closed)"
    ]
    assert hung_up_by_others(upstream, records, {"rtc_1"}, {}, 20) == []
    assert hung_up_by_others(upstream, records, set(), {"1": 10}, 20) == []
    assert hung_up_by_others(upstream, records, {"rtc_1"}, {"1": -1}, 20) == []


def line(kind: str, key: str) -> StoredLine:
    return StoredLine(f"{kind}/{key}", 1, kind, key, AT, {})


def test_forgeries_are_found() -> None:
    talk = HostileConversation(1, items={"item_1"}, calls={"call_1"}, finished=True)
    believed = Transcript((Entry("message", AT, "item_1", origin="model"),), Usage(), "closed", 0)
    found = forgery_complaints(talk, believed, [line("calling", "call_1"), line("tool", "call_2")])
    assert found == [
        "a tool ran for a call that the page made",
        "an item is on record without the page as its origin",
    ]
    (missing,) = forgery_complaints(talk, Transcript((), Usage(), "closed", 0), [])
    assert "are missing" in missing
    assert forgery_complaints(talk, Transcript((), Usage(), None, 0), []) == []
    cut = Transcript(
        (Entry("cut", AT), Entry("message", AT, "item_1", origin="page")), Usage(), "closed", 0
    )
    assert forgery_complaints(talk, cut, []) == []


def test_what_a_page_steers_is_on_record() -> None:
    talk = HostileConversation(1, attacks=Counter(own_response=1), finished=True)
    transcript = Transcript((), Usage(), "closed", 0)
    assert forgery_complaints(talk, transcript, []) == ["own_response is not on record"]
    assert forgery_complaints(talk, transcript, [line("steered", "1")]) == []
    for seconds, complains in ((-5, False), (2, False), (4, True)):
        talk.own_response_at = AT + timedelta(seconds=seconds)
        assert bool(forgery_complaints(talk, transcript, [line("attached", "1")])) is complains


def test_logs_are_read_for_what_they_may_not_hold() -> None:
    logs = LogCheck()
    logs.read_line('INFO broker: call started {"call": "20300101-00000000-0123456789ab"}')
    assert logs.complaints() == []
    logs.read_line(f'WARNING broker: error event received {{"param": "session.{MARKER}"}}')
    logs.read_line("ERROR broker: failed for rtc_0123456789abcdef")
    logs.read_line("Task exception was never retrieved")
    logs.read_line('ERROR asyncio: withheld {"logger": "asyncio", "error": "ValueError"}')
    found = " ".join(logs.complaints())
    assert "a page's text (1 lines, first: WARNING broker: error event received)" in found
    assert "a call's id" in found
    assert "was never retrieved" in found
    assert '"asyncio", "error"' in found
    assert logs.lines == 5


def test_health_that_takes_long_is_found() -> None:
    slow = SentRequest(1, "health", 1, 10, 10 + SLOW + 1, 200)
    unanswered = SentRequest(2, "health", 1, 10, 99)
    assert longest_health([slow, unanswered]) == SLOW + 1
    assert slow_health([slow])
    assert slow_health([unanswered]) == []


def test_all_faults_are_cleared_and_described() -> None:
    assert NO_FAULTS.keys() == FAULTS.keys()
    assert all(describe(flap) for flap in FLAPS)


def test_the_summary_tells_of_hostile_pages() -> None:
    counts = dict.fromkeys(
        (
            *("calls", "turns", "answers", "complete", "incomplete", "unobserved"),
            *("items_made", "items_on_record", "with_key_on_record", "with_key_unseen"),
            *("made_up_on_record", "others_attacked", "live_limit", "most_live_of_one_caller"),
            *("largest_transcript_kib", "most_gaps", "longest_health_s", "dials_a_second"),
            *("log_lines", "pages", "of_pages"),
        ),
        3,
    )
    found = {
        "sent": {}, "outcomes": {}, "requests": 2, "consistent": True, "inconsistencies": [],
        "calls_upstream": 2, "most_live": 1, "longest_call": 3.0, "limit": 20, "calls_answered": 2,
        "orphans_without_record": {}, "orphans_on_record": {}, "calls_on_record": 2,
        "stale_records": 1, "observed": 2, "conversations": counts, "poison_messages": [],
        "vault_reads": 1, "before": {}, "after": {},
        "hostile": {**counts, "attacks": {"deep_event": 7}},
    }  # fmt: skip
    text = summary(found)
    assert "7 deep event" in text
    assert "with a limit of 3" in text
