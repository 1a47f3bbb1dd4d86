"""One operation: what is sent how often, what is waited for, and what it comes to."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from realtime_client import NO_ANSWER, UNEXPECTED_ANSWER, Problem, ProblemCode, operations
from realtime_client.exchange import Pause, exchange
from realtime_client.following import transcript_so_far
from realtime_client.models import CallSearch
from realtime_client.wire import Failed, Operation, Reply, Request
from tests.unit.realtime_client.replies import API, CALL, CALL_ID, HANDLE, TOKEN, json_reply

GATEWAY = Reply(502, {}, b"<html>Bad gateway</html>", API)
LOST, UNREACHABLE = Failed(sent=True, reason="ReadError: "), Failed(sent=False, reason="refused")
STARTED = {"location": f"calls/{HANDLE}", "x-voice-api": "live", "x-conversation": "continued"}
ONCE: dict[str, Operation[Any]] = {
    "start": operations.start("v=0\r\n", "", ""),
    "token": operations.token(""),
    "register": operations.register("rtc_1", "", ""),
    "event": operations.send_event(CALL_ID, {"type": "response.create"}),
}


def refusal(code: str, status: int, **headers: str) -> Reply:
    body = {"code": code, "title": "T", "detail": "D.", "hint": "H.", "request_id": "r-1"}
    return json_reply(body, status, **headers)


def carry_out(
    operation: Operation[Any], *came: Reply | Failed
) -> tuple[Any, list[Request], list[timedelta]]:
    """The result or the problem of an operation to which that came, what was sent, the pauses."""
    waiting, sent, pauses = list(came), list[Request](), list[timedelta]()
    steps = exchange(operation)
    got: Reply | Failed | None = None
    try:
        while True:
            step = steps.send(got)
            if isinstance(step, Pause):
                pauses.append(step.time)
                got = None
            else:
                sent.append(step)
                got = waiting.pop(0)
    except StopIteration as done:
        assert not waiting
        return done.value, sent, pauses
    except Problem as problem:
        assert not waiting
        return problem, sent, pauses


def test_a_call_is_started() -> None:
    answer = Reply(201, STARTED, b"v=0\r\nanswer", f"{API}/connect?profile=sales")
    call, [request], _ = carry_out(operations.start("v=0\r\noffer", "sales", ""), answer)
    assert (request.method, request.path, request.query) == (
        "POST",
        "/connect",
        {"profile": "sales"},
    )
    assert request.body == b"v=0\r\noffer"
    assert call.answer == "v=0\r\nanswer"
    assert (call.handle, call.url) == (HANDLE, f"{API}/calls/{HANDLE}")
    assert (call.api, call.is_continued) == ("live", True)


def test_a_refusal_is_the_brokers_own() -> None:
    refused = refusal("too_many_starts", 429, retry_after="7")
    problem, sent, _ = carry_out(ONCE["start"], refused)
    assert problem.code == ProblemCode.TOO_MANY_STARTS
    assert (problem.status, problem.request_id, problem.hint) == (429, "r-1", "H.")
    assert problem.retry_after == timedelta(seconds=7)
    assert not problem.may_have_happened
    assert str(problem) == "too_many_starts: D. H."
    assert len(sent) == 1


@pytest.mark.parametrize("name", ONCE)
@pytest.mark.parametrize(
    "came", [LOST, UNREACHABLE, GATEWAY, refusal("storage_unavailable", 503, retry_after="1")]
)
def test_what_could_happen_twice_is_sent_once(name: str, came: Reply | Failed) -> None:
    problem, sent, pauses = carry_out(ONCE[name], came)
    assert isinstance(problem, Problem)
    assert (len(sent), pauses) == (1, [])


@pytest.mark.parametrize(
    ("came", "may_have_happened"),
    [
        (LOST, True),
        (UNREACHABLE, False),
        (GATEWAY, True),
        (Reply(201, {}, b"v=0\r\n", API), True),
        (Reply(201, STARTED, b"<html>", API), True),
        (Reply(302, {"location": "/.auth/login"}, b"", API), False),
        (Reply(404, {}, b"", API), False),
    ],
)
def test_it_says_whether_a_call_may_have_begun(
    came: Reply | Failed, may_have_happened: bool
) -> None:
    problem, _, _ = carry_out(ONCE["start"], came)
    assert problem.may_have_happened is may_have_happened
    assert problem.hint


@pytest.mark.parametrize("came", [LOST, UNREACHABLE, GATEWAY])
def test_a_read_is_tried_three_times(came: Reply | Failed) -> None:
    status = operations.status(HANDLE)
    found, sent, pauses = carry_out(status, came, came, json_reply(CALL))
    assert found.status == "ended"
    assert sent == [status.request] * 3
    assert pauses == [timedelta(seconds=0.5), timedelta(seconds=1)]
    problem, sent, _ = carry_out(status, came, came, came)
    assert isinstance(problem, Problem)
    assert len(sent) == 3


def test_a_read_waits_as_long_as_the_broker_says_but_not_for_ever() -> None:
    soon, late = (refusal("instance_busy", 503, retry_after=text) for text in ("5", "11"))
    _, _, pauses = carry_out(operations.hang_up(HANDLE), soon, Reply(204, {}, b"", API))
    assert pauses == [timedelta(seconds=5)]
    problem, sent, _ = carry_out(operations.hang_up(HANDLE), late)
    assert problem.retry_after == timedelta(seconds=11)
    assert len(sent) == 1


@pytest.mark.parametrize("text", ["1" + "0" * 20, "9" * 5000])
@pytest.mark.parametrize("is_ours", [True, False])
def test_an_absurd_time_to_wait_is_not_waited_for(text: str, is_ours: bool) -> None:
    ours = refusal("instance_busy", 503, retry_after=text)
    came = ours if is_ours else Reply(503, {"retry-after": text}, b"<html>", API)
    problem, sent, _ = carry_out(operations.status(HANDLE), came)
    assert problem.retry_after > timedelta(days=365)
    assert len(sent) == 1


def test_it_waits_also_if_the_broker_asks_for_no_time() -> None:
    now = refusal("instance_busy", 503, retry_after="0")
    _, sent, pauses = carry_out(operations.status(HANDLE), now, now, now)
    assert pauses == [timedelta(seconds=0.5), timedelta(seconds=1)]
    assert len(sent) == 3


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000])
@pytest.mark.parametrize("status", [200, 503])
def test_json_that_is_nested_too_deeply_is_a_problem_too(status: int, body: bytes) -> None:
    came = Reply(status, {}, body, API)
    problem, _, _ = carry_out(operations.status(HANDLE), *[came] * (3 if status == 503 else 1))
    assert problem.code == UNEXPECTED_ANSWER


@pytest.mark.parametrize(
    ("code", "may_have_happened"),
    [("upstream_timeout", True), ("internal_error", True), ("instance_busy", False)],
)
def test_the_broker_may_not_know_either_whether_a_call_has_begun(
    code: str, may_have_happened: bool
) -> None:
    problem, _, _ = carry_out(ONCE["start"], refusal(code, 503))
    assert problem.may_have_happened is may_have_happened


@pytest.mark.parametrize(
    "body",
    [
        {"calls": [], "next": "../usage"},
        {"calls": [], "next": CALL_ID},
        {"calls": [{"status": 5}], "next": None},
    ],
)
def test_a_page_leads_to_another_page(body: Any) -> None:
    operation = operations.list_calls(CallSearch(), 0, CALL_ID)
    problem, sent, _ = carry_out(operation, json_reply(body))
    assert (problem.code, len(sent)) == (UNEXPECTED_ANSWER, 1)


@pytest.mark.parametrize("body", ["<html>", {"call": CALL}, {"call": {}, "next": "1"}])
def test_a_transcript_that_is_none_is_a_problem_too(body: Any) -> None:
    problem, _, _ = carry_out(transcript_so_far(CALL_ID), json_reply(body))
    assert problem.code == UNEXPECTED_ANSWER


def test_a_problem_passes_between_processes() -> None:
    problem, _, _ = carry_out(ONCE["start"], refusal("too_many_starts", 429, retry_after="7"))
    copied = pickle.loads(pickle.dumps(problem))
    assert (str(copied), vars(copied)) == (str(problem), vars(problem))


@pytest.mark.parametrize("code", ["call_not_found", "storage_unavailable", "upstream_timeout"])
def test_a_read_that_the_broker_refuses_for_good_is_not_repeated(code: str) -> None:
    problem, sent, _ = carry_out(operations.status(HANDLE), refusal(code, 503))
    assert (problem.code, len(sent)) == (code, 1)


@pytest.mark.parametrize(
    "body",
    [
        *({"status": "live", "started_at": bad} for bad in ("noon", "2026-11-26T12:00:00", 5)),
        *({"status": "live", "usage": bad} for bad in ({"text_in": "3"}, [1], 5)),
        {"status": "live", "failures": [1]},
        {"status": "live", "failures": {"a": 1}},
        {"status": "live", "failures": {"a": {"b": "1"}}},
        {"status": None},
        {},
        [],
        "x",
    ],
    ids=str,
)
def test_an_answer_that_is_not_of_the_contract_is_a_problem_too(body: Any) -> None:
    problem, sent, _ = carry_out(operations.status(HANDLE), json_reply(body))
    assert problem.code == UNEXPECTED_ANSWER
    assert len(sent) == 1


def test_a_time_that_no_clock_has_is_a_problem_too() -> None:
    problem, _, _ = carry_out(ONCE["token"], json_reply({**TOKEN, "expires_at": 10**20}))
    assert problem.code == UNEXPECTED_ANSWER


def test_no_key_no_answer_and_no_handle_is_in_what_is_printed() -> None:
    answer = Reply(201, STARTED, b"v=0\r\na=ice-pwd:secret", f"{API}/connect")
    call, [request], _ = carry_out(operations.start("v=0\r\noffer", "", HANDLE), answer)
    key, _, _ = carry_out(ONCE["token"], json_reply(TOKEN))
    printed = repr((call, request, key, answer, LOST, operations.status(HANDLE)))
    for secret in ("ice-pwd", "offer", HANDLE, "ek_made_up"):
        assert secret not in printed


def test_lost_is_not_unreachable() -> None:
    lost, _, _ = carry_out(ONCE["start"], LOST)
    assert (lost.code, lost.status, lost.retry_after) == (NO_ANSWER, 0, None)
