from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.core import logs
from shared.core.problems import Problem
from shared.credentials import identity
from shared.credentials.identity import EntraCredential, open_identity
from tests.support.scripted_endpoint import Raw, Reply, Said, upstream

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
SECRETS = [
    "ek_68af296e8e408191a1120ab6383263c2",
    "sk-proj-abc123",
    "rtc_0123456789abcdef0123456789abcdef",
    "live_u1_ETYIzp3oMdsOgToLqu6XD9tADPzN3Caj",
    "sess_abc123",
    JWT,
    "a=ice-pwd:asd88fgpdd777uzjYhagZg",
    "a=candidate:1 1 udp 2113937151 192.0.2.7 54400 typ host",
]


@pytest.fixture(autouse=True)
def redacting_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = logging.getLogRecordFactory()
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logs.set_up()
    yield
    logging.setLogRecordFactory(before)


@pytest.fixture
def workers_log() -> Iterator[io.StringIO]:
    """What a handler on the root logger writes, as the Functions worker's does."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)


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


def test_a_handler_that_fails_prints_no_exception(
    workers_log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    workers_log.close()
    try:
        raise ValueError(JWT)
    except ValueError:
        logs.failure("failed")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("word", ["live_without_keys", "live_sessions_busy", "gpt-live-1"])
def test_the_words_of_gpt_live_are_logged(word: str) -> None:
    assert logs.redacted(f"code {word}") == f"code {word}"


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


TOKEN = "an0paqueAccessToken"
ANSWER = json.dumps(
    {
        "expires_on": "4000000000",
        "resource": "x",
        "token_type": "Bearer",
        "access_token": TOKEN,
        "client_id": "c",
    }
).encode()
TEXT = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "reply",
    [
        Raw(b"HTTP/1.1 200 OK\r\n\r\n" + ANSWER[:-3], closes=True),
        Said(200, ANSWER[:-1] + b",}", TEXT),
        Said(200, ANSWER + b"\0", TEXT),
        Said(400, ANSWER[:-3], TEXT),
    ],
    ids=["cut short", "a comma too many", "a byte after it", "a refusal cut short"],
)
def test_a_token_in_an_answer_that_cannot_be_read_is_not_logged(
    monkeypatch: pytest.MonkeyPatch, workers_log: io.StringIO, reply: Reply
) -> None:
    monkeypatch.setattr(identity, "TOKEN_BUDGET", timedelta(seconds=1))
    with upstream() as endpoint:
        endpoint.listener.reply = lambda _: reply
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{endpoint.url}/msi")
        monkeypatch.setenv("IDENTITY_HEADER", "of-the-platform")
        opened = open_identity({"IDENTITY_ENDPOINT": "there"})
        credential = EntraCredential(
            lambda: opened, "https://x/.default", lambda: datetime.now(UTC)
        )
        with pytest.raises(Problem, match="credential_unavailable"):
            credential.headers()
    assert TOKEN not in workers_log.getvalue()
    assert "azure.identity" in workers_log.getvalue()
    assert "identity refused" in workers_log.getvalue()


def library_logger(name: str) -> Callable[..., None]:
    """Logs an error as the code of an installed package would."""
    code = compile(
        "def log(*arguments, **options): logger.error(*arguments, **options)",
        "/home/site/wwwroot/.python_packages/lib/site-packages/a/b.py",
        "exec",
    )
    known: dict[str, Any] = {"logger": logging.getLogger(name)}
    exec(code, known)
    found: Callable[..., None] = known["log"]
    return found


@pytest.mark.parametrize("name", ["azure.identity.x", "msal", "urllib3.x", "broker.sideband", "q"])
def test_the_text_of_a_library_is_withheld(workers_log: io.StringIO, name: str) -> None:
    log = library_logger(name)
    try:
        raise ValueError(TOKEN)
    except ValueError:
        log("odd answer: %s", TOKEN, exc_info=True)
    log(f"odd answer: {TOKEN}")
    log("cannot be formatted", TOKEN)
    text = workers_log.getvalue()
    assert TOKEN not in text
    assert text.count(f'"logger": "{name}"') == 3
    assert text.count('"where": "b.py:1"') == 3
    assert "ValueError: [redacted]" in text


def test_a_lost_error_of_a_task_is_told_without_its_text(workers_log: io.StringIO) -> None:
    loop = asyncio.new_event_loop()

    async def fail() -> None:
        raise ValueError(TOKEN)

    loop.run_until_complete(asyncio.wait([loop.create_task(fail())]))
    gc.collect()
    loop.close()
    assert TOKEN not in workers_log.getvalue()
    assert '"logger": "asyncio", "error": "ValueError"' in workers_log.getvalue()


@pytest.mark.parametrize("name", ["", "a_tool", "azure_functions_worker"])
def test_what_other_programs_log_is_redacted(workers_log: io.StringIO, name: str) -> None:
    logger = logging.getLogger(name)
    logger.warning("odd: %s", JWT)
    try:
        raise ValueError(f"odd: {JWT}")
    except ValueError:
        logger.exception("failed")
    logger.warning("odd", JWT)
    assert JWT not in workers_log.getvalue()
    assert "odd: [redacted]" in workers_log.getvalue()
    assert "ValueError: odd: [redacted]" in workers_log.getvalue()


def test_set_up_twice_redacts_once() -> None:
    once = logging.getLogRecordFactory()
    logs.set_up()
    assert logging.getLogRecordFactory() is once
