from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests

from shared.config.env import Provider
from shared.config.profiles import Profile
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.realtime.client import EphemeralKeyRefused, RealtimeClient
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.upstream.transport import Timeouts
from tests.support.fixed_credential import FixedCredential
from tests.support.scripted_endpoint import (
    ANSWER,
    RESET,
    STALL,
    Fault,
    Said,
    Upstream,
    answer_reply,
    key_reply,
    refusal,
    upstream,
)

MINT = "/openai/v1/realtime/client_secrets"
CALLS = "/openai/v1/realtime/calls"
PROFILE = Profile("default", {"type": "realtime", "model": "gpt-realtime"})
UNFILTERED = Profile("open", PROFILE.session, filtered=False)
KEY = EphemeralKey("ek_given", datetime(2030, 1, 1, tzinfo=UTC))
TIMEOUTS = Timeouts(backoff=timedelta(milliseconds=1))
QUICK = replace(TIMEOUTS, read=timedelta(seconds=0.3))
"""For an endpoint that stalls; a busy machine needs longer for one that replies."""


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        yield script


@pytest.fixture
def slept() -> list[float]:
    return []


def client(
    endpoint: Upstream,
    slept: list[float],
    provider: Provider = "azure",
    timeouts: Timeouts = TIMEOUTS,
) -> RealtimeClient:
    session = requests.Session()
    session.trust_env = False
    return RealtimeClient(
        provider, endpoint.url, FixedCredential(), session, timeouts=timeouts, sleep=slept.append
    )


def soon(seconds: float = 30) -> Deadline:
    return Deadline.after(timedelta(seconds=seconds))


def test_minting_sends_the_session_and_the_life_and_reads_the_real_expiry(
    endpoint: Upstream, slept: list[float]
) -> None:
    endpoint.on(MINT, key_reply("ek_new", 1_900_000_000))
    key = client(endpoint, slept).mint_key(PROFILE, timedelta(seconds=60), soon())
    (asked,) = endpoint.asked
    assert asked.path == MINT, "no api-version: the GA endpoint refuses it"
    assert asked.json() == {
        "expires_after": {"anchor": "created_at", "seconds": 60},
        "session": {"type": "realtime", "model": "gpt-realtime"},
    }
    assert asked.headers["authorization"] == "Bearer identity"
    assert key == EphemeralKey("ek_new", datetime.fromtimestamp(1_900_000_000, UTC))
    assert "ek_new" not in repr(key)


def test_minting_is_retried_where_that_is_safe(endpoint: Upstream, slept: list[float]) -> None:
    endpoint.on(MINT, refusal(503), RESET, refusal(429), key_reply())
    client(endpoint, slept).mint_key(PROFILE, timedelta(seconds=60), soon())
    assert endpoint.count(MINT) == 4
    assert len(slept) == 3
    assert sorted(slept) == slept


def test_retry_after_is_honoured_inside_the_budget(endpoint: Upstream, slept: list[float]) -> None:
    limited = Said(429, b"{}", {"Retry-After": "7"})
    endpoint.on(MINT, limited, key_reply())
    client(endpoint, slept).mint_key(PROFILE, timedelta(seconds=60), soon())
    assert 7 <= slept[0] < 10


def test_a_retry_after_beyond_the_budget_is_passed_to_the_caller(
    endpoint: Upstream, slept: list[float]
) -> None:
    endpoint.on(MINT, Said(429, b"{}", {"Retry-After": "120"}))
    with pytest.raises(Problem) as problem:
        client(endpoint, slept).mint_key(PROFILE, timedelta(seconds=60), soon())
    assert problem.value.code == "upstream_quota"
    assert problem.value.headers["Retry-After"] == "120"
    assert (endpoint.count(MINT), slept) == (1, [])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (refusal(401, "PermissionDenied"), "upstream_access_denied"),
        (refusal(403, None, "not available in this region"), "upstream_region"),
        (refusal(403), "upstream_forbidden"),
        (refusal(404, "DeploymentNotFound"), "deployment_not_found"),
        (refusal(400, "OpperationNotSupported"), "not_a_realtime_model"),
        (refusal(404, "OpperationNotSupported"), "not_a_realtime_model"),
        (refusal(400, "unknown_parameter"), "profile_refused"),
        (refusal(429), "upstream_quota"),
        (refusal(500), "upstream_failed"),
        (Said(200, b"not json"), "upstream_failed"),
        (Said(200, b'{"value": 7}'), "upstream_failed"),
        (Said(401, b""), "upstream_access_denied"),
        (Said(302, b"", {"Location": "https://elsewhere.example"}), "upstream_failed"),
        (Said(200, b"x" * 300_000), "upstream_failed"),
        (RESET, "upstream_unreachable"),
        (STALL, "upstream_timeout"),
    ],
)
def test_every_failure_is_a_problem_without_upstreams_words(
    endpoint: Upstream, slept: list[float], said: Said | Fault, code: str
) -> None:
    endpoint.on(MINT, said)
    api = client(endpoint, slept, timeouts=QUICK if said is STALL else TIMEOUTS)
    with pytest.raises(Problem) as problem:
        api.mint_key(PROFILE, timedelta(seconds=60), soon())
    assert problem.value.code == code
    assert "words of upstream" not in str(problem.value.body("id"))


@pytest.mark.parametrize("said", [refusal(401), refusal(429, "insufficient_quota")])
def test_a_lasting_refusal_is_not_retried(
    endpoint: Upstream, slept: list[float], said: Said
) -> None:
    endpoint.on(MINT, said)
    with pytest.raises(Problem):
        client(endpoint, slept).mint_key(PROFILE, timedelta(seconds=60), soon())
    assert endpoint.count(MINT) == 1


def test_azure_negotiates_with_the_key_the_raw_offer_and_the_filter(
    endpoint: Upstream, slept: list[float]
) -> None:
    endpoint.on(CALLS, answer_reply())
    answer = client(endpoint, slept).negotiate("v=0 offer", KEY, PROFILE, soon())
    (asked,) = endpoint.asked
    assert asked.path == CALLS + "?webrtcfilter=on"
    assert asked.body == b"v=0 offer"
    assert asked.headers["content-type"] == "application/sdp"
    assert asked.headers["authorization"] == "Bearer ek_given"
    assert (answer.sdp, answer.call_id) == (ANSWER, "rtc_0123456789abcdef0123456789abcdef")


def test_a_profile_may_turn_the_filter_off(endpoint: Upstream, slept: list[float]) -> None:
    endpoint.on(CALLS, answer_reply())
    client(endpoint, slept).negotiate("v=0", KEY, UNFILTERED, soon())
    assert endpoint.asked[0].path == CALLS


@pytest.mark.parametrize(
    "location",
    [
        "/v1/realtime/calls/rtc_u2_E4xw9V7Wm6",
        "/openai/v1/realtime/calls/rtc_u2_E4xw9V7Wm6?x=1",
        "https://demo.openai.azure.com/v1/realtime/calls/rtc_u2_E4xw9V7Wm6/",
    ],
)
def test_the_call_id_is_the_last_part_of_location(
    endpoint: Upstream, slept: list[float], location: str
) -> None:
    endpoint.on(CALLS, answer_reply(location))
    answer = client(endpoint, slept).negotiate("v=0", KEY, PROFILE, soon())
    assert answer.call_id == "rtc_u2_E4xw9V7Wm6"


@pytest.mark.parametrize("location", ["", "/calls/", "/calls/other_1", "/calls/rtc_a/../rtc b"])
def test_an_answer_without_a_call_id_is_a_failure(
    endpoint: Upstream, slept: list[float], location: str
) -> None:
    endpoint.on(CALLS, answer_reply(location))
    with pytest.raises(Problem, match="upstream_failed"):
        client(endpoint, slept).negotiate("v=0", KEY, PROFILE, soon())


@pytest.mark.parametrize("said", [RESET, STALL, refusal(503), refusal(429)])
def test_an_offer_is_never_sent_twice(endpoint: Upstream, slept: list[float], said: object) -> None:
    endpoint.on(CALLS, said)
    api = client(endpoint, slept, timeouts=QUICK if said is STALL else TIMEOUTS)
    with pytest.raises(Problem):
        api.negotiate("v=0", KEY, PROFILE, soon())
    assert endpoint.count(CALLS) == 1


def test_a_refused_key_is_an_error_of_its_own(endpoint: Upstream, slept: list[float]) -> None:
    endpoint.on(CALLS, refusal(401))
    with pytest.raises(EphemeralKeyRefused):
        client(endpoint, slept).negotiate("v=0", KEY, PROFILE, soon())


def test_a_refused_offer_is_the_callers(endpoint: Upstream, slept: list[float]) -> None:
    endpoint.on(CALLS, refusal(400, "invalid_offer"))
    with pytest.raises(Problem) as problem:
        client(endpoint, slept).negotiate("v=0", KEY, PROFILE, soon())
    assert (problem.value.code, problem.value.status) == ("offer_refused", 400)


def test_limits_that_come_with_every_reply_do_not_keep_a_failure_from_being_retried(
    endpoint: Upstream, slept: list[float]
) -> None:
    endpoint.on(MINT, Said(500, b"", {"x-ratelimit-reset-requests": "6m0s"}), key_reply())
    client(endpoint, slept).mint_key(PROFILE, timedelta(seconds=60), soon())
    assert endpoint.count(MINT) == 2


def test_openai_negotiates_in_one_multipart_request_and_says_who_calls(
    endpoint: Upstream, slept: list[float]
) -> None:
    endpoint.on("/v1/realtime/calls", answer_reply())
    client(endpoint, slept, "openai").negotiate_unified(
        "v=0 offer", PROFILE, soon(), safety_identifier="c" * 64
    )
    (asked,) = endpoint.asked
    assert asked.path == "/v1/realtime/calls", "OpenAI has no filter"
    assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="sdp"' in asked.body
    assert b"Content-Type: application/sdp\r\n\r\nv=0 offer" in asked.body
    assert b'"model": "gpt-realtime"' in asked.body
    assert b"filename" not in asked.body
    assert asked.headers["openai-safety-identifier"] == "c" * 64
    assert asked.headers["authorization"] == "Bearer identity"


def test_the_answer_to_a_hang_up_is_given_as_it_came(
    endpoint: Upstream, slept: list[float]
) -> None:
    endpoint.on(
        f"{CALLS}/rtc_1/hangup",
        Said(200),
        refusal(404, "call_id_not_found"),
        refusal(404, "404"),
        Said(404, b"<html>"),
        Said(404, b"[" * 100_000),
    )
    api = client(endpoint, slept)
    answers = [api.hang_up("rtc_1", soon()) for _ in range(5)]
    assert [(each.status, each.code) for each in answers] == [
        (200, ""),
        (404, "call_id_not_found"),
        (404, "404"),
        (404, ""),
        (404, ""),
    ]


def test_hanging_up_is_retried(endpoint: Upstream, slept: list[float]) -> None:
    endpoint.on(f"{CALLS}/rtc_1/hangup", RESET, refusal(500), Said(200))
    assert client(endpoint, slept).hang_up("rtc_1", soon())


def test_connections_are_kept_alive(endpoint: Upstream, slept: list[float]) -> None:
    endpoint.on(MINT, key_reply())
    api = client(endpoint, slept)
    for _ in range(3):
        api.mint_key(PROFILE, timedelta(seconds=60), soon())
    assert endpoint.connections == 1
