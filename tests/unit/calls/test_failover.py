"""Starts and keys over several endpoints: where they go, and what is never sent twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.auth.caller import Caller
from shared.calls import failover
from shared.calls.removed_endpoint import OVER_AT
from shared.calls.service import CallService
from shared.config.voice_api import LIVE, REALTIME
from shared.core.problems import Problem
from shared.realtime import key_patience
from tests.support.scripted_endpoint import (
    RESET,
    STALL,
    Said,
    Upstream,
    answer_reply,
    key_reply,
    refusal,
    upstream,
)
from tests.unit.calls.services import (
    CALLS,
    HANDLES,
    MINT,
    NOW,
    PROFILE,
    a_caller,
    calls_over,
    endpoint_at,
    limited,
)

OFFER = b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=application 9 UDP/DTLS/SCTP webrtc\r\n"
FRANCE_CALL = "rtc_ffffffffffffffffffffffffffffffff"
SWEDEN_CALL = "rtc_55555555555555555555555555555555"
LIVE_PROFILE = replace(PROFILE, name="live", api=LIVE)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


class Pair:
    """Two endpoints that both work, and a caller who belongs to sweden."""

    def __init__(self, sweden: Upstream, france: Upstream) -> None:
        self.sweden, self.france = sweden, france
        for endpoint, call in ((sweden, SWEDEN_CALL), (france, FRANCE_CALL)):
            endpoint.on(MINT, key_reply())
            endpoint.on(CALLS, answer_reply(f"/v1/realtime/calls/{call}"))
            endpoint.on(f"{CALLS}/{call}/hangup", Said(200))
        self.clock = Clock()
        self.service = self.open()
        self.caller = self.caller_of("sweden")

    def open(self) -> CallService:
        return calls_over(
            endpoint_at(self.sweden.url, name="sweden"),
            endpoint_at(self.france.url, name="france", models={"m": "deployed-here"}),
            ledger=limited(),
            clock=self.clock,
        )

    def caller_of(self, name: str) -> Caller:
        names = (f"caller-{number}" for number in range(100))
        choice = self.service.failover.endpoints.choice
        return next(
            a_caller(each) for each in names if choice.choose(each, "m", NOW)[0].name == name
        )

    def start(self) -> str:
        """The endpoint on the record of a call that begins."""
        handle = self.service.start_call(OFFER, PROFILE, self.caller).handle
        sealed = self.service.open_handle(handle, self.caller)
        record = self.service.dispatcher.records.get(sealed.record_id)
        assert sealed.endpoint == record.endpoint
        return record.endpoint

    def asked(self) -> tuple[int, int]:
        """How many offers each has been sent."""
        return self.sweden.count(CALLS), self.france.count(CALLS)

    def states(self) -> dict[str, str | None]:
        choice = self.service.failover.endpoints.choice
        return {each.name: each.reason for each in choice.state(self.clock())}


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(stack.enter_context(upstream()), stack.enter_context(upstream()))


def test_a_call_belongs_to_its_callers_endpoint_from_key_to_hang_up(pair: Pair) -> None:
    handle = pair.service.start_call(OFFER, PROFILE, pair.caller).handle
    pair.service.hang_up(handle, pair.caller)
    assert pair.sweden.count(f"{CALLS}/{SWEDEN_CALL}/hangup") == 1
    assert pair.france.asked == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (refusal(429), "quota"),
        (Said(503), "unreachable"),
        (RESET, "unreachable"),
        (refusal(404, "DeploymentNotFound"), "model_missing"),
        (refusal(401), "refused"),
    ],
)
def test_a_key_that_one_endpoint_does_not_give_comes_from_the_next(
    pair: Pair, said: Said, reason: str
) -> None:
    pair.sweden.on(MINT, said)
    assert pair.start() == "france"
    assert pair.states() == {"sweden": reason, "france": None}
    assert pair.sweden.count(MINT) == 1, "another endpoint is asked sooner than this one again"
    assert pair.france.asked[0].json()["session"]["model"] == "deployed-here"
    assert pair.start() == "france"
    assert pair.sweden.count(MINT) == 1, "it is left alone"


@pytest.mark.parametrize("why", ["the other one cools", "the other one has not that model"])
@pytest.mark.parametrize("said", [Said(503), RESET])
def test_the_only_endpoint_that_can_give_a_key_is_asked_again(
    pair: Pair, why: str, said: Said
) -> None:
    profile = PROFILE
    if why == "the other one cools":
        choice = pair.service.failover.endpoints.choice
        choice.cool_down("france", NOW + timedelta(seconds=15), "unreachable")
    else:
        profile = replace(PROFILE, session={**PROFILE.session, "model": "of-sweden-alone"})
    pair.sweden.on(MINT, said, key_reply())
    handle = pair.service.start_call(OFFER, profile, pair.caller).handle
    assert pair.service.open_handle(handle, pair.caller).endpoint == "sweden"
    pair.sweden.on(MINT, said, key_reply())
    assert pair.service.issue_token(profile, pair.caller).endpoint == pair.sweden.url
    assert (pair.sweden.count(MINT), pair.france.asked) == (4, [])
    assert pair.states()["sweden"] is None


def test_the_log_says_which_endpoint_it_was(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pair.sweden.on(MINT, refusal(429))
    pair.start()
    pair.clock.now += timedelta(minutes=1)
    pair.sweden.on(MINT, RESET)
    pair.start()
    for event in ("upstream refused", "upstream unreachable", "endpoint cooling"):
        (line,) = [each for each in caplog.messages if each.startswith(event)][:1]
        assert json.loads(line.removeprefix(event))["endpoint"] == "sweden"
    started = [each for each in caplog.messages if each.startswith("call started")]
    assert all('"endpoint": "france"' in each for each in started)


def test_an_endpoint_is_left_alone_for_as_long_as_it_asks(pair: Pair) -> None:
    pair.sweden.on(MINT, replace(refusal(429), headers={"Retry-After": "55"}), key_reply())
    assert pair.start() == "france"
    pair.clock.now += timedelta(seconds=56)
    assert pair.start() == "sweden"


@pytest.mark.parametrize("said", [refusal(429), refusal(503, "NoCapacity"), refusal(403)])
def test_an_offer_goes_to_another_endpoint_after_a_definite_refusal(pair: Pair, said: Said) -> None:
    pair.sweden.on(CALLS, said)
    assert pair.start() == "france"
    assert pair.asked() == (1, 1)


@pytest.mark.parametrize("said", [RESET, STALL, Said(502), refusal(500), Said(503), refusal(408)])
def test_an_offer_whose_answer_is_lost_goes_nowhere_else(pair: Pair, said: Said) -> None:
    pair.service = replace(
        pair.service, policy=replace(pair.service.policy, budget=timedelta(seconds=0.5))
    )
    pair.sweden.on(CALLS, said)
    with pytest.raises(Problem):
        pair.start()
    assert pair.asked() == (1, 0), "never two calls for one offer"
    assert pair.service.ledger.usage_of(pair.caller.id).live_calls == 0
    assert pair.states()["sweden"] == "unreachable", "the next caller goes elsewhere"
    assert pair.start() == "france"


def test_an_offer_that_is_no_good_anywhere_is_sent_once(pair: Pair) -> None:
    pair.sweden.on(CALLS, refusal(400, "invalid_offer"))
    with pytest.raises(Problem, match="offer_refused"):
        pair.start()
    assert pair.asked() == (1, 0)
    assert pair.states() == {"sweden": None, "france": None}


def test_an_endpoint_that_nobody_listens_at_costs_its_callers_nothing() -> None:
    with upstream() as sweden, upstream() as france:
        pair = Pair(sweden, france)
        pair.sweden.url = "http://127.0.0.1:9"
        pair.service = pair.open()
        assert pair.start() == "france"


def test_a_warm_key_whose_endpoint_is_gone_leads_to_another_endpoint(pair: Pair) -> None:
    assert pair.start() == "sweden"
    pair.sweden.on(CALLS, refusal(401))
    pair.sweden.on(MINT, refusal(401))
    assert pair.start() == "france"


def test_if_all_refuse_the_caller_is_told_the_shortest_wait(pair: Pair) -> None:
    pair.sweden.on(MINT, replace(refusal(429), headers={"Retry-After": "50"}))
    pair.france.on(MINT, replace(refusal(429), headers={"Retry-After": "20"}))
    with pytest.raises(Problem, match="upstream_quota") as refused:
        pair.start()
    assert refused.value.retry_after == timedelta(seconds=20)
    assert pair.service.ledger.usage_of(pair.caller.id).live_calls == 0
    pair.sweden.on(MINT, key_reply())
    pair.france.on(MINT, key_reply())
    assert pair.start() == "france", "the one that is soonest is tried all the same"


def test_an_endpoint_that_is_back_early_is_found_when_no_other_has_room(pair: Pair) -> None:
    pair.sweden.on(MINT, RESET)
    assert pair.start() == "france"
    pair.sweden.on(MINT, key_reply())
    assert pair.start() == "france", "it is left alone for a while"
    for path in (MINT, CALLS):
        pair.france.on(path, refusal(429))
    pair.caller = a_caller("another")
    assert pair.start() == "sweden"
    assert pair.states() == {"sweden": None, "france": "quota"}


def test_a_model_that_no_endpoint_has_starts_no_call(pair: Pair) -> None:
    pair.service.failover.endpoints.choice.by_name.clear()
    with pytest.raises(Problem, match="deployment_not_found"):
        pair.start()
    assert pair.service.ledger.usage_of(pair.caller.id).live_calls == 0


def test_a_call_of_gpt_live_is_created_once_or_elsewhere(pair: Pair) -> None:
    sessions = "/openai/v1/live/sessions"
    pair.france.on(
        sessions,
        Said(
            201,
            b'{"session":{"id":"live_u0_1"},"transport":{"sdp":"v=0\\r\\n"}}',
        ),
    )
    pair.sweden.on(sessions, refusal(429))
    started = pair.service.start_call(OFFER, LIVE_PROFILE, pair.caller)
    assert pair.service.open_handle(started.handle, pair.caller).endpoint == "france"
    pair.clock.now += timedelta(minutes=1)
    pair.sweden.on(sessions, RESET)
    with pytest.raises(Problem):
        pair.service.start_call(OFFER, LIVE_PROFILE, pair.caller)
    assert (pair.sweden.count(sessions), pair.france.count(sessions)) == (2, 1)
    (left,) = [
        record
        for record in pair.service.dispatcher.records.of_day(NOW.date())
        if record.endpoint == "sweden"
    ]
    assert left.ended_by == "no answer", "it is on record where it may run"


def test_a_model_that_one_profile_delegates_to_keeps_nobody_else_from_its_endpoint(
    pair: Pair,
) -> None:
    error = {"code": "model_not_found", "param": "session.delegation.responses.model"}
    sessions = "/openai/v1/live/sessions"
    pair.sweden.on(sessions, Said(404, json.dumps({"error": error}).encode()))
    begun = {"session": {"id": "live_u0_1"}, "transport": {"sdp": "v=0\r\n"}}
    pair.france.on(sessions, Said(201, json.dumps(begun).encode()))
    started = pair.service.start_call(OFFER, LIVE_PROFILE, pair.caller)
    assert pair.service.open_handle(started.handle, pair.caller).endpoint == "france"
    assert pair.states() == {"sweden": None, "france": None}
    assert pair.start() == "sweden", "another profile with that model"


@pytest.mark.parametrize("way", ["for a page", "for an offer"])
def test_a_key_is_not_waited_for_at_one_endpoint_alone(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(key_patience, "IMPATIENT_BUDGET", timedelta(seconds=0.2))
    monkeypatch.setattr(failover, "FAIR_TRY", timedelta(seconds=0.1))
    policy = replace(pair.service.policy, budget=timedelta(seconds=1))
    pair.service = replace(pair.service, policy=policy)
    pair.sweden.on(MINT, STALL)
    if way == "for an offer":
        assert pair.start() == "france"
    else:
        assert pair.service.issue_token(PROFILE, pair.caller).endpoint == pair.france.url
    assert pair.states()["sweden"] == "unreachable"


def test_a_registered_call_is_at_the_endpoint_of_its_key(pair: Pair) -> None:
    token = pair.service.issue_token(PROFILE, pair.caller)
    assert token.endpoint == pair.sweden.url
    pair.sweden.on(MINT, refusal(429))
    other = pair.service.issue_token(PROFILE, pair.caller)
    assert (other.endpoint, other.model) == (pair.france.url, "deployed-here")
    handle = pair.service.register_call(FRANCE_CALL, PROFILE, pair.caller, other.endpoint)
    pair.service.hang_up(handle, pair.caller)
    assert pair.france.count(f"{CALLS}/{FRANCE_CALL}/hangup") == 1
    with pytest.raises(Problem, match="registration_refused"):
        pair.service.register_call("rtc_" + "1" * 32, PROFILE, pair.caller, other.endpoint)
    handle = pair.service.register_call(SWEDEN_CALL, PROFILE, pair.caller)
    pair.service.hang_up(handle, pair.caller)
    assert pair.sweden.count(f"{CALLS}/{SWEDEN_CALL}/hangup") == 1


def test_the_calls_of_an_endpoint_that_was_removed_count_until_they_must_be_over(
    pair: Pair,
) -> None:
    pair.sweden.on(MINT, refusal(429))
    handle = pair.service.start_call(OFFER, PROFILE, pair.caller).handle
    alone = calls_over(endpoint_at(pair.sweden.url, name="sweden"), ledger=pair.service.ledger)
    terminator = replace(
        pair.service.terminator, voices=alone.failover.endpoints.clients, clock=pair.clock
    )
    pair.service = replace(pair.service, terminator=terminator)
    with pytest.raises(Problem, match="endpoint_removed"):
        pair.service.hang_up(handle, pair.caller)
    record_id = pair.service.open_handle(handle, pair.caller).record_id
    assert pair.service.ledger.usage_of(pair.caller.id).live_calls == 1
    assert pair.sweden.count(f"{CALLS}/{FRANCE_CALL}/hangup") == 0, "another account's 404"
    with pytest.raises(Problem, match="endpoint_removed"):
        terminator.end_expired_call(record_id)
    pair.clock.now += OVER_AT[REALTIME]
    terminator.end_expired_call(record_id)
    assert terminator.records.get(record_id).settled_by == "outlived"
    assert pair.service.ledger.usage_of(pair.caller.id).live_calls == 0


def test_handles_and_records_that_name_no_endpoint_belong_to_the_default_one(pair: Pair) -> None:
    old = calls_over(endpoint_at(pair.sweden.url), ledger=limited())
    handle = old.start_call(OFFER, PROFILE, pair.caller).handle
    sealed = HANDLES.open(handle, pair.caller.id)
    assert sealed.count("/") == 2, "as an older release seals it"
    pair.service.hang_up(handle, pair.caller)
    assert pair.sweden.count(f"{CALLS}/{SWEDEN_CALL}/hangup") == 1


def test_instructions_that_cannot_be_read_keep_nobody_from_any_endpoint(pair: Pair) -> None:
    broken = replace(PROFILE, name="broken", instructions_secret="not-there")
    for start in (
        lambda: pair.service.start_call(OFFER, broken, pair.caller),
        lambda: pair.service.issue_token(broken, pair.caller),
    ):
        with pytest.raises(Problem, match="vault_secret_unavailable"):
            start()
    assert pair.states() == {"sweden": None, "france": None}
    assert pair.service.ledger.usage_of(pair.caller.id).live_calls == 0


def test_a_caller_over_a_limit_does_not_take_the_one_try_of_an_endpoint(pair: Pair) -> None:
    for _ in range(2):
        pair.service.issue_token(PROFILE, pair.caller)
    choice = pair.service.failover.endpoints.choice
    choice.cool_down("sweden", NOW + timedelta(seconds=15), "unreachable")
    pair.clock.now += timedelta(seconds=16)
    with pytest.raises(Problem, match="too_many_live_calls"):
        pair.service.issue_token(PROFILE, pair.caller)
    assert choice.choose(pair.caller.id, "m", pair.clock())[0].name == "sweden"


def test_an_endpoint_is_not_blamed_for_time_that_another_took(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_patience, "IMPATIENT_BUDGET", timedelta(seconds=0.3))
    monkeypatch.setattr(failover, "FAIR_TRY", timedelta(seconds=0.3))
    policy = replace(pair.service.policy, budget=timedelta(seconds=0.4))
    pair.service = replace(pair.service, policy=policy)
    for endpoint in (pair.sweden, pair.france):
        endpoint.on(MINT, STALL)
    with pytest.raises(Problem, match="upstream_timeout"):
        pair.service.issue_token(PROFILE, pair.caller)
    assert pair.states() == {"sweden": "unreachable", "france": None}
    assert pair.france.asked == []
