"""Whatever comes on a pooled connection, nobody gets the answer to somebody else's request: for
each kind of session that the broker keeps."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.harness.tls import issue_certificate, server_context
from shared.core.deadline import Deadline
from shared.core.http_response import BoundedReader
from shared.core.http_session import open_session
from shared.core.problems import Problem
from shared.credentials import identity, key_vault
from shared.realtime.client import RealtimeClient
from shared.storage import azure_retry
from shared.storage.interfaces import StorageUnavailable
from tests.support.loop_thread import loop_in_thread
from tests.support.scripted_endpoint import (
    Asked,
    Listener,
    Raw,
    Reply,
    Said,
    answer_reply,
    upstream,
)
from tests.unit.core.clients import (
    EPHEMERAL,
    PROFILE,
    StandardKey,
)
from tests.unit.core.sessions import (
    CALLERS,
    FAILED,
    JSON,
    SESSIONS,
    SOON,
    HangUps,
    Keys,
    Offers,
    Rows,
    Secrets,
    Session,
    SignInKeys,
    Tokens,
    signing_key,
)


@pytest.fixture(params=SESSIONS, ids=lambda kind: kind.__name__)
def session(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    with upstream() as endpoint:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{endpoint.url}/msi")
        monkeypatch.setenv("IDENTITY_HEADER", "of-the-platform")
        # The SDKs repeat what fails until the budget is spent.
        monkeypatch.setattr(identity, "TOKEN_BUDGET", timedelta(seconds=1))
        monkeypatch.setattr(key_vault, "VAULT_BUDGET", timedelta(seconds=1))
        found: Session = request.param(endpoint)
        yield found
        found.close()


def words(session: Session, first: Reply) -> list[str]:
    """What three callers get, one after another, if ada's first request is answered with
    `first`. What the broker sends itself is read in another way on a used connection, and comes to
    the same."""
    found = words_in_turn(session, first)
    if session.sends_itself:
        assert words_in_turn(session, first) == found
    return found


def words_in_turn(session: Session, first: Reply) -> list[str]:
    odd = [first]

    def reply(asked: Asked) -> Reply:
        caller = next(each for each in CALLERS if each in f"{asked.path} {asked.body!r}")
        return odd.pop() if odd else session.own(caller)

    session.endpoint.listener.reply = reply
    return [word_for(session, caller) for caller in CALLERS]


def word_for(session: Session, caller: str) -> str:
    try:
        return session.ask(caller)
    except (Problem, StorageUnavailable):
        return FAILED


def interim(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nLink: </style.css>\r\n\r\n".encode()


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints", "199 Odd"])
def test_an_interim_response_is_not_the_answer(session: Session, status: str) -> None:
    own = session.own("ada").encode()
    assert words(session, Raw(interim(status), own)) == ["ada", "bob", "eve"]
    assert session.endpoint.connections == 1


def test_interim_responses_have_an_end(session: Session) -> None:
    hints = interim("103 Early Hints") * 1000
    first, *others = words(session, Raw(hints + session.own("ada").encode()))
    assert first in (FAILED, "ada"), "some SDKs repeat it"
    assert others == ["bob", "eve"]


def test_another_protocol_is_not_spoken(session: Session) -> None:
    switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    first, *others = words(session, Raw(switched, session.own("eve").encode()))
    assert first in (FAILED, "ada"), "some SDKs repeat it"
    assert others == ["bob", "eve"]


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_what_follows_an_answer_is_nobodys(session: Session, part: float) -> None:
    """A second answer, whole or cut in two: the rest comes while the next request is under way."""
    surplus = session.own("eve").encode()
    cut = int(len(surplus) * part)
    first = Raw(session.own("ada").encode() + surplus[:cut], surplus[cut:])
    assert words(session, first) == ["ada", "bob", "eve"]


def test_what_follows_an_answer_in_the_same_tls_record_is_nobodys(tmp_path: Path) -> None:
    """It is decrypted, and in no buffer but the TLS library's."""
    pair, trusted = issue_certificate(tmp_path, "127.0.0.1")
    answers = [answer_reply(f"/v1/realtime/calls/rtc_{caller}") for caller in CALLERS]
    first = answers[0]
    first.body += b" " * (io.DEFAULT_BUFFER_SIZE - len(first.encode()) - 2)
    assert len(first.encode()) == io.DEFAULT_BUFFER_SIZE, "so that nothing else is read with it"
    said: list[Reply] = [Raw(first.encode() + answers[2].encode()), *answers[1:]]
    replies = iter(said)
    listener = Listener(lambda _: next(replies))
    with loop_in_thread() as run:
        url = run(listener.listen(tls=server_context(pair)))
        session = open_session(url)
        session.verify = str(trusted)
        client = RealtimeClient("azure", url, StandardKey(), session)
        found = [
            client.negotiate("v=0", EPHEMERAL, PROFILE, Deadline.after(SOON)).call_id
            for _ in CALLERS
        ]
        run(listener.close())
    assert found == [f"rtc_{caller}" for caller in CALLERS]


@pytest.mark.parametrize(
    "head",
    [
        "204 No Content\r\nContent-Length: 5",
        "204 No Content\r\nTransfer-Encoding: chunked",
        "304 Not Modified\r\nContent-Length: 5",
        "304 Not Modified",
    ],
)
def test_a_body_that_there_cannot_be_is_nobodys(session: Session, head: str) -> None:
    said = f"HTTP/1.1 {head}\r\n\r\n".encode()
    _, *others = words(session, Raw(said, session.own("ada").encode()))
    assert others == ["bob", "eve"]


def test_storage_is_believed_only_in_answer_to_the_same_request() -> None:
    """Also where a second answer comes so late that nothing shows on the connection."""
    with upstream() as endpoint:
        rows, asked_by = Rows(endpoint), []

        def reply(asked: Asked) -> Reply:
            asked_by.append(caller := next(each for each in CALLERS if each in asked.path))
            said = with_headers(rows.own(caller), echoed=asked.headers["x-ms-client-request-id"])
            another = with_headers(rows.own("eve"), echoed="another")
            return Raw(said.encode(), another.encode(), after=60) if caller == "ada" else said

        endpoint.listener.reply = reply
        assert [word_for(rows, caller) for caller in CALLERS] == CALLERS
        assert asked_by == ["ada", "bob", "bob", "eve"]
        rows.close()


def with_headers(said: Said, *, echoed: str) -> Said:
    return replace(said, headers={**said.headers, "x-ms-client-request-id": echoed})


@pytest.mark.parametrize("session", [Rows, Secrets, Tokens, SignInKeys, Offers], indirect=True)
@pytest.mark.parametrize("status", [301, 307, 308])
def test_no_redirect_is_followed(session: Session, status: int) -> None:
    with upstream() as elsewhere:
        location = f"{elsewhere.url}/ada".replace("127.0.0.1", "localhost")
        session.endpoint.listener.reply = lambda _: Said(status, b"", {"Location": location})
        assert word_for(session, "ada") == FAILED
        assert not elsewhere.connections


@pytest.mark.parametrize("session", [Rows, Secrets, Tokens, SignInKeys, Offers], indirect=True)
def test_an_answer_is_bounded_in_size(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, most in ((azure_retry, "MOST"), (identity, "TOKEN"), (key_vault, "VAULT")):
        monkeypatch.setattr(module, f"{most}_BYTES", 500_000)
    own = session.own("ada")
    session.endpoint.listener.reply = lambda _: replace(own, body=own.body + b" " * 1_500_000)
    assert word_for(session, "ada") == FAILED


@pytest.mark.parametrize(
    "body",
    [
        b"-1\r\n" + b"x" * 8_000_000,
        b"-ffffffff\r\n" + b"x" * 8_000_000,
        b"5;" + b"x" * 8_000_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"0" * 8_000_000 + b"5\r\nhello\r\n0\r\n\r\n",
        b"0\r\n" + b"x: y\r\n" * 1_500_000 + b"\r\n",
        b"+700000\r\n" + b"x" * 8_000_000,
        b" 0x700000\r\n" + b"x" * 8_000_000,
    ],
    ids=["minus one", "less", "extension", "digits", "trailers", "plus", "prefix"],
)
@pytest.mark.parametrize(
    "session", [Rows, Secrets, Tokens, SignInKeys, Offers, HangUps], indirect=True
)
def test_an_answer_in_odd_chunks_is_bounded_as_it_arrives(
    session: Session, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(azure_retry, "MOST_BYTES", 500_000)
    received = [0]
    read = BoundedReader.readinto

    def readinto(reader: BoundedReader, buffer: Any) -> int | None:
        try:
            return read(reader, buffer)
        finally:
            received.append(reader.attempt.received)

    monkeypatch.setattr(BoundedReader, "readinto", readinto)
    status = 201 if isinstance(session, Offers) else 200
    head = f"HTTP/1.1 {status} Odd\r\nTransfer-Encoding: chunked\r\n"
    location = "Location: /v1/realtime/calls/rtc_ada\r\n\r\n"
    odd = Raw(f"{head}{location}".encode() + body, closes=True)
    session.endpoint.listener.reply = lambda _: odd
    word_for(session, "ada")
    assert 0 < max(received) < 1_500_000


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", [b"[]", b"null", b"5", b'"x"', b"[" * 100_000, b"\xff", b"{}"])
@pytest.mark.parametrize("session", [Rows, Secrets, Tokens, SignInKeys, Keys], indirect=True)
def test_an_answer_that_is_no_object_is_a_problem(
    session: Session, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int
) -> None:
    for module, budget in ((identity, "TOKEN"), (key_vault, "VAULT")):
        monkeypatch.setattr(module, f"{budget}_BUDGET", timedelta(seconds=0.2))
    session.endpoint.listener.reply = lambda _: Said(status, body, JSON)
    assert word_for(session, "ada") in (FAILED, "nothing")


@pytest.mark.parametrize("value", [5, True, ["ada"], {"a": "ada"}, 1.5])
@pytest.mark.parametrize("session", [Secrets], indirect=True)
def test_a_secret_that_is_no_text_is_none(session: Session, value: object) -> None:
    content = {"value": value, "id": f"{session.endpoint.url}/secrets/ada/1"}
    session.endpoint.listener.reply = lambda _: Said(200, json.dumps(content).encode(), JSON)
    with pytest.raises(Problem, match="vault_unavailable"):
        session.ask("ada")


@pytest.mark.parametrize("token", [5, True, ["ada"], {"a": "ada"}, "a\r\nX: y", "\ud800", "a b"])
@pytest.mark.parametrize("session", [Tokens], indirect=True)
def test_a_token_that_is_no_token_is_none(session: Session, token: object) -> None:
    content = {**json.loads(session.own("ada").body), "access_token": token}
    session.endpoint.listener.reply = lambda _: Said(200, json.dumps(content).encode(), JSON)
    with pytest.raises(Problem, match="credential_unavailable"):
        session.ask("ada")


@pytest.mark.parametrize("session", [SignInKeys], indirect=True)
@pytest.mark.parametrize("value", [None, 5, 1.5, [], {}, True, "", "\ud800"])
@pytest.mark.parametrize("member", ["n", "e", "d", "kid", "use", "kty"])
def test_an_odd_key_costs_no_other_key(session: Session, member: str, value: object) -> None:
    odd = {**signing_key(), "kid": "odd", member: value}
    content = {"keys": [odd, 5, {**signing_key(), "kid": "ada"}]}
    session.endpoint.listener.reply = lambda _: Said(200, json.dumps(content).encode(), JSON)
    assert word_for(session, "ada") == "ada"


@pytest.mark.parametrize("session", [Rows, Secrets, Tokens, SignInKeys], indirect=True)
def test_no_answer_is_unpacked(session: Session) -> None:
    own = session.own("ada")
    packed = replace(own, headers={**own.headers, "Content-Encoding": "gzip"})
    packed.body = gzip.compress(own.body)
    session.endpoint.listener.reply = lambda _: packed
    assert word_for(session, "ada") == FAILED
