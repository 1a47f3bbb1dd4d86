"""The HTTP edge: which headers everything below it sees."""

from __future__ import annotations

from collections.abc import Mapping

import azure.functions as func
import pytest
import requests

from shared.api.request import Request, read_request
from shared.auth.anonymous import Anonymous
from shared.auth.authenticator import Authenticator
from shared.auth.entra import Entra, Issuer
from shared.auth.method import Method
from shared.auth.origins import CrossOriginPolicy
from shared.auth.signing_keys import JwksCache
from shared.auth.static_web_apps import StaticWebApps
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret
from tests.support.principals import signed_in

PRINCIPAL = signed_in("ada")["x-ms-client-principal"]
SECRET = FixedSecret(["a secret of the broker: 32 bytes or more"])
POLICY = CrossOriginPolicy.of(["https://shop.example"])


def request(headers: Mapping[str, str], body: bytes = b"") -> Request:
    return read_request(
        func.HttpRequest("POST", "/api/connect", headers=headers, params={}, body=body)
    )


def test_header_names_are_lower_cased_once_for_everything_below() -> None:
    read = request({"Content-TYPE": "application/sdp", "X-MS-Client-Principal": "X"})
    assert read.headers == {"content-type": "application/sdp", "x-ms-client-principal": "X"}


def test_a_repeated_principal_is_not_valid_even_where_others_get_in() -> None:
    methods: list[Method] = [StaticWebApps(trusted=True), Anonymous()]
    authenticator = Authenticator(methods, SECRET)
    once = request({"X-MS-Client-Principal": PRINCIPAL})
    assert authenticator.authenticate(once.headers).kind == "static-web-apps"
    twice = request({"X-MS-Client-Principal": f"{PRINCIPAL},{PRINCIPAL}"})
    with pytest.raises(Problem, match="invalid_credentials"):
        authenticator.authenticate(twice.headers)


@pytest.mark.parametrize("name", ["Authorization", "X-Caller-Token"])
def test_a_repeated_token_is_not_valid(name: str) -> None:
    keys = JwksCache(requests.Session(), "https://login.example/keys")
    entra = Entra([Issuer("https://login.example", keys, None)], ["api://broker"], "call")
    twice = request({name: "Bearer a.b.c,Bearer a.b.c"})
    with pytest.raises(Problem, match="invalid_credentials"):
        Authenticator([entra, Anonymous()], SECRET).authenticate(twice.headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://shop.example,https://evil.example"},
        {"Origin": "https://own.example,https://own.example", "Host": "own.example"},
        {"Sec-Fetch-Site": "same-origin,cross-site"},
    ],
)
def test_a_repeated_origin_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Problem, match="origin_not_allowed"):
        POLICY.check_origin(request(headers).headers)


def test_a_repeated_content_type_is_refused() -> None:
    with pytest.raises(Problem, match="unsupported_content_type"):
        request({"Content-Type": "application/sdp,application/sdp"}, b"v=0").offer()


def test_a_repeated_request_id_is_replaced() -> None:
    read = request({"X-Request-Id": "page-2026-000001,page-2026-000002"})
    assert "," not in read.request_id
    assert not read.request_id.startswith("page-")


def test_repeated_forwarding_headers_are_one_list() -> None:
    authenticator = Authenticator([Anonymous(proxies=1)], SECRET)
    joined = request({"X-Forwarded-For": "198.51.100.1,203.0.113.7"})
    last = request({"X-Forwarded-For": "203.0.113.7"})
    assert authenticator.authenticate(joined.headers) == authenticator.authenticate(last.headers)


CHUNKED = {"content-type": "application/sdp", "transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    ("headers", "body", "code", "words"),
    [
        (CHUNKED, b"", "missing_offer", "Content-Length"),
        (
            {**CHUNKED, "content-type": "multipart/form-data; boundary=a"},
            b"",
            "missing_offer",
            "chunked",
        ),
        (
            {"content-type": "application/sdp", "content-encoding": "gzip"},
            b"\x1f\x8b\x08",
            "invalid_offer",
            "Content-Encoding",
        ),
        (
            {"content-type": "multipart/form-data; boundary=a", "content-encoding": "br"},
            b"\x1f\x8b\x08",
            "broken_body",
            "Content-Encoding",
        ),
    ],
)
def test_an_offer_that_the_host_did_not_hand_over_whole_is_explained(
    headers: dict[str, str], body: bytes, code: str, words: str
) -> None:
    with pytest.raises(Problem) as caught:
        request(headers, body).offer()
    assert caught.value.code == code
    assert words in caught.value.body("id")["hint"]


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({"transfer-encoding": "chunked"}, b"", "chunked"),
        ({"content-encoding": "gzip"}, b"\x1f\x8b", "Content-Encoding"),
        ({}, b"", "whole"),
    ],
)
def test_a_body_that_is_not_json_is_explained(
    headers: dict[str, str], body: bytes, words: str
) -> None:
    with pytest.raises(Problem) as caught:
        request(headers, body).json()
    assert (caught.value.code, words in caught.value.hint) == ("broken_body", True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_may_begin_with_a_byte_order_mark(encoding: str) -> None:
    assert request({}, '{"a": "\u00e9"}'.encode(encoding)).json() == {"a": "\u00e9"}


def test_an_offer_that_is_only_said_to_be_compressed_is_taken() -> None:
    headers = {"content-type": "application/sdp", "content-encoding": "gzip"}
    assert request(headers, b"v=0").offer() == b"v=0"


@pytest.mark.parametrize(
    "url", ["/?profile=a&profile=b", "/?profile=a&PROFILE=a", "/?profile=&%70rofile=a"]
)
def test_a_parameter_that_is_given_twice_is_refused_by_name_when_it_is_read(url: str) -> None:
    query = read_request(
        func.HttpRequest("GET", url, headers={}, params={"profile": "a,b", "x": "1"}, body=b"")
    ).query
    assert query["x"] == "1"
    with pytest.raises(Problem, match="profile: expected once") as caught:
        query.get("profile")
    assert caught.value.code == "invalid_query"
