"""CallService against a scripted endpoint: what is sent, how often, and what comes back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.calls.handles import Handles
from shared.config.env import Provider
from shared.config.profiles import Profile
from shared.core.problems import Problem
from tests.support.offers import OFFER
from tests.support.scripted_endpoint import (
    ANSWER,
    Said,
    Upstream,
    answer_reply,
    key_reply,
    refusal,
)
from tests.unit.calls.services import CALLS, HANDLES, MINT, NOW, PROFILE, SECRET, a_caller, calls


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


REPORTED: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[2] / "fixtures/cases/upstream-errors.json").read_text()
)
