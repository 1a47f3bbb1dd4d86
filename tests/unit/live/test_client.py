"""LiveClient against a scripted endpoint: what is sent, how often, and what becomes of replies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests

from shared.config.env import Provider
from shared.config.live_settings import OPTIONAL_FIELDS
from shared.config.profiles import Profile
from shared.config.voice_api import LIVE
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.credentials.endpoint_credential import KeyCredential
from shared.live.client import LiveClient
from shared.live.session_end import SessionEnder
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandUnavailable
from shared.upstream.answer import UnusableAnswer
from shared.upstream.transport import Timeouts
from tests.support.live_replies import (
    GONE,
    OPENAI_SESSIONS,
    SESSION,
    SESSIONS,
    created,
    hangup_path,
    json_said,
    live_refusal,
    no_session,
)
from tests.support.scripted_endpoint import (
    ANSWER,
    CLOSE,
    RESET,
    STALL,
    EndlessDrip,
    Raw,
    Reply,
    Said,
    Upstream,
    upstream,
)
from tests.support.vaults import FixedVault
from tests.unit.live.sidebands import FixedSideband, dialled

CHANNEL = {"allowed_client_events": ["session.close"], "allowed_server_events": []}
PROFILE = Profile(
    "talk",
    {"model": "gpt-live-1", "instructions": "hidden", "client": {"data_channel": CHANNEL}},
    api=LIVE,
)
OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
QUICK = Timeouts(
    connect=timedelta(seconds=1),
    read=timedelta(milliseconds=300),
    backoff=timedelta(milliseconds=1),
    tries=3,
)


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as script:
        script.on(SESSIONS, created())
        script.on(OPENAI_SESSIONS, created())
        script.on(hangup_path(), Said(200))
        yield script


def client(
    endpoint: Upstream, provider: Provider = "azure", *sidebands: Sideband | Exception
) -> LiveClient:
    session = requests.Session()
    session.trust_env = False
    connect, _ = dialled(*(sidebands or (SidebandUnavailable(404, problem="live_not_served"),)))
    return LiveClient(
        provider,
        endpoint.url,
        KeyCredential(lambda: "the-key", provider),
        session,
        vault=FixedVault({"words": "from the vault"}),
        fields=frozenset(OPTIONAL_FIELDS) if provider == "openai" else frozenset(),
        ender=SessionEnder(
            connect, closing=timedelta(milliseconds=50), between=timedelta(milliseconds=1)
        ),
        timeouts=QUICK,
        sleep=lambda _: None,
    )


def soon(seconds: float = 2.0) -> Deadline:
    return Deadline.after(timedelta(seconds=seconds))


def test_one_create_has_the_session_and_the_offer(endpoint: Upstream) -> None:
    answer = client(endpoint).start_call(OFFER, PROFILE, soon(), "caller-7")
    assert (answer.sdp, answer.call_id) == (ANSWER, SESSION)
    [asked] = endpoint.asked
    assert asked.path == SESSIONS
    assert asked.headers["api-key"] == "the-key"
    assert "authorization" not in asked.headers
    assert asked.headers["content-type"] == "application/json"
    assert asked.json() == {
        "session": dict(PROFILE.session),
        "transport": {"type": "webrtc", "sdp": OFFER},
    }
    assert ANSWER not in repr(answer)


def test_openai_gets_a_bearer_key_and_the_callers_identifier(endpoint: Upstream) -> None:
    client(endpoint, "openai").start_call(OFFER, PROFILE, soon(), "caller-7")
    [asked] = endpoint.asked
    assert asked.path == OPENAI_SESSIONS
    assert asked.headers["authorization"] == "Bearer the-key"
    assert asked.json()["session"]["safety_identifier"] == "caller-7"


def test_instructions_come_from_the_vault(endpoint: Upstream) -> None:
    private = replace(PROFILE, session={"model": "m"}, instructions_secret="words")
    client(endpoint).start_call(OFFER, private, soon())
    assert endpoint.asked[0].json()["session"]["instructions"] == "from the vault"


REFUSALS: list[tuple[str, Said, str]] = [
    (
        "the data channel",
        live_refusal(400, "unknown_parameter", "session.client"),
        "data_channel_refused",
    ),
    (
        "the data channel in words",
        live_refusal(400, None, None, "Unknown parameter: 'session.client.data_channel'."),
        "data_channel_refused",
    ),
    ("a field", live_refusal(400, "unknown_parameter", "session.voice"), "profile_refused"),
    (
        "a voice",
        live_refusal(400, "invalid_value", "session.audio.output.voice"),
        "profile_refused",
    ),
    (
        "long instructions",
        live_refusal(400, "invalid_value", None, "Instructions must not exceed 16384 tokens"),
        "instructions_too_long",
    ),
    (
        "the backend's model",
        live_refusal(404, "model_not_found", "session.delegation.responses.model"),
        "delegation_model_not_found",
    ),
    ("the model", live_refusal(404, "DeploymentNotFound"), "live_model_not_found"),
    ("a realtime model", live_refusal(400, "invalid_model", "session.model"), "not_a_live_model"),
    ("too many", live_refusal(429, "rate_limit_exceeded"), "live_sessions_full"),
    ("no credit", live_refusal(500, "credit_balance_exhausted"), "upstream_credit_exhausted"),
    ("no credit in 429", live_refusal(429, "insufficient_quota"), "upstream_credit_exhausted"),
    ("a failure", live_refusal(500, "server_error"), "upstream_failed"),
    ("a failure without a code", live_refusal(503, None), "upstream_failed"),
    ("Azure's failure", json_said(500, {"error": {"code": "InternalServerError"}}), "upstream_f"),
    ("an offer", live_refusal(400, "invalid_value", "transport.sdp"), "offer_refused"),
    ("an offer in words", live_refusal(400, None, None, "Invalid SDP offer."), "offer_refused"),
    ("no such path", Said(404, b"<html>Not Found</html>"), "live_not_served"),
    ("no such method", Said(405), "live_not_served"),
    ("a wrong key", live_refusal(401, "invalid_api_key"), "upstream_access_denied"),
    ("a redirect", Said(302, b"", {"Location": "https://elsewhere.example"}), "upstream_failed"),
]


@pytest.mark.parametrize(
    ("reply", "code"), [pytest.param(reply, code, id=name) for name, reply, code in REFUSALS]
)
def test_a_refusal_is_the_problem_whose_remedy_helps(
    endpoint: Upstream, reply: Said, code: str
) -> None:
    endpoint.on(SESSIONS, reply)
    with pytest.raises(Problem, match=code) as refused:
        client(endpoint).start_call(OFFER, PROFILE, soon())
    assert endpoint.count(SESSIONS) == 1, "one create, whatever comes back"
    assert (refused.value.status < 500) == (code == "offer_refused")
    assert "words of upstream" not in str(refused.value.body("x"))
    waits = code in ("live_sessions_full",)
    assert (refused.value.retry_after is not None) == waits


GATEWAYS = (408, 499, 500, 503, 520, 521, 522, 524, 529, 598)
LOST: list[tuple[str, Reply]] = [
    ("reset", RESET),
    ("closed", CLOSE),
    ("silence", STALL),
    ("half a head", Raw(b"HTTP/1.1 201 Crea", closes=True)),
    ("not HTTP", Raw(b"\x16\x03\x01hello\r\n\r\n", closes=True)),
    ("half a body", Raw(b"HTTP/1.1 201 Created\r\nContent-Length: 900\r\n\r\n{", closes=True)),
    ("no end", EndlessDrip(b"HTTP/1.1 201 Created\r\nContent-Length: 99999\r\n\r\n", b"a" * 40)),
    ("a huge body", Said(201, b"[" * 400_000)),
    ("a page", Said(201, b"<html>")),
    ("nothing", Said(201)),
    ("a list", json_said(201, [1])),
    ("a null session", json_said(201, {"session": None})),
    ("no id", created(None)),
    ("a number for an id", created(7)),
    ("a path for an id", created("live/../x")),
    ("a long id", created("l" * 133)),
    ("an id with a line end", created("live_1\n")),
    ("a gateway's timeout", Said(504)),
    ("a gateway's failure", Said(502, b"<html>")),
    *((f"a gateway's {status}", Said(status, b"<html>")) for status in GATEWAYS),
    ("a gateway's JSON", json_said(500, {"statusCode": 500, "message": "Internal server error"})),
    ("an error of no shape", json_said(503, {"error": "Service Unavailable"})),
    ("an empty error", json_said(503, {"error": {"message": "no code"}})),
    ("nothing but a status", Said(500)),
]


@pytest.mark.parametrize("reply", [pytest.param(reply, id=name) for name, reply in LOST])
def test_a_create_whose_session_is_not_known_is_told_and_never_sent_again(
    endpoint: Upstream, reply: Reply
) -> None:
    endpoint.on(SESSIONS, reply)
    with pytest.raises(UnusableAnswer) as lost:
        client(endpoint).start_call(OFFER, PROFILE, soon(1.0))
    assert lost.value.call_id is None
    assert lost.value.problem.status >= 500
    assert endpoint.count(SESSIONS) == 1


@pytest.mark.parametrize(
    "reply",
    [
        created(sdp=None),
        created(sdp=""),
        created(sdp="hello"),
        created(sdp="v=0\r\n" + "a" * 200_000),
        created(status=202),
        json_said(201, {"session": {"id": SESSION}}),
        json_said(201, {"session": {"id": SESSION}, "transport": [1]}),
    ],
)
def test_a_session_without_a_usable_answer_is_named_so_that_it_can_be_ended(
    endpoint: Upstream, reply: Said
) -> None:
    endpoint.on(SESSIONS, reply)
    with pytest.raises(UnusableAnswer) as unusable:
        client(endpoint).start_call(OFFER, PROFILE, soon())
    assert unusable.value.call_id == SESSION


def test_what_did_not_reach_the_endpoint_is_an_ordinary_problem() -> None:
    nowhere = Upstream()
    nowhere.url = "http://127.0.0.1:9"
    with pytest.raises(Problem, match="upstream_unreachable"):
        client(nowhere).start_call(OFFER, PROFILE, soon())


def test_a_hang_up_ends_a_session_and_finds_it_gone_the_second_time(endpoint: Upstream) -> None:
    endpoint.on(hangup_path(), Said(200), no_session())
    api = client(endpoint)
    assert api.hang_up(SESSION, soon()).proof_of_end == "hang-up"
    assert api.hang_up(SESSION, soon()).proof_of_end == "gone"
    assert {asked.body for asked in endpoint.asked} == {b""}


def test_a_hang_up_is_tried_again_while_the_endpoint_fails(endpoint: Upstream) -> None:
    endpoint.on(hangup_path(), Said(503), RESET, Said(200))
    assert client(endpoint).hang_up(SESSION, soon()).proof_of_end == "hang-up"


def test_a_hang_up_waits_as_long_as_it_is_asked_to(endpoint: Upstream) -> None:
    """Where that is too long, the sideband ends the session."""
    waits: list[float] = []
    api = client(endpoint, "azure", FixedSideband("session.started", "session.closed"))
    api.sleep = waits.append
    endpoint.on(hangup_path(), Said(429, b"{}", {"Retry-After": "2"}), Said(200))
    assert api.hang_up(SESSION, soon(10)).proof_of_end == "hang-up"
    assert 2 <= waits.pop() <= 2.5
    endpoint.on(hangup_path(), Said(429, b"{}", {"Retry-After": "60"}))
    assert api.hang_up(SESSION, soon(10)).proof_of_end == "closed"
    assert waits == []


@pytest.mark.parametrize(
    "reply",
    [Said(404), Said(405), live_refusal(404, "404"), live_refusal(404, "call_id_not_found")],
)
def test_where_no_hang_up_is_served_the_sideband_ends_the_session(
    endpoint: Upstream, reply: Said
) -> None:
    endpoint.on(hangup_path(), reply)
    sideband = FixedSideband("session.started", "session.closed")
    ended = client(endpoint, "azure", sideband).hang_up(SESSION, soon())
    assert ended.proof_of_end == "closed"
    assert sideband.sent == [{"type": "session.close"}]
    gone = client(endpoint, "azure", NoSuchCall()).hang_up(SESSION, soon())
    assert gone.proof_of_end == "gone"


def test_an_end_that_nothing_proves_is_not_taken_for_one(endpoint: Upstream) -> None:
    endpoint.on(hangup_path(), Said(404))
    assert client(endpoint, "azure", FixedSideband()).hang_up(SESSION, soon()).proof_of_end == ""
    refused = client(endpoint, "azure", SidebandUnavailable(404))
    assert refused.hang_up(SESSION, soon()).proof_of_end == ""


@pytest.mark.parametrize("reply", [Said(404), Said(405), Said(410), live_refusal(404, "NotFound")])
@pytest.mark.parametrize(
    "refused",
    [
        SidebandUnavailable(404),
        SidebandUnavailable(410),
        SidebandUnavailable(problem="sideband_not_served"),
    ],
)
def test_a_session_that_nobody_knows_is_over_once_it_is_older_than_any_can_be(
    endpoint: Upstream, reply: Said, refused: SidebandUnavailable
) -> None:
    endpoint.on(hangup_path(), reply)
    told = client(endpoint, "azure", refused).hang_up(SESSION, soon())
    assert told.proof_at(timedelta(hours=2, minutes=9)) == ""
    assert told.proof_at(timedelta(hours=2, minutes=10)) == "outlived"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Said(404), SidebandUnavailable()),
        (Said(404), SidebandUnavailable(403)),
        (Said(404), SidebandUnavailable(503)),
        (Said(404), FixedSideband(quiet=True)),
        (Said(404), FixedSideband()),
        (Said(500), SidebandUnavailable(404)),
        (Said(401), SidebandUnavailable(404)),
    ],
)
def test_no_age_proves_the_end_of_a_session_that_may_only_be_out_of_reach(
    endpoint: Upstream, reply: Said, outcome: FixedSideband | SidebandUnavailable
) -> None:
    endpoint.on(hangup_path(), reply)
    told = client(endpoint, "azure", outcome).hang_up(SESSION, soon(0.5))
    assert told.proof_at(timedelta(days=30)) == ""


def test_an_endpoint_that_does_not_answer_a_hang_up_is_a_problem(endpoint: Upstream) -> None:
    endpoint.on(hangup_path(), STALL)
    unreachable = SidebandUnavailable()
    with pytest.raises(Problem, match="upstream_timeout"):
        client(endpoint, "azure", unreachable).hang_up(SESSION, soon(1.0))
    with pytest.raises(Problem, match="upstream_timeout"):
        client(endpoint, "azure", FixedSideband(quiet=True)).hang_up(SESSION, soon(1.0))


def test_ids_are_encoded_in_paths(endpoint: Upstream) -> None:
    endpoint.on("/openai/v1/live/sessions/a%2F..%2Fb/hangup", no_session())
    assert client(endpoint).hang_up("a/../b", soon()).code == GONE


def test_a_probe_starts_nothing_and_wants_to_be_refused(endpoint: Upstream) -> None:
    endpoint.on(SESSIONS, live_refusal(400, "missing_required_parameter", "transport"))
    client(endpoint).try_create(PROFILE, soon())
    assert "transport" not in json.loads(endpoint.asked[0].body)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (live_refusal(401, "invalid_api_key"), "upstream_access_denied"),
        (Said(404), "live_not_served"),
        (live_refusal(400, "unknown_parameter", "session.client"), "data_channel_refused"),
        (live_refusal(404, "DeploymentNotFound"), "live_model_not_found"),
        (Said(400, b"<html>"), "upstream_failed"),
        (Said(500), "upstream_failed"),
        (Said(200, b"hello"), "live_not_served"),
        (created(), "live_not_served"),
    ],
)
def test_a_probe_tells_what_is_wrong(endpoint: Upstream, reply: Any, code: str) -> None:
    endpoint.on(SESSIONS, reply)
    with pytest.raises(Problem, match=code):
        client(endpoint).try_create(PROFILE, soon())
    assert endpoint.count(hangup_path()) == (reply.status == 201), "nothing is left running"
