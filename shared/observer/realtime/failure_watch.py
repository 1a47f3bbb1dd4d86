"""Makes known what fails in one call: in its record, in the log, and to those who count."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from shared.core import logs
from shared.observer.realtime.response_tracker import ResponseTracker
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.realtime.session_guard import SessionGuard
from shared.realtime.failures import FailureFinder
from shared.realtime.known_names import known_code, known_type
from shared.realtime.response_errors import is_passing
from shared.sideband.events import ErrorEvent, ServerEvent
from shared.transcripts.failures import (
    ENDPOINT_ERROR,
    OUTPUT_REFUSED,
    RESPONSE_FAILED,
    RESPONSE_INCOMPLETE,
    UNKNOWN_CODE,
    UPDATE_REFUSED,
    Failure,
)

LOGGED_AT_MOST = 50
"""In one run: the record has the rest."""
IN_RECORD = (RESPONSE_FAILED, RESPONSE_INCOMPLETE)
"""Those that a line of their response tells of already."""


class FailureWatch:
    """Watches one call. `guard` is that of its session, `count` is told of each failure."""

    def __init__(
        self,
        context: RealtimeContext,
        tracker: ResponseTracker,
        guard: SessionGuard | None,
        count: Callable[[Failure], None],
    ) -> None:
        self.context = context
        self.tracker = tracker
        self.guard = guard
        self.count = count
        self.finder = FailureFinder()
        self.logged = 0

    def resume(self, failures: Iterable[Failure]) -> None:
        """Takes over what an earlier run has found."""
        for failure in failures:
            self.finder.is_new(failure)

    def handle_event(self, event: ServerEvent) -> None:
        """Takes note of what an event shows to have failed. Comes before what the tracker and the
        guard make of the event: then they no longer know what it answers."""
        for failure in self.finder.find(event):
            self.make_known(failure)
        if isinstance(event, ErrorEvent) and (what := self.shown_by(event)):
            key = f"{self.context.recorder.holder} {next(self.context.recorder.numbers)}"
            # The error may answer a page, and repeat its words.
            code = known_code(event.code) or known_type(event.error_type) or UNKNOWN_CODE
            self.make_known(Failure(what, key, code))

    def shown_by(self, error: ErrorEvent) -> str:
        """What an error shows to have failed; "" for one that refuses what a page has
        sent, or that the connection is closed with, which the log tells."""
        if self.tracker.refused_output(error):
            return OUTPUT_REFUSED
        awaited = self.guard.awaited if self.guard else {}
        if error.caused_by in awaited:
            return UPDATE_REFUSED
        return ENDPOINT_ERROR if is_passing(error.code, error.error_type) else ""

    def make_known(self, failure: Failure) -> None:
        recorder = self.context.recorder
        about = {"what": failure.what, "code": failure.code}
        if failure.what not in IN_RECORD:
            recorder.add_line("failed", f"{failure.what} {failure.key}", about)
        self.count(failure)
        self.logged += 1
        if self.logged <= LOGGED_AT_MOST:
            call = recorder.writer.record_id
            logs.event("call failure", logging.WARNING, call=call, **about)
