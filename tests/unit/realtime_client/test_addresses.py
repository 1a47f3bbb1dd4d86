"""Where the API is, and what is a handle and what an id."""

from __future__ import annotations

import pytest

from realtime_client import operations
from realtime_client.addresses import api_address, url_of
from tests.unit.realtime_client.replies import CALL_ID, HANDLE


@pytest.mark.parametrize(
    ("broker", "api"),
    [
        ("https://talk.example.com", "https://talk.example.com/api"),
        ("https://talk.example.com/", "https://talk.example.com/api"),
        ("https://example.com/voice", "https://example.com/voice/api"),
        ("https://talk.example.com/api", "https://talk.example.com/api"),
        ("https://app.example.com/api/voice/", "https://app.example.com/api/voice"),
        ("http://127.0.0.1:7071", "http://127.0.0.1:7071/api"),
        ("https://api.example.com", "https://api.example.com/api"),
        ("https://example.com/apis", "https://example.com/apis/api"),
    ],
)
def test_the_address_of_the_api(broker: str, api: str) -> None:
    assert api_address(broker) == api


@pytest.mark.parametrize(
    "broker",
    [
        "talk.example.com",
        "ftp://x",
        "https://",
        "https://a:b@x",
        "https://x?a=b",
        "https://x#a",
        "https://x?",
        "https://x#",
        "https://[::1",
        "https://x:port",
        "https://x:99999",
        "https://x y",
        " https://x",
        "https://x/\n",
        "",
    ],
)
def test_what_is_no_address(broker: str) -> None:
    with pytest.raises(ValueError, match="address"):
        api_address(broker)


@pytest.mark.parametrize(
    "text", ["", "../usage", "a/b", "a?b", "a b", "a%2Fb", "ü", CALL_ID, "a\n"]
)
def test_what_a_page_may_not_pass_for_a_handle(text: str) -> None:
    """Of an id the broker would end any call, if the token is an admin's."""
    for make in (operations.status, operations.hang_up):
        with pytest.raises(ValueError, match="handle"):
            make(text)
    if text:
        with pytest.raises(ValueError, match="handle"):
            operations.start("v=0", "", text)


def test_what_is_too_long_for_a_url() -> None:
    with pytest.raises(ValueError, match="too long"):
        url_of("https://x/api", operations.status("a" * 16_000).request)
    with pytest.raises(ValueError, match="too long"):
        url_of("https://x/api", operations.start("v=0", "a" * 16_000, "").request)


@pytest.mark.parametrize("text", ["", HANDLE, "../calls", CALL_ID + "/x", CALL_ID + "\n"])
def test_what_is_no_id(text: str) -> None:
    for made in (
        lambda: operations.end_call(text),
        lambda: operations.transcript(text, ""),
        lambda: operations.send_event(text, {}),
    ):
        with pytest.raises(ValueError, match="id of a call"):
            made()
