"""Request heads and framing, by the rules of the real host's web server (Kestrel)."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from local.host.connection import ChunkSkipper
from local.host.http_adapter import read_query
from local.host.request_head import Head, HeadReader
from local.host.request_target import RefusedRequest
from tests.contract.host.test_http import host
from tests.support.patience import PATIENCE
from tests.support.programs import running
from tests.support.raw_http import exchange, request


def read(raw: bytes, step: int | None = None) -> Head | int:
    """The head in `raw`, fed whole or in steps, or the status it is refused with."""
    reader = HeadReader()
    step = step or len(raw)
    try:
        for start in range(0, len(raw), step):
            found = reader.feed(raw[start : start + step])
            if found:
                return found[0]
    except RefusedRequest as refused:
        return refused.status
    raise AssertionError("the head is not whole")


def get(target: str, *headers: str, host: str = "a") -> bytes:
    return request(f"GET {target}", headers, host=host)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/./b", "/a/b"),
        ("/a/../b?x=/../y", "/b?x=/../y"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/../../a", "/a"),
        ("/a/%2E%2e/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/..%2Fb", "/a/..%2Fb"),
        ("/a/...", "/a/..."),
        ("//a", "//a"),
        ("/a//../b", "/a/b"),
        ("/%zz%", "/%zz%"),
        ("http://a/b?c", "/b?c"),
        ("http://a", "/"),
        ("http://a?b", "/?b"),
        ("http://a/b#c", "/b"),
        ("http://a:80/b/../c", "/c"),
        ("http://who@a/b", "/b"),
    ],
)
def test_a_target_is_simplified_before_it_is_routed(target: str, path: str) -> None:
    head = read(get(target))
    assert isinstance(head, Head)
    assert head.message.path == path


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (get("/a%00b"), 400),
        (get("/\xe9"), 400),
        (get("/?\xe9"), 400),
        (get("*"), 405),
        (get("a:80"), 405),
        (get("a/b"), 400),
        (get("http://[/"), 400),
        (get("http://a:80b/"), 400),
        (get("http://127.0.0.1/", host="localhost"), 400),
        (request("CONNECT a:80", host="b"), 400),
        (b"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a*b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"GET ?a HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.11\r\n\r\n", 400),
        (b"GE(T / HTTP/1.1\r\n\r\n", 400),
        (b"GET /\0", 400),
        (get("/", "A B: c"), 400),
        (get("/", " folded: c"), 400),
        (get("/", ": c"), 400),
        (get("/", "no colon"), 400),
        (get("/", "A: b\rc"), 400),
        (get("/", "A: b\0c"), 400),
        (get("/", "\xe9: b"), 400),
        (get("/", "A: \xe9"), 400),
        (get("/", "Content-Length: 1", "Content-Length: 1"), 400),
        (get("/", "Content-Length: -1"), 400),
        (get("/", "Content-Length: 1,1"), 400),
        (get("/", "Content-Length:"), 400),
        (get("/", "Content-Length: 9223372036854775808"), 400),
        (get("/", "Content-Length: " + "9" * 5000), 400),
        (get("/", "Transfer-Encoding: gzip"), 400),
        (get("/", "Transfer-Encoding: chunked, gzip"), 400),
        (b"POST / HTTP/1.0\r\nHost: a\r\n\r\n", 400),
        (b"GET /" + b"a" * 8192, 414),
        (get("/", "A: " + "b" * 33_000), 431),
        (get("/", "A: " + "b" * 33_000)[:-60], 431),
        (get("/", *(f"A{n}: b" for n in range(99))), 431),
    ],
)
def test_what_the_web_server_refuses(raw: bytes, status: int) -> None:
    assert read(raw) == status
    assert read(raw, 7) == status


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET /   HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        get("/", "A: \x01\x7f"),
        get("/", "A@b: c"),
        get("/", "A: h\u00c3\u00a9"),
        get("/", *(f"A{n}: b" for n in range(98))),
        get("/", "Content-Length: +5"),
        get("/", "Transfer-Encoding: gzip, Chunked"),
        get("/" + "a" * 8173),
    ],
)
def test_what_the_web_server_takes(raw: bytes) -> None:
    assert isinstance(read(raw), Head)
    assert isinstance(read(raw, 1), Head)


def test_a_chunked_body_hides_its_length_and_ends_the_connection() -> None:
    head = read(get("/", "Transfer-Encoding: chunked", "Content-Length: 5"))
    assert isinstance(head, Head)
    assert (head.chunked, head.length, head.message.should_close) == (True, 0, True)
    assert "Content-Length" not in head.message.headers
    assert head.message.headers["X-Content-Length"] == "5"


@pytest.mark.parametrize(
    ("version", "connection", "closes"),
    [
        ("1.1", "", False),
        ("1.1", "close", True),
        ("1.1", "Keep-Alive, CLOSE", True),
        ("1.0", "", True),
        ("1.0", "keep-alive", False),
    ],
)
def test_whether_the_connection_is_kept(version: str, connection: str, closes: bool) -> None:
    head = read(f"GET / HTTP/{version}\r\nHost: a\r\nConnection: {connection}\r\n\r\n".encode())
    assert isinstance(head, Head)
    assert head.message.should_close is closes


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("a=1&a=2&A=3", {"a": "1,2,3"}),
        ("a=&b", {}),
        ("a=&a=1&a=", {"a": "1"}),
        ("A=1", {"A": "1"}),
        ("a+b=c+d", {"a b": "c d"}),
        ("a=%41%C3%A9%ff%zz%", {"a": "A\u00e9%ff%zz%"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("a=b=c&&", {"a": "b=c"}),
        ("=1", {"": "1"}),
    ],
)
def test_a_query_as_the_app_sees_it(query: str, parameters: dict[str, str]) -> None:
    assert read_query(query) == parameters


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_the_end_of_a_chunked_body(step: int) -> None:
    raw = b"5\r\nab\r\nc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET"
    skipper, rest = ChunkSkipper(), b""
    for start in range(0, len(raw), step):
        found = skipper.feed(raw[start : start + step])
        if found is not None:
            rest = found + raw[start + step :]
            break
    assert rest == b"GET"


@pytest.mark.parametrize("raw", [b"x\r\n", b"\r\r\n", b"fffffffff\r\n", b"1\na", b"1" * 9000])
def test_a_malformed_chunk(raw: bytes) -> None:
    with pytest.raises(RefusedRequest):
        ChunkSkipper().feed(raw)


CHUNKED = request("POST /api/echo", ["Transfer-Encoding: chunked"], b"3\r\nabc\r\n0\r\n\r\n")


async def test_requests_of_one_connection_come_one_after_the_other() -> None:
    many = [
        CHUNKED,
        request("POST /api/echo", ["Content-Length: 3"], b"xyz"),
        request("get /api/echo"),
        request("GET /api/echo", ["Connection: close"]),
    ]
    async with running(host().make_app()) as url:
        for pieces in (many, [b"".join(many)]):
            address = urlsplit(url)
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(PATIENCE):
                answers = (await reader.read()).decode()
            writer.close()
            assert answers.count("HTTP/1.1 200 OK") == len(many)
            assert answers.count('"body": "xyz"') == 1
            assert answers.count('"body": ""') == 3
            assert answers.count('"method": "GET"') == 2


async def test_a_malformed_chunk_costs_no_more_than_the_connection() -> None:
    broken = request("POST /api/echo", ["Transfer-Encoding: chunked"], b"3\r\nabc\r\n")
    async with running(host().make_app()) as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(broken)
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"zz\r\n")
            rest = await reader.read()
        writer.close()
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"HTTP/1.1" not in rest


async def test_a_body_that_waits_to_be_asked_for() -> None:
    head = request("POST /api/echo", ["Content-Length: 3", "Expect: 100-continue"])
    async with running(host().make_app()) as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(head)
        async with asyncio.timeout(PATIENCE):
            asked = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"abc")
            answer = await reader.readuntil(b"\r\n\r\n")
        writer.close()
    assert asked == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_other_expectations_are_ignored() -> None:
    async with running(host().make_app()) as url:
        reply = await exchange(url, request("GET /api/echo", ["Expect: the unexpected"]))
    assert reply.status == 200


@pytest.mark.parametrize("path", ["/api//echo", "//api/echo", "/api/echo//", "/api", "//"])
async def test_an_empty_segment_is_no_part_of_a_route(path: str) -> None:
    async with running(host().make_app()) as url:
        assert (await exchange(url, request(f"GET {path}"))).status == 404
