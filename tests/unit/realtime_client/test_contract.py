"""What the client asks for and reads is in the broker's contract, and it knows every problem."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from realtime_client import CLIENT_CODES, ProblemCode, operations
from realtime_client.exchange import result_of
from realtime_client.following import whole_transcript
from realtime_client.models import CallSearch
from realtime_client.readers import call_record, common_fields, entry_of, read_page, read_token
from realtime_client.version import __version__
from realtime_client.wire import Operation, Reply
from shared.api.openapi.document import document
from tests.unit.realtime_client.replies import (
    CALL,
    CALL_ID,
    ENTRY,
    HANDLE,
    TOKEN,
    Spy,
    read_by,
    reply,
)

CONTRACT = document()
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]
DAY = date(2026, 1, 28)
SEARCH = CallSearch("q", "live", "p", "m", "c", "budget", "default", DAY, DAY)
OPERATIONS: dict[str, Operation[Any]] = {
    "connect": operations.start("v=0\r\n", "sales", HANDLE),
    "postToken": operations.token("sales"),
    "register": operations.register("rtc_0123456789abcdef0123456789abcdef", "sales", "default"),
    "call": operations.status(HANDLE),
    "hangUp": operations.hang_up(HANDLE),
    "listCalls": operations.list_calls(SEARCH, 5, CALL_ID),
    "transcript": operations.transcript(CALL_ID, "12-0123abcd"),
    "sendEvent": operations.send_event(CALL_ID, {"type": "response.create"}),
}
"""Every one, with all that it can ask for, by its name in the contract."""


def described(name: str) -> tuple[str, str, dict[str, Any]]:
    """Method, path and description of an operation."""
    for path, methods in CONTRACT["paths"].items():
        for method, found in methods.items():
            if found["operationId"] == name:
                return method.upper(), path, found
    raise LookupError(name)


def successes() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, operation in OPERATIONS.items():
        answers = described(name)[2]["responses"]
        yield name, str(operation.status), answers


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_request_is_one_of_the_contract(name: str) -> None:
    request = OPERATIONS[name].request
    method, path, found = described(name)
    assert request.method == method
    template = re.sub(r"\{\w+\}", "[^/]+", path)
    assert re.fullmatch(template, request.path)
    parameters = {each["name"] for each in found.get("parameters", ()) if each["in"] == "query"}
    assert set(request.query) <= parameters
    assert set(request.query) == parameters - {"format"}, "it can ask for all of it"
    if request.body:
        kind = request.headers["Content-Type"]
        assert kind in found["requestBody"]["content"]


def test_what_is_posted_as_json_has_the_fields_of_the_contract() -> None:
    body = Reply(200, {}, OPERATIONS["register"].request.body, "").json()
    schema = described("register")[2]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["required"]) <= set(body)
    assert set(body) == set(schema["properties"])


def test_ids_and_handles_are_what_the_contract_says() -> None:
    for name, value in (("call", HANDLE), ("transcript", CALL_ID)):
        (parameter,) = (e for e in described(name)[2]["parameters"] if e["in"] == "path")
        assert re.search(parameter["schema"]["pattern"], value)


def test_success_has_the_status_of_the_contract() -> None:
    for name, status, answers in successes():
        assert {code for code in answers if code[0] in "123"} == {status}, name


@pytest.mark.parametrize(
    ("read", "found", "schema"),
    [
        (lambda body: read_token(reply(body)), TOKEN, SCHEMAS["Token"]),
        (common_fields, CALL, SCHEMAS["Call"]),
        (call_record, CALL, SCHEMAS["Call"]),
        (lambda body: read_page(reply(body)), {"calls": [], "next": None}, SCHEMAS["Calls"]),
        (
            lambda body: whole_transcript(reply(body)),
            {"call": CALL, "next": "1-0123abcd"},
            SCHEMAS["Transcript"],
        ),
        (entry_of, ENTRY, SCHEMAS["Transcript"]["properties"]["transcript"]),
    ],
    ids=["token", "status", "record", "page", "transcript", "entry"],
)
def test_what_is_read_is_in_the_contract(
    read: Callable[[Any], Any], found: dict[str, Any], schema: dict[str, Any]
) -> None:
    if read is entry_of:
        schema = schema["properties"]["entries"]["items"]
    with read_by(found) as spy:
        read(spy)
    assert spy.asked <= set(schema["properties"])
    assert spy.demanded <= set(schema["required"]), "what may be missing is not demanded"
    least = {name: value for name, value in found.items() if name in schema["required"]}
    read(Spy(least))


def test_what_is_read_of_a_transcript_is_in_the_contract() -> None:
    schema = SCHEMAS["Transcript"]["properties"]["transcript"]
    with read_by({"entries": [], "total": 0}) as spy:
        whole_transcript(reply({"call": CALL, "next": "0-00000000", "transcript": spy}))
    assert spy.asked <= set(schema["properties"])
    assert spy.demanded <= set(schema["required"])


@pytest.mark.parametrize("name", ["connect", "register"])
def test_the_headers_that_are_read_are_in_the_contract(name: str) -> None:
    operation = OPERATIONS[name]
    headers: dict[str, Any] = described(name)[2]["responses"]["201"]["headers"]
    known = {each.lower(): found.get("required", False) for each, found in headers.items()}
    sent = {"location": f"calls/{HANDLE}", "x-voice-api": "live", "x-conversation": "new"}
    with read_by(sent) as spy:
        result_of(operation, Reply(201, spy, b"v=0\r\n", "https://broker.example/api/connect"))
    assert spy.asked <= set(known)
    assert all(known[each] for each in spy.demanded)


def test_a_problem_is_read_as_the_contract_has_it() -> None:
    required = SCHEMAS["Problem"]["required"]
    assert {"code", "title", "detail", "hint", "request_id"} <= set(required)
    for name in OPERATIONS:
        for status, answer in described(name)[2]["responses"].items():
            if status in ("429", "503"):
                assert "Retry-After" in answer["headers"]


def test_every_problem_is_known_and_no_other() -> None:
    codes = set(SCHEMAS["Problem"]["properties"]["code"]["enum"])
    assert {code.value for code in ProblemCode} == codes
    assert not CLIENT_CODES & codes
    assert all(code.name == code.value.upper() for code in ProblemCode)


def test_the_version_is_that_of_the_contract() -> None:
    assert __version__ == CONTRACT["info"]["version"]


def test_only_what_does_no_harm_is_repeated() -> None:
    repeated = {name for name, each in OPERATIONS.items() if each.is_repeatable}
    assert repeated == {"call", "hangUp", "listCalls", "transcript"}
