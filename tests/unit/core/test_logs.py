from __future__ import annotations

import logging

import pytest

from shared.core import logs
from shared.core.problems import Problem

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


def logged_by(caplog: pytest.LogCaptureFixture, error: Exception) -> str:
    with caplog.at_level(logging.INFO, "broker"):
        try:
            raise error
        except Exception:
            logs.failure("failed")
    return caplog.text


@pytest.mark.parametrize(
    "error",
    [KeyError("Jane Doe"), ValueError("Jane Doe"), UnicodeEncodeError("utf-8", "Jane", 0, 1, "x")],
)
def test_an_error_does_not_quote_what_it_was_given(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    text = logged_by(caplog, error)
    assert "Jane" not in text
    assert type(error).__name__ in text
    assert "in logged_by" in text, "where it was raised"


def test_what_an_error_says_of_the_program_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert "no attribute 'x'" in logged_by(caplog, AttributeError("no attribute 'x'"))
    assert "upstream_failed" in logged_by(caplog, Problem("upstream_failed"))


def test_the_causes_of_an_error_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    inner = KeyError("Jane Doe")
    with caplog.at_level(logging.INFO, "broker"):
        try:
            try:
                raise inner
            except KeyError as cause:
                raise TypeError("of another kind") from cause
        except TypeError:
            logs.failure("failed")
    assert "KeyError: [redacted]" in caplog.text
    assert "TypeError: of another kind" in caplog.text
    assert "Jane" not in caplog.text


def test_a_field_and_a_record_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "broker"):
        logs.event(
            "noted", many=["x" * 10_000] * 1000, long="y" * 100_000, nested={"z": "z" * 9000}
        )
    (record,) = caplog.records
    assert len(record.getMessage()) < 20_000
    assert "[cut: 100000 characters]" in caplog.text


def test_a_token_that_was_cut_off_is_redacted_too() -> None:
    assert logs.redacted("at eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZ") == "at [redacted]"
    assert logs.redacted("at eyJhbGciOiJSUzI1NiJ9") == "at [redacted]"


def test_what_the_websockets_library_logs_is_redacted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "broker"):
        logging.getLogger("broker.sideband").warning("odd frame of %s", JWT)
    assert JWT not in caplog.text


@pytest.mark.parametrize("value", ["Jane Doe", "", "a\nb", "x" * 101, None, 7, ["a"], "\ud83d"])
def test_only_a_short_word_is_safe(value: object) -> None:
    assert logs.safe_word(value) == ""
    assert logs.safe_word("session.tools[2].name") == "session.tools[2].name"
