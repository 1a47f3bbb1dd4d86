"""Malformed requests, to every local server: refused in its own words, and never its failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.local_servers import KINDS, LocalServer, local_server
from tests.support.raw_http import RawReply, exchange, request

PLAIN = b"not compressed"
ENCODINGS = ("gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "compress", "bogus")


def check_refusal(server: LocalServer, name: str, reply: RawReply) -> None:
    """A 400 in the server's dialect, which quotes nothing of the request."""
    assert reply.status == 400
    assert b"secret" not in reply.body
    if name == "host":
        assert reply.body == b""
    elif server.kind == "application/json":
        assert json.loads(reply.body)
    else:
        assert reply.body == b"The request is malformed.\n"


@pytest.mark.parametrize("name", KINDS)
async def test_an_encoding_that_the_body_does_not_have(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        for encoding in ENCODINGS:
            headers = (*server.headers, f"Content-Encoding: {encoding}")
            reply = await exchange(server.url, request(server.write, headers, PLAIN))
            assert reply.status < 500, encoding
            chunked = (*headers, "Transfer-Encoding: chunked")
            body = b"e\r\n" + PLAIN + b"\r\n0\r\n\r\n"
            reply = await exchange(server.url, request(server.write, chunked, body))
            assert reply.status < 500, encoding


@pytest.mark.parametrize("name", ["host", "gateway-api"])
async def test_a_body_is_handed_over_as_it_came(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        for encoding in ENCODINGS:
            headers = [f"Content-Encoding: {encoding}"]
            reply = await exchange(server.url, request(server.write, headers, PLAIN))
            echo = json.loads(reply.body)
            assert (reply.status, echo["body"]) == (200, PLAIN.decode())
            assert echo["headers"]["content-encoding"] == encoding


MALFORMED = {
    "control character": request("GET /", ["Authorization: secret\x01"]),
    "NUL": request("GET /", ["X-A: secret\x00"]),
    "space in a name": request("GET /", ["X A: secret"]),
    "bad length": request("POST /", ["Content-Length: secret"]),
    "negative length": request("POST /", ["Content-Length: -1"]),
    "two lengths": request("POST /", ["Content-Length: 1", "Content-Length: 2"], b"ab"),
    "length and chunks": request(
        "POST /", ["Transfer-Encoding: chunked", "Content-Length: 2"], b"ab"
    ),
    "unknown framing": request("POST /", ["Transfer-Encoding: gzip"], b"secret"),
    "bad chunk": request("POST /", ["Transfer-Encoding: chunked"], b"secret\r\n"),
    "huge chunk": request("POST /", ["Transfer-Encoding: chunked"], b"f" * 20 + b"\r\n"),
    "two hosts": request("GET /", ["Host: localhost"]),
    "space in the path": request("GET /secret path"),
    "raw byte in the path": request("GET /secret\xff"),
    "bad method": request("GE(T /secret"),
    "long header": request("GET /", ["X-A: " + "secret" * 2000]),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03secret\r\n\r\n",
}


# The real host takes these, and so does this one: it does not read chunks, and is more patient.
TAKEN_BY_THE_HOST = (
    *("control character", "length and chunks", "bad chunk", "huge chunk", "long header"),
)


@pytest.mark.parametrize("name", KINDS)
async def test_what_is_not_http_is_refused(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        for what, raw in MALFORMED.items():
            reply = await exchange(server.url, raw)
            if name == "host" and what in TAKEN_BY_THE_HOST:
                assert reply.status == 200, what
            else:
                check_refusal(server, name, reply)


@pytest.mark.parametrize("name", ["gateway", "emulator", "vault"])
async def test_a_body_that_breaks_off_in_a_bad_chunk(name: str, tmp_path: Path) -> None:
    """It arrives when the request is already being handled."""
    async with local_server(name, tmp_path) as server:
        form = "Content-Type: application/x-www-form-urlencoded"
        headers = (*server.headers, form, "Transfer-Encoding: chunked")
        head = request(server.write, headers)
        reply = await exchange(server.url, head, b"3\r\nabc\r\n", b"zz\r\n")
        check_refusal(server, name, reply)


CONTENT_TYPES = [
    "application/json; charset=bogus",
    "application/x-www-form-urlencoded; charset=bogus",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=a",
    'multipart/form-data; boundary="a',
    f"multipart/form-data; boundary={'a' * 100}",
    "application/json; charset=utf-16",
    ";;;",
    "\xff",
]
BODIES = [
    b"",
    b"{}",
    b"\xff\xfe\x00",
    b"--a\r\nnonsense",
    b"--a\r\n\r\nx\r\n--a--\r\n",
    b"--a\r\nContent-Disposition: form-data; name=userId\r\n"
    b"Content-Transfer-Encoding: bogus\r\n\r\nx\r\n--a--\r\n",
    b"--a\r\nContent-Disposition: form-data; name=userId\r\n"
    b"Content-Type: text/plain; charset=bogus\r\n\r\nx\r\n--a--\r\n",
    b"--a\r\nContent-Disposition: form-data; name=userId\r\n"
    b"Content-Encoding: gzip\r\n\r\nx\r\n--a--\r\n",
    b"[" * 100_000,
]


@pytest.mark.parametrize("name", ["gateway", "emulator", "identity", "vault"])
async def test_bodies_that_are_not_what_they_say(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        for kind in CONTENT_TYPES:
            for body in BODIES:
                headers = (*server.headers, f"Content-Type: {kind}")
                reply = await exchange(server.url, request(server.write, headers, body))
                assert reply.status < 500, (kind, body[:60])


@pytest.mark.parametrize("name", KINDS)
async def test_odd_headers_and_targets(name: str, tmp_path: Path) -> None:
    async with local_server(name, tmp_path) as server:
        for header in (
            "X-A: \xff",
            "Cookie: StaticWebAppsAuthCookie=\xff",
            "Cookie: StaticWebAppsAuthCookie=" + "W1tb" * 1500,
            "Cookie: StaticWebAppsAuthCookie=W10=",
            'Cookie: ="";;=,=',
            "Content-Type: \xff",
            "Range: bytes=a-b",
            "Connection: \xff",
            "Expect: nonsense",
            "traceparent: \xff",
        ):
            reply = await exchange(server.url, request(server.line, [*server.headers, header]))
            assert reply.status < 500, header
        for target in (
            *("/%00", "/%ff", "/%ed%a0%80", "//x", "//[", "/[", "http://[/", "/?%ff=%00", "*"),
            *("/api/%zz", "/api/%ff", "/.auth/login/%ff", "/emulator/calls/%ff/frames"),
            *(
                "/.auth/logout?post_logout_redirect_uri=/%0d%0aX:1",
                "/secrets/%ff",
                "/" + "a" * 9000,
            ),
            *("/.auth/logout?post_logout_redirect_uri=/%ff", "/.auth/me?%ff"),
        ):
            reply = await exchange(server.url, request(f"GET {target}", server.headers))
            assert reply.status < 500, target
