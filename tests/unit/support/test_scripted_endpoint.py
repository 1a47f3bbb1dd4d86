"""The scripted endpoint as an HTTP server: what its other users do not cover."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from tests.support.patience import PATIENCE
from tests.support.scripted_endpoint import (
    CLOSE,
    RESET,
    Fault,
    Said,
    Upstream,
    content_length,
    take_request,
    upstream,
)


def test_a_request_is_taken_once_it_is_complete() -> None:
    received = bytearray(b"POST /a?b HTTP/1.1\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nh")
    assert take_request(received) is None
    received += b"iGET /c HTTP/1.1\r\n\r\n"
    first, second = take_request(received), take_request(received)
    assert first is not None
    assert (first.path, first.body, first.headers["x-one"]) == ("/a?b", b"hi", "1")
    assert second is not None
    assert (second.path, second.body) == ("/c", b"")
    assert take_request(received) is None


def test_the_length_of_a_request_is_read_whatever_the_case() -> None:
    assert content_length(b"POST / HTTP/1.1\r\ncontent-LENGTH: 12") == 12
    assert content_length(b"GET / HTTP/1.1") == 0


@pytest.fixture
def endpoint() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


def connect(endpoint: Upstream) -> HTTPConnection:
    return HTTPConnection(endpoint.url.removeprefix("http://"), timeout=PATIENCE)


def ask(connection: HTTPConnection) -> bytes:
    connection.request("GET", "/")
    return connection.getresponse().read()


@pytest.mark.parametrize("headers", [True, False])
def test_a_reply_that_drips(endpoint: Upstream, headers: bool) -> None:
    endpoint.on("/", Said(200, b"drop", drip=0.001, drip_headers=headers), Said(200, b"whole"))
    connection = connect(endpoint)
    assert ask(connection) == b"drop"
    assert ask(connection) == b"whole"
    connection.close()


def test_a_client_that_gives_up_a_drip(endpoint: Upstream) -> None:
    endpoint.on("/", Said(200, b"drop", drip=60), Said(200, b"next"))
    connection = connect(endpoint)
    connection.timeout = 0.1
    with pytest.raises(TimeoutError):
        ask(connection)
    connection.close()
    other = connect(endpoint)
    assert ask(other) == b"next"
    other.close()


def test_a_connection_that_is_forgotten(endpoint: Upstream) -> None:
    endpoint.on("/", Said(200, b"known", forget_after=0))
    connection = connect(endpoint)
    connection.timeout = 0.1
    assert ask(connection) == b"known"
    with pytest.raises(TimeoutError):
        ask(connection)
    connection.close()
    assert endpoint.count("/") == 1, "the second request never arrived"


def test_a_connection_that_is_forgotten_with_an_rst(endpoint: Upstream) -> None:
    endpoint.on("/", Said(200, b"known", forget_after=0, forgotten=RESET))
    connection = connect(endpoint)
    assert ask(connection) == b"known"
    with pytest.raises(ConnectionResetError):
        ask(connection)
    connection.close()


@pytest.mark.parametrize(
    ("fault", "error"), [(RESET, ConnectionResetError), (CLOSE, RemoteDisconnected)]
)
def test_a_connection_that_ends(endpoint: Upstream, fault: Fault, error: type[Exception]) -> None:
    endpoint.on("/", fault)
    connection = connect(endpoint)
    with pytest.raises(error) as raised:
        ask(connection)
    assert type(raised.value) is error, "of the two, one is derived from the other"
    connection.close()
