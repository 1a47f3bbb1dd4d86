"""Origins: which pages may use the broker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.auth.origins import CrossOriginPolicy
from shared.config.env import parse_origins
from shared.core.problems import Problem

LISTED = "https://shop.example"
OURS = CrossOriginPolicy.of([LISTED])
HOST = {"host": "broker.example"}
BEHIND = {
    "host": "func-123.azurewebsites.net",
    "x-forwarded-host": "func-123.azurewebsites.net",
    "x-ms-original-url": "https://app.example/api/connect?profile=x",
}


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "same-origin", "origin": "https://a.example"}, id="same"),
        pytest.param({"sec-fetch-site": "same-origin", "origin": "null"}, id="no-referrer page"),
        pytest.param({"sec-fetch-site": "none"}, id="typed in"),
        pytest.param({"sec-fetch-site": "cross-site", "origin": LISTED}, id="listed"),
        pytest.param({"origin": LISTED}, id="listed, old browser"),
        pytest.param({**HOST, "origin": "https://broker.example"}, id="own, old browser"),
        pytest.param({**HOST, "origin": "http://broker.example"}, id="own, TLS ends before us"),
        pytest.param({"host": "localhost:4280", "origin": "http://localhost:4280"}, id="laptop"),
        pytest.param({"host": "[::1]:4280", "origin": "http://[::1]:4280"}, id="IPv6"),
        pytest.param({"host": "a.example:443", "origin": "https://a.example"}, id="usual port"),
        pytest.param({**BEHIND, "origin": "https://app.example"}, id="own, behind SWA"),
        pytest.param(
            {"host": "127.0.0.1:7071", "x-forwarded-host": "app.example"}
            | {"origin": "https://app.example"},
            id="own, behind a proxy",
        ),
        pytest.param({**HOST}, id="no page"),
        pytest.param({}, id="nothing"),
    ],
)
def test_allowed_origins(headers: dict[str, str]) -> None:
    OURS.check_origin(headers)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, id="x"),
        pytest.param({"sec-fetch-site": "same-site", "origin": "https://b.shop.example"}, id="ss"),
        pytest.param({"sec-fetch-site": "cross-site"}, id="cross-site without an origin"),
        pytest.param({"sec-fetch-site": "Cross-Site"}, id="spelling"),
        pytest.param({"sec-fetch-site": ""}, id="empty"),
        pytest.param({"sec-fetch-site": "same-origin, cross-site"}, id="two"),
        pytest.param(
            {"sec-fetch-site": "cross-site", **HOST, "origin": "https://broker.example"},
            id="own by name but the browser says otherwise",
        ),
        pytest.param({**HOST, "origin": "https://evil.example"}, id="foreign, old browser"),
        pytest.param({**HOST, "origin": "null"}, id="null"),
        pytest.param({**HOST, "origin": ""}, id="empty origin"),
        pytest.param({"origin": "https://evil.example"}, id="no host"),
        pytest.param({**HOST, "origin": "https://broker.example:8443"}, id="other port"),
        pytest.param({**HOST, "origin": "https://broker.example.evil.example"}, id="suffix"),
        pytest.param({**HOST, "origin": "https://evil.example/broker.example"}, id="path"),
        pytest.param({**HOST, "origin": "https://u@broker.example"}, id="userinfo"),
        pytest.param({**HOST, "origin": f"{LISTED}.evil.example"}, id="listed plus suffix"),
        pytest.param({**HOST, "origin": "http://shop.example"}, id="listed, other scheme"),
        pytest.param({**BEHIND, "origin": "https://evil.example"}, id="foreign behind SWA"),
        pytest.param({"x-ms-original-url": "https://[", "origin": "https://a"}, id="broken url"),
    ],
)
def test_refused_origins(headers: dict[str, str]) -> None:
    with pytest.raises(Problem) as problem:
        OURS.check_origin(headers)
    assert (problem.value.code, problem.value.status) == ("origin_not_allowed", 403)


def test_only_a_listed_origin_gets_cors_headers() -> None:
    assert OURS.response_headers({"origin": LISTED}) == {
        "Access-Control-Allow-Origin": LISTED,
        "Access-Control-Expose-Headers": (
            "Location, Retry-After, X-Request-Id, X-Voice-Api, X-Conversation"
        ),
        "Vary": "Origin",
    }
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {}):
        assert OURS.response_headers(headers) == {"Vary": "Origin"}
    assert CrossOriginPolicy().response_headers({"origin": LISTED}) == {}


def test_credentials_are_allowed_only_when_chosen_and_never_with_a_wildcard() -> None:
    assert "Access-Control-Allow-Credentials" not in OURS.response_headers({"origin": LISTED})
    chosen = CrossOriginPolicy.of([LISTED], credentials=True)
    answered = chosen.response_headers({"origin": LISTED})
    assert answered["Access-Control-Allow-Credentials"] == "true"
    assert answered["Access-Control-Allow-Origin"] == LISTED
    assert chosen.response_headers({"origin": "https://evil.example"}) == {"Vary": "Origin"}


def test_a_preflight_is_answered_for_the_list_alone() -> None:
    wanted = {"origin": LISTED, "access-control-request-method": "POST"}
    answered = OURS.preflight_headers(wanted)
    assert answered["Access-Control-Allow-Origin"] == LISTED
    assert "POST" in answered["Access-Control-Allow-Methods"]
    assert "X-Caller-Token" in answered["Access-Control-Allow-Headers"]
    # A page must never be able to set the headers that say where it came from.
    allowed = answered["Access-Control-Allow-Headers"].lower()
    assert "x-forwarded" not in allowed
    assert "x-ms" not in allowed
    assert "*" not in "".join(answered.values())
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "same-origin"}, {}):
        with pytest.raises(Problem, match="origin_not_allowed"):
            OURS.preflight_headers(headers)


CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases" / "preflights.json"
REPORTED = [
    *[case["headers"] for case in json.loads(CASES.read_text(encoding="utf-8"))],
    "x-stainless-arch,x-stainless-lang,x-stainless-retry-count",
    "baggage,sentry-trace,tracestate",
    "x-ms-client-request-id, x-ms-useragent",
    "X-Caller-Token",
    ",".join(f"x-header-{number}" for number in range(60)),
]


def preflight(requested: str | None, origin: str = LISTED) -> set[str]:
    asked = {} if requested is None else {"access-control-request-headers": requested}
    headers = {"origin": origin, "access-control-request-method": "POST", **asked}
    answered = CrossOriginPolicy.of([origin]).preflight_headers(headers)
    assert answered["Access-Control-Allow-Origin"] == origin
    return {name.strip().lower() for name in answered["Access-Control-Allow-Headers"].split(",")}


@pytest.mark.parametrize("requested", REPORTED)
def test_a_preflight_of_a_listed_origin_may_use_what_it_asks_for(requested: str) -> None:
    assert preflight(requested) == {name.strip().lower() for name in requested.split(",")}


@pytest.mark.parametrize("requested", [None, "", ",", "*", "a b", "x\x00", "ü", "x" * 9000, ", ,"])
def test_a_preflight_that_asks_for_nothing_readable_is_told_what_the_broker_reads(
    requested: str | None,
) -> None:
    assert preflight(requested) == {
        "authorization",
        "content-type",
        "x-caller-token",
        "x-request-id",
    }


def test_a_page_may_not_set_what_the_platform_says_of_it() -> None:
    platforms = (
        "forwarded,x-forwarded-host,X-Forwarded-For,x-ms-original-url,x-original-url,x-real-ip,"
        "x-ms-client-principal,x-ms-client-principal-id,x-ms-token-aad-id-token,x-azure-clientip"
    )
    assert preflight(f"content-type,{platforms}") == {"content-type"}
    assert not preflight(platforms) & set(platforms.lower().split(","))


APPS = [
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "http://tauri.localhost",
    "app://obsidian.md",
    "app://-",
    "vscode-webview://1a2b3c",
    "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
    "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
    "safari-web-extension://9e5c5e65-39e1-41ee-8e0b-1a63b9a4f8a2",
    "com.example.app://localhost:8080",
]


@pytest.mark.parametrize("origin", APPS)
def test_the_origin_of_an_app_can_be_listed(origin: str) -> None:
    policy = CrossOriginPolicy(parse_origins(f"https://shop.example, {origin.upper()}"))
    headers = {**HOST, "origin": origin, "sec-fetch-site": "cross-site"}
    policy.check_origin(headers)
    assert policy.response_headers(headers)["Access-Control-Allow-Origin"] == origin
    assert preflight("content-type", origin) == {"content-type"}


@pytest.mark.parametrize("origin", APPS)
def test_the_origin_of_an_app_is_never_the_brokers_own(origin: str) -> None:
    host = origin.partition("://")[2]
    with pytest.raises(Problem, match="origin_not_allowed"):
        OURS.check_origin({"host": host, "origin": origin.replace("http:", "app:")})


def test_listed_origins_are_normalised() -> None:
    assert parse_origins("https://A.example:443, http://b.example:8080 ,") == {
        "https://a.example",
        "http://b.example:8080",
    }
    assert parse_origins("") == frozenset()


@pytest.mark.parametrize(
    "setting",
    [
        "*",
        "null",
        "https://*.example",
        "https://a.example/",
        "a.example",
        "ftp://a.example",
        "wss://a.example",
        "htps://a.example",
        "httpss://a.example",
        "file://",
        "file://localhost",
        "capacitor://",
        "capacitor://localhost/",
        "capacitor://*",
        "chrome-extension://abc/page.html",
        "javascript://a",
        "://a.example",
        "https://a.example?x",
        "https://a.example:99999",
        "https://u@a.example",
    ],
)
def test_an_inexact_origin_is_an_error(setting: str) -> None:
    with pytest.raises(ValueError, match="."):  # noqa: RUF043 (urllib words some of them)
        parse_origins(f"https://fine.example,{setting}")
