"""Requests and responses without http.client: the same bytes out, and nothing read differently."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import Buffer
from urllib3.connection import HTTPConnection

from shared.core import pools
from shared.core.deadline import Deadline
from shared.core.http_response import FinalResponse
from shared.core.plain_request import Request, host_header, plain_request
from shared.core.plain_response import PlainResponse, read_plain
from shared.core.problems import Problem
from shared.upstream.transport import Reply, Timeouts, connection_pool, post_request
from tests.support.loop_thread import loop_in_thread
from tests.support.scripted_endpoint import Raw, Said, Upstream, upstream

SOON = timedelta(seconds=5)
ANSWER = b"HTTP/1.1 201 Created\r\nLocation: /calls/rtc_1\r\nContent-Length: 3\r\n\r\nv=0"


class Wire(socket.socket):
    """A socket that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        self.sent += bytes(data)


def sent_by_urllib3(url: str, request: Request) -> bytes:
    connection = connection_pool(requests.Session(), url)._new_conn()
    assert isinstance(connection, HTTPConnection)
    with Wire() as wire:
        connection.sock = wire
        connection.request(request.method, request.target, request.body, request.headers)
    return wire.sent


def a_request(
    method: str = "POST",
    target: str = "/v1/calls?a=b",
    body: bytes | None = b"an offer",
    headers: Mapping[str, str] | None = None,
) -> Request:
    return Request(method, target, body, headers or {}, connect_timeout=1, read_timeout=1)


def put_together(url: str, request: Request) -> bytes | None:
    pool = connection_pool(requests.Session(), url)
    assert isinstance(pool, pools.RepeatingPool)
    return plain_request(request, pool.host_header, pools.USER_AGENT)


@pytest.mark.parametrize(
    "request_",
    [
        a_request(headers={"Authorization": "Bearer ek_1", "Content-Type": "application/sdp"}),
        a_request(body=b""),
        a_request(body=None),
        a_request("GET", body=None),
        a_request("DELETE", body=None),
        a_request("PUT", "/t(PartitionKey='p',RowKey='r%2F1')", b"{}", {"If-Match": '"x"'}),
        a_request("PUT", body=None),
        a_request(headers={"accept-encoding": "gzip", "USER-AGENT": "x", "X-Empty": ""}),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "url", ["https://model.example/", "http://model.example:80/", "https://Model.example:8443/"]
)
def test_a_request_is_what_urllib3_would_send(url: str, request_: Request) -> None:
    assert put_together(url, request_) == sent_by_urllib3(url, request_)


@pytest.mark.parametrize(
    "request_",
    [
        a_request(target="/v1/a b"),
        a_request(target="/v1/ä"),
        a_request(target="/v1/%zz"),
        a_request(target="/v1/%2f"),
        a_request(target="/v1/a\r\nX: y"),
        a_request(target="https://elsewhere.example/"),
        a_request(headers={"X": "a\r\nY: b"}),
        a_request(headers={"X": "a\nb"}),
        a_request(headers={"X\nY": "a"}),
        a_request(headers={"X Y": "a"}),
        a_request(headers={"": "a"}),
        a_request(headers={"X": "ä"}),
        a_request(headers={"Host": "elsewhere"}),
        a_request(headers={"Content-Length": "1"}),
        a_request(headers={"transfer-encoding": "chunked"}),
    ],
    ids=str,
)
def test_what_urllib3_would_change_or_refuse_is_left_to_it(request_: Request) -> None:
    assert put_together("https://model.example/", request_) is None


@pytest.mark.parametrize("host", ["[::1]", "::1", "bücher.example", "a b", "model.example.", ""])
def test_an_unusual_host_is_left_to_http_client(host: str) -> None:
    assert host_header(host, 443, 443) == ""


class Source:
    """A connection, as far as a response needs one."""

    def __init__(self) -> None:
        from shared.core.exchange import Attempt, Terms

        self.attempt = Attempt(Terms())
        self.timeout: float | None = 1.0
        self.heard_at = 0.0
        self.has_surplus = False


def read_by_http_client(received: bytes) -> tuple[FinalResponse, bytes, bool]:
    """The response, its body, and whether its connection may be used again."""
    source = Source()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.close()
        response = FinalResponse(source, ours, received, method="POST")
        response.begin()
        will_close = response.will_close
        body = response.read()
        response.close()
    return response, body, not will_close and not source.has_surplus


PIECES: st.SearchStrategy[bytes] = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified"),
        *(b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue", b"HTTP/1.1 200", b"HTTP/1.1  200 OK"),
        *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b":", b"v=0", b"\xe4"),
        *(b"Content-Length: 3", b"Content-Length: 0", b"content-length:3", b"Content-Length: +3"),
        *(b"Content-Length: 3, 3", b"Transfer-Encoding: chunked", b"Connection: close"),
        *(
            b"3\r\nv=0\r\n0\r\n\r\n",
            b"03\r\nv=0\r\n",
            b"0\r\n",
            b"3;a\r\n",
            b"Location: /rtc_1",
            b"X:  two words \t",
        ),
    ]
)


@given(st.lists(PIECES, max_size=9), st.integers(0, 5))
def test_what_is_read_at_once_is_what_http_client_reads(pieces: list[bytes], kept: int) -> None:
    usual = [b"HTTP/1.1 200 OK", b"\r\n", b"Content-Length: 3", b"\r\n\r\n", b"v=0"]
    received = b"".join([*usual[:kept], *pieces, *usual[kept:]])
    plain = read_plain(received)
    if plain is None:
        return
    response, body, usable = read_by_http_client(received)
    assert (plain.status, plain.body, usable) == (response.status, body, True)
    assert list(plain.headers.items()) == list(response.headers.items())


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS: st.SearchStrategy[bytes] = st.sampled_from(
    [
        *(b"3\r\nv=0\r\n", b"1\r\n \r\n", b"A\r\n0123456789\r\n", b"0\r\n\r\n", b"0\r\n"),
        *(b"00\r\n\r\n", b"+3\r\nv=0\r\n", b"3 \r\nv=0\r\n", b"-1\r\n", b"3;a=b\r\nv=0\r\n"),
        *(b"X: y\r\n", b"\r\n", b"3\r\nv=", b"4\r\nv=0\r\n", b"\n", b"ffffffff\r\n"),
    ]
)


@given(st.lists(CHUNKS, max_size=6), st.booleans())
def test_chunks_that_are_joined_are_those_of_http_client(chunks: list[bytes], ends: bool) -> None:
    received = CHUNKED + b"".join(chunks) + (b"0\r\n\r\n" if ends else b"")
    if (plain := read_plain(received)) is not None:
        _, body, usable = read_by_http_client(received)
        assert (plain.body, usable) == (body, True)


@pytest.mark.parametrize(
    ("chunks", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nv=0\r\n0a\r\n0123456789\r\n0\r\n\r\n", b"v=00123456789"),
        (b"3\r\nv=0\r\n", None),
        (b"3\r\nv=0\r\n0\r\n", None),
        (b"3\r\nv=0\r\n0\r\nX: y\r\n\r\n", None),
        (b"3\r\nv=0\r\n0\r\n\r\nH", None),
        (b"4\r\nv=0\r\n0\r\n\r\n", None),
    ],
)
def test_chunks_are_joined_if_they_are_all_there(chunks: bytes, body: bytes | None) -> None:
    plain = read_plain(CHUNKED + chunks)
    assert (None if plain is None else plain.body) == body


def test_a_plain_response_is_read_at_once() -> None:
    plain = read_plain(ANSWER)
    assert plain is not None
    assert (plain.status, plain.body) == (201, b"v=0")
    assert plain.headers["location"] == "/calls/rtc_1"
    assert b"".join(plain.stream()) == b"v=0"
    empty = read_plain(b"HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n")
    assert empty is not None
    assert (empty.status, empty.body) == (204, b"")


@pytest.fixture
def model() -> Any:
    with upstream() as endpoint:
        yield endpoint


def post(endpoint: Upstream, pool: Any, headers: Mapping[str, str] | None = None) -> Reply:
    deadline = Deadline.after(SOON)
    return post_request(pool, f"{endpoint.url}/v1", b"v=0", headers or {}, Timeouts(), deadline)


def test_on_a_used_connection_whatever_is_unusual_is_read_all_the_same(
    model: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain: list[bool] = []
    send = pools.RepeatingPool.exchange_once

    def noted(self: Any, request: Request) -> Any:
        response = send(self, request)
        plain.append(isinstance(response, PlainResponse))
        return response

    monkeypatch.setattr(pools.RepeatingPool, "exchange_once", noted)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nv=0\r\n0\r\n\r\n"
    large = b"a" * 100_000
    head, body = ANSWER[:-3], ANSWER[-3:]
    replies = [
        Said(201, b"v=0"),
        Said(201, b"v=0"),
        Raw(chunked),
        Raw(head, body),
        Said(200, large),
    ]
    model.on("/v1", *replies, Said(200, b"end", drip=0.001), Said(200, b"last"))
    pool = connection_pool(requests.Session(), model.url)
    bodies = [post(model, pool).body for _ in range(7)]
    assert bodies == [b"v=0", b"v=0", b"v=0", b"v=0", large, b"end", b"last"]
    assert plain == [False, True, True, False, False, False, True]
    assert model.connections == 1


def test_a_body_that_breaks_off_on_a_used_connection_is_broken(model: Upstream) -> None:
    model.on("/v1", Said(200, b"v=0"), Raw(ANSWER[:-1], closes=True))
    pool = connection_pool(requests.Session(), model.url)
    assert post(model, pool).broken is None
    reply = post(model, pool)
    assert (reply.status, reply.body) == (201, b"")
    assert reply.broken is not None


def test_a_header_that_would_be_two_is_refused_on_a_used_connection(model: Upstream) -> None:
    model.on("/v1", Said(200))
    pool = connection_pool(requests.Session(), model.url)
    post(model, pool)
    with pytest.raises(Problem, match="upstream_unreachable"):
        post(model, pool, {"X": "a\r\nY: b"})
    assert model.count("/v1") == 1


def test_a_large_request_leaves_in_full_on_a_used_connection(model: Upstream) -> None:
    model.on("/v1", Said(200, b"ok"))
    pool = connection_pool(requests.Session(), model.url)
    post(model, pool)
    body = b"a" * 3_000_000
    deadline = Deadline.after(SOON)
    reply = post_request(pool, f"{model.url}/v1", body, {}, Timeouts(), deadline)
    assert (reply.body, model.asked[-1].body) == (b"ok", body)


def test_a_request_does_not_show_a_signature() -> None:
    assert "sig=s3cret" not in repr(a_request(target="/queue/messages?sig=s3cret"))


def test_what_http_client_leaves_in_a_record_is_no_answer_to_the_next_request(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    session = requests.Session()
    session.verify = str(tmp_path / "authority.pem")
    authority.cert_pem.write_to_path(session.verify)
    # http.client's buffer ends where the answer does; the rest of its record is another answer.
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 8151\r\n\r\n"
    script = Upstream()
    script.on("/v1", Raw(ANSWER), Raw(ANSWER), Raw(head + b"a" * 8151 + ANSWER), Said(200, b"own"))
    with loop_in_thread() as run:
        script.url = run(script.listener.listen(tls=context))
        try:
            pool = connection_pool(session, script.url)
            plain: Mapping[str, str] = {}
            for headers in (plain, plain, {"X": "ä"}):
                assert post(script, pool, headers).broken is None
            assert post(script, pool).body == b"own"
        finally:
            run(script.listener.close())
