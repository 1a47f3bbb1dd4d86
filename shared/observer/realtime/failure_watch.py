"""Finds what fails in one call, and makes it known."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.observer.failure_record import FailureRecord
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
    UNKNOWN_CODE,
    UPDATE_REFUSED,
    Failure,
)


class FailureWatch:
    """Watches one call. `guard` is that of its session, `count` is told of each failure."""

    def __init__(
        self,
        context: RealtimeContext,
        tracker: ResponseTracker,
        guard: SessionGuard | None,
        count: Callable[[Failure], None],
    ) -> None:
        self.tracker = tracker
        self.guard = guard
        self.record = FailureRecord(context, count)
        self.finder = FailureFinder()

    def resume(self, failures: Iterable[Failure]) -> None:
        """Takes over what an earlier run has found."""
        for failure in failures:
            self.finder.is_new(failure)

    def handle_event(self, event: ServerEvent) -> None:
        """Takes note of what an event shows to have failed. Comes before what the tracker and the
        guard make of the event: then they no longer know what it answers."""
        for failure in self.finder.find(event):
            self.record.add_failure(failure)
        if isinstance(event, ErrorEvent) and (what := self.shown_by(event)):
            # The error may answer a page, and repeat its words.
            code = known_code(event.code) or known_type(event.error_type) or UNKNOWN_CODE
            self.record.add_failure(Failure(what, self.record.new_key(), code))

    def shown_by(self, error: ErrorEvent) -> str:
        """What an error shows to have failed; "" for one that refuses what a page has
        sent, or that the connection is closed with, which the log tells."""
        if self.tracker.refused_output(error):
            return OUTPUT_REFUSED
        awaited = self.guard.awaited if self.guard else {}
        if error.caused_by in awaited:
            return UPDATE_REFUSED
        return ENDPOINT_ERROR if is_passing(error.code, error.error_type) else ""
