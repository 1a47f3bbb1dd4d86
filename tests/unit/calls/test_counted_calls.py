"""What the call service counts against a caller, registers and gives back."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.auth.caller import Caller
from shared.calls.call_record import BY_KEY
from shared.calls.call_search import CallSearch, find_calls
from shared.calls.new_call import new_record
from shared.calls.records import Records
from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.enforcement import TRIES_PER_START
from shared.limits.ledger_store import Ledger
from shared.storage.interfaces import StorageUnavailable
from shared.storage.memory import MemoryTable
from tests.support.clock import Clock
from tests.support.offers import OFFER
from tests.support.scripted_endpoint import (
    Said,
    Upstream,
    answer_reply,
    key_reply,
    refusal,
)
from tests.unit.calls.services import (
    CALLS,
    HANDLES,
    LIMITED,
    MINT,
    NOW,
    PROFILE,
    a_caller,
    calls,
    limited,
)
from tests.unit.calls.test_service import REPORTED


def test_a_call_is_counted_before_anything_goes_upstream(endpoint: Upstream) -> None:
    service = calls(endpoint, ledger=limited())
    for _ in range(2):
        service.start_call(OFFER, PROFILE, a_caller())
    asked = len(endpoint.asked)
    with pytest.raises(Problem, match="too_many_live_calls"):
        service.start_call(OFFER, PROFILE, a_caller())
    assert len(endpoint.asked) == asked


def test_a_call_that_upstream_did_not_start_is_not_counted(endpoint: Upstream) -> None:
    ledger = limited()
    service = calls(endpoint, ledger=ledger)
    endpoint.on(CALLS, refusal(503))
    for _ in range(3):
        with pytest.raises(Problem, match="upstream_failed"):
            service.start_call(OFFER, PROFILE, a_caller())
    usage = ledger.usage_of("caller-1")
    assert (usage.live_calls, usage.starts_last_minute) == (0, 0)


USELESS = Said(201, b"none", {"Location": "/openai/v1/realtime/calls/rtc_1"})
"""A call is begun, and hung up because its answer is none."""


@pytest.mark.parametrize("said", [refusal(500), refusal(503), USELESS], ids=["500", "503", "201"])
def test_what_is_not_the_callers_fault_costs_no_start_and_is_bounded(
    endpoint: Upstream, said: Said
) -> None:
    ledger = limited()
    service = calls(endpoint, ledger=ledger)
    endpoint.on(CALLS, said)
    tries = LIMITED.starts_per_minute * TRIES_PER_START
    for _ in range(tries):
        with pytest.raises(Problem, match="upstream_failed"):
            service.start_call(OFFER, PROFILE, a_caller())
    assert ledger.usage_of("caller-1").starts_last_minute == 0
    asked = endpoint.count(CALLS)
    assert asked == tries
    for _ in range(20):
        with pytest.raises(Problem, match="too_many_starts"):
            service.start_call(OFFER, PROFILE, a_caller())
    assert endpoint.count(CALLS) == asked


@pytest.mark.parametrize("case", REPORTED, ids=lambda case: f"{case['status']} {case['source']}")
def test_an_operators_fault_costs_the_caller_no_start(
    endpoint: Upstream, case: dict[str, Any]
) -> None:
    ledger = limited()
    base = "/openai/v1/realtime" if case["provider"] == "azure" else "/v1/realtime"
    said = Said(case["status"], json.dumps(case["body"]).encode(), case.get("headers", {}))
    endpoint.on(f"{base}/{'client_secrets' if case['on'] == 'mint' else 'calls'}", said)
    service = calls(endpoint, case["provider"], ledger=ledger)
    with pytest.raises(Problem) as problem:
        service.start_call(OFFER, PROFILE, a_caller())
    assert problem.value.status >= 500
    usage = ledger.usage_of("caller-1")
    assert (usage.live_calls, usage.starts_last_minute) == (0, 0)


def test_a_gateways_refusal_of_its_key_is_not_taken_for_one_of_the_ephemeral_key(
    endpoint: Upstream,
) -> None:
    said = {"statusCode": 401, "message": "Access denied due to missing subscription key."}
    endpoint.on(CALLS, Said(401, json.dumps(said).encode()))
    with pytest.raises(Problem, match="gateway_key_refused"):
        calls(endpoint).start_call(OFFER, PROFILE, a_caller())
    assert (endpoint.count(MINT), endpoint.count(CALLS)) == (1, 1)


def test_a_refused_key_is_logged_with_the_reason(
    endpoint: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "broker")
    endpoint.on(CALLS, refusal(401, None, "Ephemeral token expired"), answer_reply())
    calls(endpoint).start_call(OFFER, PROFILE, a_caller())
    assert '"message": "Ephemeral token expired"' in caplog.text


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refused_offer_frees_the_line_and_still_counts_as_a_start(
    endpoint: Upstream, status: int
) -> None:
    ledger = limited()
    endpoint.on(CALLS, refusal(status, "invalid_offer" if status == 400 else None))
    with pytest.raises(Problem, match="offer_refused"):
        calls(endpoint, ledger=ledger).start_call(OFFER, PROFILE, a_caller())
    usage = ledger.usage_of("caller-1")
    assert (usage.live_calls, usage.starts_last_minute) == (0, 1)


def test_hanging_up_frees_the_line(endpoint: Upstream) -> None:
    ledger = limited()
    service = calls(endpoint, ledger=ledger)
    handle = service.start_call(OFFER, PROFILE, a_caller()).handle
    assert service.call_status(handle, a_caller())["status"] == "live"
    endpoint.on(f"{CALLS}/rtc_0123456789abcdef0123456789abcdef/hangup", Said(200))
    service.hang_up(handle, a_caller())
    assert ledger.usage_of("caller-1").live_calls == 0
    assert service.call_status(handle, a_caller())["status"] == "ended"


def test_a_key_counts_as_the_longest_call_that_it_may_start(endpoint: Upstream) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    endpoint.on(MINT, key_reply("ek_1", int((now + timedelta(seconds=60)).timestamp())))
    moments = [now]
    ledger = limited(lambda: moments[-1])
    service = calls(endpoint, ledger=ledger)
    service.issue_token(PROFILE, a_caller())
    service.issue_token(PROFILE, a_caller())
    with pytest.raises(Problem, match="too_many_live_calls"):
        service.start_call(OFFER, PROFILE, a_caller())
    moments.append(now + timedelta(minutes=15, seconds=59))
    assert ledger.usage_of("caller-1").live_calls == 2
    moments.append(now + timedelta(minutes=16, seconds=1))
    assert ledger.usage_of("caller-1").live_calls == 0


def test_a_registered_call_without_its_required_observer_is_ended(
    endpoint: Upstream,
) -> None:
    ledger = limited()
    service = calls(endpoint, ledger=ledger)
    place = f"{CALLS}/rtc_unwatched/hangup"
    endpoint.on(place, Said(200))

    def not_attached(_: str) -> bool:
        return False

    dispatcher = replace(service.dispatcher, attached=not_attached, attach_within=timedelta(0))
    service = replace(service, dispatcher=dispatcher)
    service.issue_token(PROFILE, a_caller())
    with pytest.raises(Problem, match="observer_unavailable"):
        service.register_call("rtc_unwatched", PROFILE, a_caller())
    assert endpoint.count(place) == 1
    assert ledger.usage_of("caller-1").live_calls == 1, "its key may have started others"
    (record,) = find_calls(service.dispatcher.records, CallSearch(), NOW).calls
    assert record.ended_by == "refused"


def test_a_registration_that_stopped_half_way_is_finished_by_the_next(endpoint: Upstream) -> None:
    service = calls(endpoint, ledger=limited())
    service.issue_token(PROFILE, a_caller())
    booking = service.ledger.register_call("caller-1", PROFILE.name, "rtc_1")
    record = new_record("rtc_1", booking, PROFILE, started_by=BY_KEY, endpoint="")
    service.dispatcher.claims.claim(record)
    handle = service.register_call("rtc_1", PROFILE, a_caller())
    assert service.call_status(handle, a_caller())["status"] == "live"
    (found,) = find_calls(service.dispatcher.records, CallSearch(), NOW).calls
    assert found.id == record.id
    assert endpoint.count(f"{CALLS}/rtc_1/hangup") == 0


def test_a_key_from_before_a_rotation_of_the_secret_is_still_the_callers(
    endpoint: Upstream,
) -> None:
    service = calls(endpoint, ledger=limited())
    service.issue_token(PROFILE, a_caller("old-id"))
    rotated = Caller("new-id", frozenset(), "anonymous", ("old-id",))
    handle = service.register_call("rtc_1", PROFILE, rotated)
    assert service.call_status(handle, rotated)["status"] == "live"
    assert service.call_status(service.register_call("rtc_1", PROFILE, rotated), rotated)


def test_a_handle_with_parts_of_a_later_release_is_opened(endpoint: Upstream) -> None:
    service = calls(endpoint)
    handle = service.start_call(OFFER, PROFILE, a_caller()).handle
    sealed = f"{HANDLES.open(handle, 'caller-1')}/and more"
    later = HANDLES.seal(sealed, "caller-1", NOW + timedelta(minutes=1))
    assert service.call_status(later, a_caller())["status"] == "live"


@pytest.mark.parametrize(
    "error", [StorageUnavailable("away"), KeyError("a bug"), KeyboardInterrupt()]
)
def test_a_call_that_cannot_be_dispatched_is_hung_up_whatever_the_reason(
    endpoint: Upstream, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    place = f"{CALLS}/rtc_0123456789abcdef0123456789abcdef/hangup"
    endpoint.on(place, Said(200))
    ledger = limited()
    service = calls(endpoint, ledger=ledger)

    def insert(*_: object) -> None:
        raise error

    monkeypatch.setattr(Records, "insert", insert)
    with pytest.raises((Problem, KeyError, KeyboardInterrupt)):
        service.start_call(OFFER, PROFILE, a_caller())
    assert endpoint.count(place) == 1
    assert ledger.usage_of("caller-1").live_calls == 0


@pytest.mark.parametrize(("hung_up", "counted"), [(Said(204), 0), (refusal(403, "x"), 1)])
def test_a_refused_call_counts_until_it_is_hung_up(
    endpoint: Upstream, hung_up: Said, counted: int
) -> None:
    endpoint.on(f"{CALLS}/rtc_0123456789abcdef0123456789abcdef/hangup", hung_up)
    ledger = Ledger(MemoryTable(), Limits(live_calls=1, starts_per_minute=1), clock=lambda: NOW)
    service = calls(endpoint, ledger=ledger)
    unattended = replace(service.dispatcher, attached=lambda _: False, attach_within=timedelta(0))
    with pytest.raises(Problem, match="observer_unavailable"):
        replace(service, dispatcher=unattended).start_call(OFFER, PROFILE, a_caller())
    usage = ledger.usage_of("caller-1")
    assert (usage.live_calls, usage.starts_last_minute) == (counted, counted)


@pytest.mark.parametrize(
    ("granted", "counted_for"),
    [
        (timedelta(seconds=60), timedelta(minutes=16)),
        (timedelta(hours=1), timedelta(hours=1, minutes=15)),
        (timedelta(days=900), timedelta(hours=2, minutes=15)),
    ],
)
def test_a_key_counts_for_the_life_that_it_is_granted(
    endpoint: Upstream, granted: timedelta, counted_for: timedelta
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    clock = Clock(now)
    endpoint.on(MINT, key_reply("ek_1", int((now + granted).timestamp())))
    ledger = Ledger(MemoryTable(), Limits(live_calls=1), clock=clock)
    calls(endpoint, ledger=ledger).issue_token(PROFILE, a_caller())
    clock.now = now + counted_for - timedelta(seconds=1)
    assert ledger.usage_of("caller-1").live_calls == 1
    clock.now = now + counted_for
    assert ledger.usage_of("caller-1").live_calls == 0
