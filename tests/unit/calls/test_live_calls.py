"""Calls of GPT-Live through CallService: one create each, and nothing left running unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.admin.usage_report import sum_usage
from shared.calls.booked_start import UNKNOWN_COUNTS_FOR
from shared.calls.call_record import CallRecord
from shared.calls.call_search import CallSearch, find_calls
from shared.calls.service import CallService
from shared.calls.unanswered import NO_ANSWER
from shared.config.profiles import Profile
from shared.config.voice_api import LIVE, REALTIME
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.storage.interfaces import StorageUnavailable
from tests.support.live_replies import (
    SESSION,
    SESSIONS,
    created,
    hangup_path,
    live_refusal,
    no_session,
)
from tests.support.offers import AUDIO, HEAD, OFFER
from tests.support.scripted_endpoint import ANSWER, RESET, Said, Upstream
from tests.unit.calls.services import CALLS, HANDLES, NOW, PROFILE, a_caller, calls, limited

TALK = Profile("talk", {"model": "gpt-live-1", "instructions": "hidden words"}, api=LIVE)


@pytest.fixture
def live(endpoint: Upstream) -> Upstream:
    endpoint.on(SESSIONS, created())
    endpoint.on(hangup_path(), Said(200), no_session())
    return endpoint


def records(service: CallService) -> list[CallRecord]:
    return find_calls(service.dispatcher.records, CallSearch(), NOW).calls


def test_a_live_call_is_one_create(live: Upstream) -> None:
    service = calls(live)
    started = service.start_call(OFFER, TALK, a_caller())
    assert (started.sdp, started.api) == (ANSWER, LIVE)
    assert [asked.path for asked in live.asked] == [SESSIONS]
    [record] = records(service)
    assert (record.api, record.call_id, record.model) == (LIVE, SESSION, "gpt-live-1")
    assert record.public()["api"] == "live"
    assert service.dispatcher.claims.claimed(SESSION) == record
    assert HANDLES.open(started.handle, "caller-1").split("/")[3] == "live"


def test_a_realtime_call_is_recorded_and_sealed_as_before(live: Upstream) -> None:
    service = calls(live)
    started = service.start_call(OFFER, PROFILE, a_caller())
    assert started.api == REALTIME
    [record] = records(service)
    assert "api" not in record.public()
    assert len(HANDLES.open(started.handle, "caller-1").split("/")) == 3


def test_an_offer_may_lack_a_data_channel_but_not_audio(live: Upstream) -> None:
    service = calls(live)
    service.start_call((HEAD + AUDIO).encode(), TALK, a_caller())
    with pytest.raises(Problem, match="offer_without_audio"):
        service.start_call(HEAD.encode(), TALK, a_caller())
    with pytest.raises(Problem, match="offer_without_data_channel"):
        service.start_call((HEAD + AUDIO).encode(), PROFILE, a_caller())
    assert live.count(SESSIONS) == 1


def test_its_caller_ends_it_by_its_own_api_and_twice(live: Upstream) -> None:
    service = calls(live)
    handle = service.start_call(OFFER, TALK, a_caller()).handle
    with pytest.raises(Problem, match="call_not_found"):
        service.hang_up(handle, a_caller("another"))
    service.hang_up(handle, a_caller())
    service.hang_up(handle, a_caller())
    assert live.count(hangup_path()) == 2
    assert service.call_status(handle, a_caller())["ended_by"] == "caller"
    assert service.call_status(handle, a_caller())["api"] == "live"


def test_an_admin_and_the_limit_end_it_by_its_own_api(live: Upstream) -> None:
    service = calls(live)
    service.start_call(OFFER, TALK, a_caller())
    [record] = records(service)
    service.terminator.end_by_admin(record.id)
    assert live.asked[-1].path == hangup_path()
    service.start_call(OFFER, TALK, replace(a_caller(), id="caller-2"))
    newest = next(each for each in records(service) if not each.settled_by)
    service.terminator.end_expired_call(newest.id)
    assert live.count(hangup_path()) == 2
    assert not live.count(f"{CALLS}/{SESSION}/hangup")


def test_a_call_that_no_observer_reached_has_the_clocks_usage(live: Upstream) -> None:
    service = calls(live)
    for lasted in (timedelta(milliseconds=800), timedelta(seconds=90)):
        handle = service.start_call(OFFER, TALK, a_caller()).handle
        records = service.dispatcher.records
        [record] = find_calls(records, CallSearch(status="live"), NOW).calls
        records.update(record.id, lambda it, ago=lasted: replace(it, started_at=NOW - ago))  # type: ignore[misc]
        service.hang_up(handle, a_caller())
        ended, seconds = records.get(record.id), max(15.0, lasted.total_seconds())
        assert ended.usage == {
            "seconds": seconds,
            "active_seconds": seconds,
            "paused_seconds": 0.0,
            "estimated_seconds": seconds,
        }
        assert Decimal(ended.cost) == Decimal("0.05") * Decimal(seconds) / 60
        assert ended.prices_as_of
        assert ended.observed == ""
    [row] = sum_usage(find_calls(service.dispatcher.records, CallSearch(), NOW).calls, ())
    assert (row["observed_calls"], row["live_seconds"], row["cost"]) == (2, 105.0, "0.0875")


def test_a_call_whose_end_is_not_proven_has_no_usage_by_the_clock(live: Upstream) -> None:
    service = calls(live)
    service.start_call(OFFER, TALK, a_caller())
    service.start_call(OFFER, PROFILE, a_caller())
    for record in records(service):
        proof = "" if record.api == LIVE else "hang-up"
        service.dispatcher.records.mark_ended(record.id, "test", NOW, proof)
    assert [(each.usage, each.cost) for each in records(service)] == [({}, "")] * 2


@pytest.mark.parametrize("refused", ["token", "register"])
def test_there_are_no_keys(live: Upstream, refused: str) -> None:
    service = calls(live)
    ways: dict[str, Callable[[], object]] = {
        "token": lambda: service.issue_token(TALK, a_caller()),
        "register": lambda: service.register_call("rtc_1", TALK, a_caller()),
    }
    with pytest.raises(Problem, match="live_without_keys") as problem:
        ways[refused]()
    assert "/api/connect" in problem.value.hint
    assert problem.value.status == 400
    assert live.asked == []


def held(ledger: Ledger) -> int:
    return ledger.usage_of("caller-1").live_calls


def test_a_refused_create_holds_no_line(live: Upstream) -> None:
    ledger = limited()
    live.on(SESSIONS, live_refusal(400, "unknown_parameter", "session.client"))
    service = calls(live, ledger=ledger)
    with pytest.raises(Problem, match="data_channel_refused"):
        service.start_call(OFFER, TALK, a_caller())
    assert held(ledger) == 0
    assert records(service) == []


def test_a_session_without_an_answer_is_ended_and_holds_no_line(live: Upstream) -> None:
    ledger = limited()
    live.on(SESSIONS, created(sdp="hello"))
    service = calls(live, ledger=ledger)
    with pytest.raises(Problem, match="upstream_failed"):
        service.start_call(OFFER, TALK, a_caller())
    assert live.count(hangup_path()) == 1
    assert held(ledger) == 0


def test_a_session_without_an_answer_that_cannot_be_ended_yet_is_ended_later(
    live: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = limited()
    live.on(SESSIONS, created(sdp="hello"))
    live.on(hangup_path(), live_refusal(403, "forbidden"))
    service = calls(live, ledger=ledger)
    with pytest.raises(Problem, match="upstream_failed"):
        service.start_call(OFFER, TALK, a_caller())
    assert held(ledger) == 1, "it counts until it is over"
    [record] = records(service)
    assert (record.call_id, record.settled_by) == (SESSION, "")
    assert any("call left running" in line for line in caplog.messages)
    live.on(hangup_path(), Said(200))
    service.terminator.end_expired_call(record.id)
    assert held(ledger) == 0
    assert records(service)[0].settled_by == "hang-up"


@pytest.mark.parametrize("reply", [RESET, Said(201, b"<html>"), created(None), Said(504)])
def test_a_create_whose_answer_is_lost_is_on_record_with_what_it_may_cost(
    live: Upstream, caplog: pytest.LogCaptureFixture, reply: Any
) -> None:
    moment = NOW
    ledger = limited(lambda: moment)
    live.on(SESSIONS, reply)
    service = calls(live, ledger=ledger)
    with pytest.raises(Problem) as lost:
        service.start_call(OFFER, TALK, a_caller())
    assert lost.value.status >= 500
    assert live.count(SESSIONS) == 1
    [record] = records(service)
    assert (record.call_id, record.ended_by) == ("", NO_ANSWER)
    assert record.failures == {"call_left_running": {lost.value.code: 1}}
    assert record.usage == {
        "seconds": 15.0,
        "active_seconds": 15.0,
        "paused_seconds": 0.0,
        "estimated_seconds": 15.0,
    }
    assert (record.cost[:6], record.prices_as_of[:4]) == ("0.0125", "2026")
    [line] = [each for each in caplog.messages if "call left running" in each]
    assert "15 s" in line
    # Nothing tries to hang up a call that has no id.
    service.terminator.end_expired_call(record.id)
    service.terminator.resend_end_message(record)
    with pytest.raises(Problem, match="call_not_found") as unknown:
        service.terminator.end_by_admin(record.id)
    assert "nobody can end it" in str(unknown.value.body("x"))
    assert not [asked for asked in live.asked if "hangup" in asked.path]
    assert held(ledger) == 1, "it may run"
    moment = NOW + UNKNOWN_COUNTS_FOR
    assert held(ledger) == 0


def test_a_call_that_cannot_be_recorded_is_ended(
    live: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = calls(live)

    def unavailable(*_: Any, **__: Any) -> None:
        raise StorageUnavailable("down")

    monkeypatch.setattr(service.dispatcher.end_queue, "send", unavailable)
    with pytest.raises(Problem, match="storage_unavailable"):
        service.start_call(OFFER, TALK, a_caller())
    assert live.count(hangup_path()) == 1


def test_a_record_of_an_older_release_is_of_realtime(live: Upstream) -> None:
    service = calls(live)
    service.start_call(OFFER, PROFILE, a_caller())
    service.start_call(OFFER, TALK, a_caller())
    for record in records(service):
        row = service.dispatcher.records.get_entity(record.id).values
        assert ("api" in row) == (record.api == LIVE)
        assert row["layout"] == (2 if record.api == LIVE else 1), "older ones must not close it"
        service.dispatcher.records.mark_ended(record.id, "test", NOW, "gone")
