"""What is done about a session that a page overrides, whichever API it is of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from shared.core import logs
from shared.observer.run_context import RunContext

FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=30)
LOGGED_AT_MOST = 20
NAMES_AT_MOST = 20


class SessionOverrides:
    """The overrides of one call's session: on record, in the log, and checked again by `check`
    after a pause that grows."""

    def __init__(self, context: RunContext, check: Callable[[], None]) -> None:
        self.context = context
        self.check = check
        self.pause = FIRST_PAUSE
        self.is_waiting = False
        self.logged = 0

    def record_override(self, names: Sequence[str], *, put_back: bool) -> None:
        about = {"overridden": list(names[:NAMES_AT_MOST]), "put_back": put_back}
        self.context.recorder.add_numbered_line("session", about)
        self.logged += 1
        if self.logged <= LOGGED_AT_MOST:
            call = self.context.recorder.writer.record_id
            logs.event("session overridden", logging.WARNING, call=call, **about)

    def check_again_later(self) -> None:
        if self.is_waiting:
            return
        self.is_waiting = True
        self.context.background.call_later(self.pause, self.check_again)
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def check_again(self) -> None:
        self.is_waiting = False
        self.check()

    def shorten_pause(self) -> None:
        """The session has been restored: the next pause is the first again."""
        self.pause = FIRST_PAUSE
