"""What of an endpoint's message may be in the log."""

from __future__ import annotations

import json
import logging

import pytest

from shared.upstream.error_mapping import refusal_problem
from shared.upstream.scrubbing import LONGEST_MESSAGE, scrubbed
from shared.upstream.transport import Reply, sent_secrets

KEPT = [
    "Access denied due to Virtual Network/Firewall rules.",
    "Unknown parameter: 'session.tools[2].meta'.",
    "Invalid value: 'alloi'. Supported values are: 'alloy', 'ash', and 'cedar'.",
    "The model `gpt-realtime-2025-08-28` does not exist or you do not have access to it.",
    "You didn't provide an organization. It's needed.",
    "Token tenant 72f988bf-86f1-41af-91ab-2d7cd011db47 does not match resource tenant.",
    "Failed to parse offer: sdp: syntax error at pos 27",
]


@pytest.mark.parametrize("message", KEPT)
def test_an_explanation_stays_as_it_is(message: str) -> None:
    assert scrubbed(message) == message


HIDDEN = {
    "a key": ("Incorrect API key provided: kv-key. Find yours at the site.", "kv-key"),
    "a masked key": ("Incorrect API key provided: sk-pr****************abcd.", "abcd"),
    "a key of azure": ("The key 0123456789abcdef0123456789abcdef is not known", "0123456789abcdef"),
    "an ephemeral key": ("Key ek_68af296e8e408191a1120ab6383263c2 has expired", "68af296e"),
    "a token": ("bearer eyJhbGciOi.eyJzdWIi.c2ln is malformed", "eyJ"),
    "an instruction": ("Invalid instructions: 'You are Bob, the spy.'", "spy"),
    "quotes in quotes": ("Bad: 'You're the spy's \"friend\" in 'Rome' and so on.'", "spy"),
    "an open quote": ('Bad value: "You are Bob, the spy and you', "spy"),
    "typographic quotes": ("Bad value: “You are the spy” there", "spy"),
    "a line of the offer": ("Bad line a=ice-pwd:9f8e7d6c5b4a39281706abcd in it", "9f8e7d"),
    "a candidate": ("cannot parse a=candidate:1 1 udp 99 192.0.2.7 5000 typ host", "192.0.2"),
    "an address": ("failed to parse address 192.0.2.7:5000", "192.0.2"),
    "an address of six": ("failed to parse address 2001:db8:0:1:2:3:4:5", "2001:db8"),
    "a mail address": ("No access for somebody@example.com.", "somebody"),
    "a call": ("No session found for rtc_990b6ba8f11341c9b697c970849587c1", "990b6ba8"),
    "a password": ("password=hunter2 is wrong", "hunter2"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_quoted_of_the_request_is_removed(name: str) -> None:
    message, hidden = HIDDEN[name]
    assert hidden not in scrubbed(message)


def test_what_was_sent_as_a_credential_is_removed_wherever_it_stands() -> None:
    secrets = sent_secrets(
        {"api-key": "hush-hush", "Ocp-Apim-Subscription-Key": "psst-1", "Content-Type": "text/x"}
    )
    message = scrubbed("The credentials hush-hush and psst-1 are wrong for text/x", secrets)
    assert message == "The credentials [removed] and [removed] are wrong for text/x"


def test_a_message_is_one_short_line() -> None:
    text = scrubbed("one\r\ntwo\x00 " + "word " * 10_000)
    assert text.startswith("one two")
    assert "\n" not in text
    assert len(text) < LONGEST_MESSAGE + 50


def test_the_log_has_the_evidence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "broker")
    body = {"error": {"code": "403", "message": "Access denied due to Virtual Network rules."}}
    headers = {
        "policy-id": "ThrowExceptionDueToTrafficDenied",
        "apim-request-id": "c85f3b15-cf66-4482-a190-82ac6e287aad",
    }
    refusal_problem(Reply(403, headers, json.dumps(body).encode()))
    (record,) = caplog.records
    name, _, fields = record.getMessage().partition(" {")
    assert name == "upstream refused"
    assert json.loads("{" + fields) == {
        "status": 403,
        "upstream_code": "403",
        "policy": "ThrowExceptionDueToTrafficDenied",
        "upstream_request": "c85f3b15-cf66-4482-a190-82ac6e287aad",
        "message": "Access denied due to Virtual Network rules.",
        "problem": "upstream_network_rules",
    }


def test_a_page_of_a_gateway_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "broker")
    refusal_problem(Reply(403, {}, b"<h1>Blocked: you, at home</h1>"))
    assert '"body": "not JSON"' in caplog.text
    assert "home" not in caplog.text


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"x-request-id": "req_8a"}, "req_8a"),
        ({"x-request-id": "a\u2028b", "cf-ray": "9510cccdcebc0327-MAD"}, "9510cccdcebc0327-MAD"),
        ({}, None),
    ],
)
def test_the_request_id_is_the_providers(
    headers: dict[str, str], found: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "broker")
    refusal_problem(Reply(500, headers, b""))
    fields = json.loads("{" + caplog.records[0].getMessage().partition(" {")[2])
    assert fields.get("upstream_request") == found
