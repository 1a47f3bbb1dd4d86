"""Finds what fails in one Live call, and makes it known."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.core.bounded import BoundedSet
from shared.live.known_names import known_word
from shared.live.server_event_parser import HANDOFF_INCOMPLETE, UNKNOWN_DELEGATION
from shared.live.server_events import BackendResponseDone, LiveError, SessionClosed
from shared.observer.failure_record import FailureRecord
from shared.observer.run_context import RunContext
from shared.sideband.events import ServerEvent
from shared.transcripts.failures import (
    DELEGATION_FAILED,
    ENDPOINT_ERROR,
    FILTERED,
    SESSION_ENDED,
    Failure,
    failure_of_response,
)

REMEMBERED = 20_000
BY_CONTENT = "content"
"""The reason of a session that the service's filter has ended."""
BY_CLIENT = "invalid_request_error"
"""The type of an error that answers an event of a client's, with a code that says what is wrong."""
OF_ACCOUNT = (
    *("account_deactivated", "billing_hard_limit_reached", "content_filter"),
    *("credit_balance_exhausted", "forbidden", "insufficient_quota", "invalid_api_key"),
    *("model_not_found", "rate_limit_exceeded", "server_error"),
)
"""Codes that tell of the service or the account, whatever the type (documented, or told by clients
in production)."""


class LiveFailureWatch:
    """Watches one call. `count` is told of each failure; `is_unbegun` says whether a delegation
    waits of which nothing has come yet."""

    def __init__(
        self,
        context: RunContext,
        count: Callable[[Failure], None],
        is_unbegun: Callable[[], bool],
    ) -> None:
        self.record = FailureRecord(context, count)
        self.is_unbegun = is_unbegun
        self.known: BoundedSet[tuple[str, str]] = BoundedSet(REMEMBERED)

    def resume(self, failures: Iterable[Failure]) -> None:
        """Takes over what an earlier run has found."""
        self.known.update((failure.what, failure.key) for failure in failures)

    def handle_event(self, event: ServerEvent) -> None:
        """Takes note of what an event shows to have failed. Errors that answer something are left
        to whoever has sent it (`note`): what a page has sent is its own affair."""
        match event:
            case BackendResponseDone():
                code = known_word(event.reason)
                failed = failure_of_response(event.response_id, event.status, code)
                if failed:
                    self.make_known(failed)
            case SessionClosed() if event.reason == BY_CONTENT:
                self.make_known(Failure(SESSION_ENDED, "", FILTERED))
            case LiveError(caused_by=None) if is_of_service(event):
                failed_work = self.fails_delegation(event)
                self.note(DELEGATION_FAILED if failed_work else ENDPOINT_ERROR, event)

    def fails_delegation(self, error: LiveError) -> bool:
        """Whether an error says that delegated work has come to nothing. One that nothing caused,
        while a delegation waits for its backend's first word, is taken to: a model that is not
        there is told so (inferred; no such error is recorded)."""
        if error.meaning == HANDOFF_INCOMPLETE:
            return True
        return error.caused_by is None and is_of_service(error) and self.is_unbegun()

    def note(self, what: str, error: LiveError) -> None:
        """Something that an error says to have failed. Many errors have no code."""
        code = known_word(error.code, error.meaning, error.error_type)
        self.make_known(Failure(what, error.event_id or self.record.new_key(), code))

    def note_without_event(self, what: str, code: str) -> None:
        """Something that failed without an event that says so."""
        self.make_known(Failure(what, self.record.new_key(), code))

    def make_known(self, failure: Failure) -> None:
        name = (failure.what, failure.key)
        if name in self.known:
            return
        self.known.add(name)
        self.record.add_failure(failure)


def is_of_service(error: LiveError) -> bool:
    """Whether an error that answers nothing of ours tells that the service fails. Otherwise it
    answers an event of the page's, which need not have an id: what it has sent is its own affair.
    What has no code is not about an event's shape (measured on live traffic)."""
    if error.error_type != BY_CLIENT or error.code in OF_ACCOUNT:
        return True
    return error.code is None and error.meaning != UNKNOWN_DELEGATION
