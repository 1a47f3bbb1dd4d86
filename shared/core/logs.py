"""Structured logs: one line per event, `event {"json": "fields"}`, without secrets.

Nothing secret is passed to a log in the first place, and no text of a page's or of upstream's but
words of a safe shape (`safe_word`). What this module does is the last line of defence, against what
a library or a mistake puts into a record: it redacts, and it bounds each field and each record, so
that no line costs more than a moment, whoever chose its text. A library's own text is withheld: the
SDKs quote the answer that they could not read, which may be a token.
"""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

LOGGER = logging.getLogger("broker")
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Keys, ephemeral and standard, bearer tokens, JWTs; call ids and SDP lines that let others join.
SECRETS = re.compile(
    r"(?:ek_|sk-|rtc_)[A-Za-z0-9_\-]+"
    # A code such as live_without_keys has neither digits nor capitals.
    r"|(?<![A-Za-z0-9_])(?:live|sess)_(?=[a-z_\-]{0,64}[A-Z0-9])[A-Za-z0-9_\-]+"
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=\-]+"
    # Whole or cut off. Each alternative matches where it begins, so that the search is linear.
    r"|eyJ[A-Za-z0-9_\-]{5,}(?:\.[A-Za-z0-9_\-]*){0,2}"
    r"|a=(?:ice-pwd|ice-ufrag|fingerprint|candidate):[^\r\n\"\\]*"
)
LONGEST_FIELD = 500
LONGEST_LIST = 20
LONGEST_RECORD = 16_000
"""Characters. What is longer is cut, and says so."""
LONGEST_CHAIN = 5
SAFE_WORD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")
PACKAGE = __name__.partition(".")[0]
"""This project's own, by whatever name it was installed."""
WITHHELD = "message of a library withheld"
PACKAGES = frozenset({"site-packages", "dist-packages"})
SENDERS = (
    *("azure.core", "azure.data", "azure.identity", "azure.keyvault", "azure.storage"),
    *("msal", "urllib3", "websockets"),
)
"""The loggers of the libraries that the broker sends with: their text may quote what they sent."""
STANDARD_LIBRARY = os.__file__.removesuffix("os.py")
PATH_SEPARATOR = re.compile(r"[/\\]")
TELLING = (
    *(AssertionError, AttributeError, ImportError, NameError, OSError),
    *(RuntimeError, TypeError, ZeroDivisionError),
)
"""Errors of Python's own whose messages are about the program, not about what it was given."""


def redacted(text: str) -> str:
    """`text` without anything that looks like a credential."""
    return SECRETS.sub("[redacted]", shortened(text, LONGEST_RECORD))


def shortened(text: str, most: int) -> str:
    """`text`, cut after `most` characters."""
    return text if len(text) <= most else f"{text[:most]} [cut: {len(text)} characters]"


def safe_word(value: object) -> str:
    """`value` if it is a short word such as a code, "" otherwise: no prose gets into a log."""
    return value if isinstance(value, str) and SAFE_WORD.fullmatch(value) else ""


def bounded(value: Any) -> Any:
    """The value of a field, short enough for a line."""
    if isinstance(value, str):
        return shortened(value, LONGEST_FIELD)
    if isinstance(value, list | tuple | set | frozenset):
        return [bounded(each) for each in list(value)[:LONGEST_LIST]]
    if value is None or isinstance(value, bool | int | float):
        return value
    return shortened(str(value), LONGEST_FIELD)


def traceback_of(error: BaseException) -> str:
    """Where `error` and what caused it were raised, and what they are.

    Their messages only where they are this project's or Python's own about the program: a KeyError
    or a ValueError quotes what it was given.
    """
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None and len(parts) < LONGEST_CHAIN:
        kind = type(current)
        ours = kind.__module__.partition(".")[0] == PACKAGE
        known = kind.__module__ == "builtins" and isinstance(current, TELLING)
        message = f"{current}" if ours or known else "[redacted]"
        frames = "".join(traceback.format_tb(current.__traceback__, -LONGEST_LIST))
        parts.append(f"{frames}{kind.__qualname__}: {shortened(message, LONGEST_FIELD)}")
        hidden = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or hidden
    return "\n\ncaused:\n".join(reversed(parts))


class RedactingFactory:
    """Makes every log record of this process, for any logger and handler, and redacts it.

    A filter would not do: a logger's is not asked about what its children pass on, and the handlers
    are the Functions worker's.
    """

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self.make = make

    def __call__(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        return self.redact(self.make(*arguments, **options))

    def redact(self, record: logging.LogRecord) -> logging.LogRecord:
        error = record.exc_info[1] if record.exc_info else None
        is_librarys = is_library(record.pathname)
        if is_librarys:
            text = withheld(record, error)
        else:
            try:
                text = record.getMessage()
            except Exception as odd:
                # logging itself would print the arguments.
                text = f"a log line that cannot be formatted: {type(odd).__name__}"
        if error is not None and (is_librarys or is_brokers(record.name)):
            text += "\n" + traceback_of(error)
            record.exc_info = None
        elif error is not None:
            # The text of a program around the broker, such as the host.
            record.exc_text = redacted("".join(traceback.format_exception(error)))
        record.msg, record.args = redacted(text), ()
        return record


def is_brokers(logger: str) -> bool:
    """Whether that logger is the broker's or one below it."""
    return logger.partition(".")[0] == LOGGER.name


def is_senders(logger: str) -> bool:
    """Whether that logger is one of `SENDERS` or below one."""
    return any(logger == each or logger.startswith(f"{each}.") for each in SENDERS)


class GuestFactory(RedactingFactory):
    """Redacts what the broker logs in an app of somebody else's, and what its libraries do. The
    records of everybody else are left as they are."""

    def redact(self, record: logging.LogRecord) -> logging.LogRecord:
        if is_brokers(record.name) or is_senders(record.name):
            return super().redact(record)
        return record


@lru_cache(maxsize=1000)
def is_library(path: str) -> bool:
    """Whether the code at `path` is an installed package's or Python's own."""
    return not PACKAGES.isdisjoint(PATH_SEPARATOR.split(path)) or path.startswith(STANDARD_LIBRARY)


def withheld(record: logging.LogRecord, error: BaseException | None) -> str:
    """What stands for the text of a library's record."""
    shown = {
        "logger": shortened(record.name, LONGEST_FIELD),
        **({"error": type(error).__name__} if error is not None else {}),
        "where": f"{record.filename}:{record.lineno}",
    }
    return f"{WITHHELD} {json.dumps(shown)}"


def set_up() -> None:
    """Redacts whatever this process logs, and silences the SDKs' request logs. Call it at load.

    A log level that the host has set is kept; otherwise it becomes INFO.
    """
    make = logging.getLogRecordFactory()
    if isinstance(make, GuestFactory):
        make = make.make
    if not isinstance(make, RedactingFactory):
        logging.setLogRecordFactory(RedactingFactory(make))
    if LOGGER.level == logging.NOTSET:
        LOGGER.setLevel(logging.INFO)
    for noisy in ("azure", "msal", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns of every header that it cannot read.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    # Where a handler fails, such as one whose stream is closed, Python would print why to stderr,
    # and with it the exception that was being logged, as it is.
    logging.raiseExceptions = False


def redact_own_records() -> None:
    """Redacts the records of the broker and of the libraries that it sends with; nothing else is
    set. For an app in which the broker is a guest; does nothing after `set_up`."""
    make = logging.getLogRecordFactory()
    if not isinstance(make, RedactingFactory):
        logging.setLogRecordFactory(GuestFactory(make))
    if LOGGER.level == logging.NOTSET:
        LOGGER.setLevel(logging.INFO)


def event(name: str, level: int = logging.INFO, /, **fields: Any) -> None:
    """Logs `name` with its non-empty fields and the request id."""
    if not LOGGER.isEnabledFor(level):
        return
    shown = {key: bounded(value) for key, value in fields.items() if value not in (None, "")}
    if request_id := REQUEST_ID.get():
        shown["request_id"] = request_id
    LOGGER.log(level, "%s %s", name, json.dumps(shown))


def failure(name: str, /, **fields: Any) -> None:
    """Logs `name` with the traceback of the exception being handled."""
    shown = {key: bounded(value) for key, value in fields.items()}
    if request_id := REQUEST_ID.get():
        shown["request_id"] = request_id
    LOGGER.exception("%s %s", name, json.dumps(shown))
