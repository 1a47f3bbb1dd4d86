from __future__ import annotations

import logging

import pytest

from shared.core import logs

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
SECRETS = [
    "ek_68af296e8e408191a1120ab6383263c2",
    "sk-proj-abc123",
    "rtc_0123456789abcdef0123456789abcdef",
    JWT,
    "a=ice-pwd:asd88fgpdd777uzjYhagZg",
    "a=candidate:1 1 udp 2113937151 192.0.2.7 54400 typ host",
]


@pytest.fixture(autouse=True)
def redacting_log() -> None:
    logs.set_up()


@pytest.mark.parametrize("secret", [*SECRETS, f"Bearer {'x' * 20}"])
def test_nothing_that_looks_like_a_secret_is_logged(
    caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    with caplog.at_level(logging.INFO, "broker"):
        logs.event("started", note=f"before {secret} after")
        logs.LOGGER.info("raw %s", secret)
        try:
            raise ValueError(secret)
        except ValueError:
            logs.failure("failed")
    assert len(caplog.records) == 3
    assert secret not in caplog.text
    assert caplog.text.count("[redacted]") >= 3


def test_an_event_has_its_fields_and_the_request_id(caplog: pytest.LogCaptureFixture) -> None:
    token = logs.REQUEST_ID.set("request-7")
    with caplog.at_level(logging.INFO, "broker"):
        logs.event("call started", profile="default", empty="")
    logs.REQUEST_ID.reset(token)
    (record,) = caplog.records
    assert record.getMessage() == ('call started {"profile": "default", "request_id": "request-7"}')


def test_a_log_level_of_the_host_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.LOGGER, "level", logging.WARNING)
    logs.set_up()
    assert logs.LOGGER.level == logging.WARNING


def test_without_a_log_level_of_the_host_events_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs.LOGGER, "level", logging.NOTSET)
    logs.set_up()
    assert logs.LOGGER.level == logging.INFO
