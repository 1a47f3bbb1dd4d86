"""Makes known what fails in a call, of either API: on record, in the log, to those who count."""

from __future__ import annotations

import logging
from collections.abc import Callable

from shared.core import logs
from shared.observer.run_context import RunContext
from shared.transcripts.failures import RESPONSE_FAILED, RESPONSE_INCOMPLETE, Failure

LOGGED_AT_MOST = 50
"""In one run: the record has the rest."""
IN_RECORD = (RESPONSE_FAILED, RESPONSE_INCOMPLETE)
"""Those that a line of their response tells of already."""


class FailureRecord:
    """The failures of one run. `count` is told of each."""

    def __init__(self, context: RunContext, count: Callable[[Failure], None]) -> None:
        self.context = context
        self.count = count
        self.logged = 0

    def new_key(self) -> str:
        """The key of a failure that nothing with an id tells of."""
        recorder = self.context.recorder
        return f"{recorder.holder} {next(recorder.numbers)}"

    def add_failure(self, failure: Failure) -> None:
        """Takes a failure that is not known yet."""
        recorder = self.context.recorder
        about = {"what": failure.what, "code": failure.code}
        if failure.what not in IN_RECORD:
            recorder.add_line("failed", f"{failure.what} {failure.key}", about)
        self.count(failure)
        self.logged += 1
        if self.logged <= LOGGED_AT_MOST:
            call = recorder.writer.record_id
            logs.event("call failure", logging.WARNING, call=call, **about)
