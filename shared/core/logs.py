"""Structured logs: one line per event, `event {"json": "fields"}`, without secrets.

Nothing secret is passed to a log in the first place. The redaction here is the last line of
defence, against what a library or a mistake puts into a record.
"""

from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from typing import Any

LOGGER = logging.getLogger("broker")
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

# Keys, ephemeral and standard, bearer tokens, JWTs; call ids and SDP lines that let others join.
SECRETS = re.compile(
    r"(?:ek_|sk-|rtc_)[A-Za-z0-9_\-]+"
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/=\-]+"
    r"|eyJ[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*"
    r"|a=(?:ice-pwd|ice-ufrag|fingerprint|candidate):[^\r\n\"\\]*"
)


def redacted(text: str) -> str:
    """`text` without anything that looks like a credential."""
    return SECRETS.sub("[redacted]", text)


class Redaction(logging.Filter):
    """Redacts whole records, arguments and tracebacks included."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        record.msg, record.args = redacted(text), ()
        return True


def set_up() -> None:
    """Adds redaction to the broker's log and silences the SDKs' request logs. Call it at load.

    A log level that the host has set is kept; otherwise it becomes INFO.
    """
    if not any(isinstance(one, Redaction) for one in LOGGER.filters):
        LOGGER.addFilter(Redaction())
    if LOGGER.level == logging.NOTSET:
        LOGGER.setLevel(logging.INFO)
    for noisy in ("azure", "msal", "urllib3", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def event(name: str, level: int = logging.INFO, /, **fields: Any) -> None:
    """Logs `name` with its non-empty fields and the request id."""
    if not LOGGER.isEnabledFor(level):
        return
    shown = {key: value for key, value in fields.items() if value not in (None, "")}
    if request_id := REQUEST_ID.get():
        shown["request_id"] = request_id
    LOGGER.log(level, "%s %s", name, json.dumps(shown, default=str))


def failure(name: str, /, **fields: Any) -> None:
    """Logs `name` with the traceback of the exception being handled."""
    if request_id := REQUEST_ID.get():
        fields["request_id"] = request_id
    LOGGER.exception("%s %s", name, json.dumps(fields, default=str))
