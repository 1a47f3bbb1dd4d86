"""What becomes of a client event of an admin's, whichever API the call speaks."""

from __future__ import annotations

from shared.core import logs
from shared.sideband.events import ErrorEvent


class EventRefused(Exception):
    """The model's endpoint refused the event; `code` and `param` are its own. Its message is not
    kept."""

    def __init__(self, code: str, param: str | None = None) -> None:
        self.code = code
        self.param = param
        super().__init__(code)


def refusal_in(error: ErrorEvent) -> EventRefused:
    """The refusal that an error event is."""
    code = logs.safe_word(error.code) or "unknown"
    return EventRefused(code, logs.safe_word(error.param) or None)
