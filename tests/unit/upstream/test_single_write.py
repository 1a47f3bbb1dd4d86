"""A request is sent in one write, head and body together."""

from __future__ import annotations

import socket

import pytest
import requests
from typing_extensions import Buffer
from urllib3.connection import HTTPConnection

from shared.upstream.transport import connection_pool


class Wire(socket.socket):
    """A socket that keeps what is sent, one entry for each write."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def sendall(self, data: Buffer, flags: int = 0, /) -> None:
        self.sent.append(bytes(data))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_is_sent_in_one_write(scheme: str) -> None:
    pool = connection_pool(requests.Session(), f"{scheme}://model.example/v1")
    for body in (b"an offer", None):
        connection = pool.ConnectionCls("model.example")
        assert isinstance(connection, HTTPConnection)
        with Wire() as wire:
            connection.sock = wire
            connection.request("POST", "/v1/calls", body, {"X-One": "1"})
        (whole,) = wire.sent
        assert whole.startswith(b"POST /v1/calls HTTP/1.1\r\n")
        assert whole.endswith(b"X-One: 1\r\n\r\n" + (body or b""))
