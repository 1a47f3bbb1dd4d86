"""The answers of Microsoft's host to odd and plain requests (tests/fixtures/host), asked here."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.broker_programs import Running, running_app
from tests.support.offers import OFFER
from tests.support.patience import PATIENCE
from tests.support.principals import signed_in
from tests.support.programs import ROOT
from tests.support.scripted_endpoint import LOCATION, Said

ROWS = [
    json.loads(line)
    for line in (ROOT / "tests/fixtures/host/answers.jsonl").read_text().splitlines()
]
# As long as the recorded one, so that what is sent with it is as long.
LONG_OFFER = OFFER + b"a=note:" + b"x" * (551 - len(OFFER) - 9) + b"\r\n"
# Names of the recorded requests, which the real host answers to as to any other.
NAMES = ("x", "evil.example")
ON_EVERY_RESPONSE = {
    *("cache-control", "content-security-policy", "referrer-policy"),
    *("strict-transport-security", "vary", "x-content-type-options", "x-request-id"),
}
CONNECTION_HEADERS = {"connection", "date", "server", "transfer-encoding"}
CHANGED_HEADERS = {
    *("allow", "location", "access-control-allow-headers", "access-control-expose-headers"),
}
ADDED_HEADERS = {"x-conversation", "x-voice-api"}
"""Of the app's since the recording."""
# What the app has answered better on purpose since the recording.
IMPROVED = {
    "POST connect profile twice": (400, "invalid_query"),
    "POST connect profile twice rev": (400, "invalid_query"),
    "GET connect (405)": (204, None),  # whether this caller may start calls
    "POST connect bad utf8": (201, None),  # in a line that says nothing about the call
}


@dataclass(frozen=True)
class Asked:
    """A running app, and a call that was started there."""

    app: Running
    handle: str
    call_id: str

    def bytes_of(self, row: dict[str, Any]) -> bytes:
        parts = [(part, 1) if isinstance(part, str) else part for part in row["send"]]
        text = "".join(part * times for part, times in parts)
        text = text.replace("{handle}", self.handle).replace("{call_id}", self.call_id)
        head, end, body = text.partition("\r\n\r\n")
        chunks = "".join(
            f"{len(part):x}\r\n{part.decode()}\r\n"
            for part in (LONG_OFFER[:500], LONG_OFFER[500:], b"")
        )
        body = body.replace("{offer}", LONG_OFFER.decode()).replace("{chunks}", chunks)
        return (head.replace("{length}", str(len(body))) + end + body).encode("latin-1")


def ask(url: str, sent: bytes) -> tuple[HTTPResponse, bytes]:
    """Sends the bytes as they are and reads the first response."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        response = HTTPResponse(connection, method=sent.partition(b" ")[0].decode("latin-1"))
        response.begin()
        return response, response.read()


SETTINGS = {
    "CALLER_AUTH": "static-web-apps,anonymous",
    "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
    "ALLOWED_ORIGINS": "https://page.example",
    "TRANSCRIPTS": "on",
}


def prepared(app: Running) -> Asked:
    """An app with a call that was started, and keys for the rows that register one."""
    ended = f"/openai/v1/realtime/calls/{LOCATION.rpartition('/')[2]}/hangup"
    app.endpoint.on(ended, Said(200))
    for _ in range(2):
        assert app.session.post(f"{app.url}/api/token").status_code == 200
    started = app.session.post(
        f"{app.url}/api/connect", OFFER, headers={"Content-Type": "application/sdp"}
    )
    assert started.status_code == 201, started.text
    listed = app.session.get(f"{app.url}/api/calls", headers=signed_in("u1", "admin"))
    handle = started.headers["Location"].rpartition("/")[2]
    return Asked(app, handle, listed.json()["calls"][0]["id"])


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    with running_app(names=NAMES, **SETTINGS) as app:
        yield prepared(app)


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_it_is_answered_as_the_real_host_does(asked: Asked, row: dict[str, Any]) -> None:
    check_answer(asked, row)


def check_answer(asked: Asked, row: dict[str, Any]) -> None:
    """The request of a row is answered as it is recorded."""
    response, body = ask(asked.app.url, asked.bytes_of(row))
    status, code = IMPROVED.get(row["name"], (row["status"], row.get("code")))
    assert response.status == status, body[:300]
    if code is not None and response.headers["Content-Type"] == "application/problem+json" and body:
        assert json.loads(body)["code"] == code
    headers = {name.lower(): value for name, value in response.headers.items()}
    by_app = row["by"] == "app"
    assert ("x-request-id" in headers) == by_app
    if row["name"] not in IMPROVED:
        recorded = dict(row["headers"])
        ours = (
            set(headers)
            - CONNECTION_HEADERS
            - ADDED_HEADERS
            - (ON_EVERY_RESPONSE if by_app else set())
        )
        if row["name"] == "GET root":
            recorded["content-length"] = headers["content-length"]  # a smaller page
        assert ours == set(recorded)
        for name in ours - CHANGED_HEADERS:
            assert headers[name] == recorded[name], name
    chunked = by_app and body != b"" and row["name"] != "http1.0"
    assert ("transfer-encoding" in headers) == chunked
