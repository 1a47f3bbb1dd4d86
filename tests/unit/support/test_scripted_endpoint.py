"""The scripted endpoint, as an HTTP server: what its users do not try."""

from __future__ import annotations

from tests.support.scripted_endpoint import content_length, take_request


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
