"""Structured logs: one line per event, `event {"json": "fields"}`, without secrets.

Nothing secret is passed to a log in the first place, and no text of a page's or of upstream's but
words of a safe shape (`safe_word`). What this module does is the last line of defence, against what
a library or a mistake puts into a record: it redacts, and it bounds each field and each record, so
that no line costs more than a moment, whoever chose its text.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
from contextvars import ContextVar
from typing import Any

LOGGER = logging.getLogger("broker")
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Keys, ephemeral and standard, bearer tokens, JWTs; call ids and SDP lines that let others join.
SECRETS = re.compile(
    r"(?:ek_|sk-|rtc_)[A-Za-z0-9_\-]+"
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
        ours = kind.__module__.partition(".")[0] == "shared"
        known = kind.__module__ == "builtins" and isinstance(current, TELLING)
        message = f"{current}" if ours or known else "[redacted]"
        frames = "".join(traceback.format_tb(current.__traceback__, -LONGEST_LIST))
        parts.append(f"{frames}{kind.__qualname__}: {shortened(message, LONGEST_FIELD)}")
        hidden = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or hidden
    return "\n\ncaused:\n".join(reversed(parts))


class Redaction(logging.Filter):
    """Redacts whole records, arguments and tracebacks included."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            if isinstance(record.exc_info[1], BaseException):
                text += "\n" + traceback_of(record.exc_info[1])
            record.exc_info = record.exc_text = None
        record.msg, record.args = redacted(text), ()
        return True


def set_up() -> None:
    """Adds redaction to the broker's log and silences the SDKs' request logs. Call it at load.

    A log level that the host has set is kept; otherwise it becomes INFO.
    """
    # A logger's filter does not see what the loggers below it pass on.
    for logger in (LOGGER, LOGGER.getChild("sideband")):
        if not any(isinstance(one, Redaction) for one in logger.filters):
            logger.addFilter(Redaction())
    if LOGGER.level == logging.NOTSET:
        LOGGER.setLevel(logging.INFO)
    for noisy in ("azure", "msal", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Its warnings quote headers that it could not read.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


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
