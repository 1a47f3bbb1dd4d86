"""CallService against a scripted endpoint: what is sent, how often, and what comes back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.auth.caller import Caller
from shared.calls.dispatch import CallDispatcher
from shared.calls.handles import Handles
from shared.calls.records import BY_KEY, Records
from shared.calls.service import CallPolicy, CallService, new_record
from shared.calls.termination import CallTerminator
from shared.config.env import Provider
from shared.config.profiles import Profile
from shared.config.settings import Limits
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.credentials.private_instructions import complete_profile
from shared.limits.ledger_store import Ledger
from shared.limits.limit_rules import TRIES_PER_START
from shared.realtime.client import RealtimeClient
from shared.realtime.ephemeral_key_cache import EphemeralKeyCache
from shared.storage.interfaces import StorageUnavailable
from shared.storage.memory import MemoryStorage, MemoryTable
from tests.support.clock import Clock
from tests.support.fixed_credential import FixedCredential
from tests.support.offers import OFFER
from tests.support.scripted_endpoint import (
    ANSWER,
    Said,
    Upstream,
    answer_reply,
    key_reply,
    refusal,
    upstream,
)
from tests.support.vaults import FixedVault

MINT = "/openai/v1/realtime/client_secrets"
CALLS = "/openai/v1/realtime/calls"
PROFILE = Profile("default", {"type": "realtime", "model": "m", "instructions": "hidden words"})
NOW = datetime(2026, 1, 1, tzinfo=UTC)


SECRET = "a secret of the broker, for tests"
HANDLES = Handles(SECRET, clock=lambda: NOW)


def a_caller(name: str = "caller-1") -> Caller:
    return Caller(name, frozenset(), "anonymous")


VAULT = FixedVault({"hidden": "instructions of the vault"})
POOL = ThreadPoolExecutor(4)
UNLIMITED = Limits(starts_per_minute=0, live_calls=0)


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        script.on(MINT, key_reply("ek_1"))
        script.on(CALLS, answer_reply())
        script.on("/v1/realtime/calls", answer_reply())
        script.on("/v1/realtime/client_secrets", key_reply("ek_1"))
        yield script


def calls(
    endpoint: Upstream,
    provider: Provider = "azure",
    ledger: Ledger | None = None,
    **policy: Any,
) -> CallService:
    session = requests.Session()
    session.trust_env = False
    client = RealtimeClient(provider, endpoint.url, FixedCredential(), session)
    storage = MemoryStorage()
    counting = ledger or Ledger(storage.table("ledger"), UNLIMITED, clock=lambda: NOW)
    dispatcher = CallDispatcher(
        records=Records(storage.table("calls")),
        end_queue=storage.queue("end-call"),
        observe_queue=storage.queue("observe-call"),
        pool=POOL,
        clock=lambda: NOW,
    )
    keys = EphemeralKeyCache(
        lambda profile, life: client.mint_key(
            complete_profile(profile, VAULT),
            life,
            Deadline.after(timedelta(seconds=5)),
        ),
        clock=lambda: NOW,
    )
    return CallService(
        client=client,
        keys=keys,
        handles=lambda: HANDLES,
        ledger=counting,
        dispatcher=dispatcher,
        terminator=CallTerminator(
            client, counting, dispatcher.records, dispatcher.end_queue, lambda: NOW
        ),
        vault=VAULT,
        policy=CallPolicy(
            endpoint.url,
            call_length=timedelta(minutes=15),
            token_life=timedelta(seconds=60),
            tells_who_calls=provider == "openai",
            **policy,
        ),
    )


def test_a_call_starts_with_the_answer_and_a_handle_that_ends_soon_after_it(
    endpoint: Upstream,
) -> None:
    started = calls(endpoint).start_call(OFFER, PROFILE, a_caller())
    assert started.sdp == ANSWER
    late = Handles(SECRET, clock=lambda: NOW + timedelta(minutes=25))
    sealed = HANDLES.open(started.handle, "caller-1")
    assert sealed.startswith("rtc_0123456789abcdef0123456789abcdef/caller-1.")
    with pytest.raises(Problem, match="call_not_found"):
        late.open(started.handle, "caller-1")
    assert endpoint.asked[-1].body == OFFER
    assert ANSWER not in repr(started)


def test_one_warm_start_is_one_upstream_request(endpoint: Upstream) -> None:
    service = calls(endpoint)
    service.start_call(OFFER, PROFILE, a_caller())
    for _ in range(3):
        before = len(endpoint.asked)
        service.start_call(OFFER, PROFILE, a_caller())
        assert len(endpoint.asked) - before == 1
    assert (endpoint.count(MINT), endpoint.count(CALLS)) == (1, 4)


def test_many_cold_starts_at_once_mint_one_key(endpoint: Upstream) -> None:
    service = calls(endpoint)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: service.start_call(OFFER, PROFILE, a_caller()), range(16)))
    assert (endpoint.count(MINT), endpoint.count(CALLS)) == (1, 16)


def test_a_bad_offer_never_goes_upstream(endpoint: Upstream) -> None:
    with pytest.raises(Problem, match="offer_without_audio"):
        calls(endpoint).start_call(b"v=0\r\n", PROFILE, a_caller())
    assert endpoint.asked == []


def test_a_key_that_upstream_forgot_is_replaced_within_the_request(endpoint: Upstream) -> None:
    service = calls(endpoint)
    service.start_call(OFFER, PROFILE, a_caller())
    endpoint.on(MINT, key_reply("ek_2"))
    endpoint.on(CALLS, refusal(401, None, "Ephemeral token expired"), answer_reply())
    assert service.start_call(OFFER, PROFILE, a_caller()).sdp == ANSWER
    assert endpoint.asked[-1].headers["authorization"] == "Bearer ek_2"


def test_a_fresh_key_that_is_refused_too_fails_the_start(endpoint: Upstream) -> None:
    endpoint.on(CALLS, refusal(401))
    with pytest.raises(Problem, match="ephemeral_key_refused"):
        calls(endpoint).start_call(OFFER, PROFILE, a_caller())
    assert (endpoint.count(MINT), endpoint.count(CALLS)) == (2, 2)


def test_openai_needs_no_key_and_is_told_who_calls(endpoint: Upstream) -> None:
    calls(endpoint, "openai").start_call(OFFER, PROFILE, a_caller("f" * 40))
    (asked,) = endpoint.asked
    assert asked.path == "/v1/realtime/calls"
    assert asked.headers["openai-safety-identifier"] == "f" * 40


def test_azure_is_not_told_who_calls(endpoint: Upstream) -> None:
    service = calls(endpoint)
    service.issue_token(PROFILE, a_caller())
    service.start_call(OFFER, PROFILE, a_caller())
    assert all("openai-safety-identifier" not in asked.headers for asked in endpoint.asked)


def test_a_token_is_short_its_own_and_without_the_session(endpoint: Upstream) -> None:
    service = calls(endpoint)
    token = service.issue_token(PROFILE, a_caller()).public()
    assert endpoint.asked[0].json()["expires_after"]["seconds"] == 60
    assert token == {
        "token": "ek_1",
        "value": "ek_1",
        "expires_at": 4_000_000_000,
        "url": f"{endpoint.url}/openai/v1/realtime/calls?webrtcfilter=on",
        "endpoint": endpoint.url,
        "model": "m",
    }
    service.issue_token(PROFILE, a_caller())
    assert endpoint.count(MINT) == 2, "no key is handed to two callers"


def test_a_token_for_openai_is_bound_to_who_asked(endpoint: Upstream) -> None:
    calls(endpoint, "openai").issue_token(PROFILE, a_caller("f" * 40))
    assert endpoint.asked[0].headers["openai-safety-identifier"] == "f" * 40


@pytest.mark.parametrize("provider", ["azure", "openai"])
def test_private_instructions_go_upstream_and_nowhere_else(
    endpoint: Upstream, provider: Provider
) -> None:
    private = Profile("private", {"type": "realtime", "model": "m"}, instructions_secret="hidden")
    service = calls(endpoint, provider)
    token = service.issue_token(private, a_caller()).public()
    assert endpoint.asked[-1].json()["session"]["instructions"] == "instructions of the vault"
    assert "instructions of the vault" not in str(token)
    service.start_call(OFFER, private, a_caller())
    assert any(b"instructions of the vault" in asked.body for asked in endpoint.asked[1:])


def test_the_token_endpoint_can_be_off(endpoint: Upstream) -> None:
    with pytest.raises(Problem, match="token_endpoint_off"):
        calls(endpoint, token_endpoint=False).issue_token(PROFILE, a_caller())
    assert endpoint.asked == []


def test_only_the_caller_hangs_up_and_may_do_so_twice(endpoint: Upstream) -> None:
    service = calls(endpoint)
    handle = service.start_call(OFFER, PROFILE, a_caller()).handle
    place = f"{CALLS}/rtc_0123456789abcdef0123456789abcdef/hangup"
    endpoint.on(place, Said(200), refusal(404, "call_id_not_found"))
    with pytest.raises(Problem, match="call_not_found"):
        service.hang_up(handle, a_caller("another"))
    assert endpoint.count(place) == 0
    service.hang_up(handle, a_caller())
    service.hang_up(handle, a_caller())
    assert endpoint.count(place) == 2


LIMITED = Limits(starts_per_minute=10, live_calls=2)


def limited(now: Callable[[], datetime] = lambda: NOW) -> Ledger:
    return Ledger(MemoryStorage().table("ledger"), LIMITED, clock=now)


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


REPORTED: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[2] / "fixtures/cases/upstream-errors.json").read_text()
)


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
    (record,) = service.dispatcher.records.newest(NOW)
    assert record.ended_by == "refused"


def test_a_registration_that_stopped_half_way_is_finished_by_the_next(endpoint: Upstream) -> None:
    service = calls(endpoint, ledger=limited())
    service.issue_token(PROFILE, a_caller())
    booking = service.ledger.register_call("caller-1", PROFILE.name, "rtc_1")
    record = new_record("rtc_1", booking, PROFILE, started_by=BY_KEY)
    service.dispatcher.claims.claim(record)
    handle = service.register_call("rtc_1", PROFILE, a_caller())
    assert service.call_status(handle, a_caller())["status"] == "live"
    (found,) = service.dispatcher.records.newest(NOW)
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
