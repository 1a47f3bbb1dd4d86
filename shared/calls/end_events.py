"""Publishes the end of every call to programs that are built on the broker: one message each, at
least once, once the call is settled and nobody has anything to add to its record.

    settled --> message on `call-ended` --> `end_published_at` on the record

The record is the outbox. A settled call whose end is unpublished is found again by whatever looks
at settled calls anyway: the last look of its observer, its end messages, and the sweep. So an
instance may be killed between any two of these steps. If that is between the last two, the message
is sent twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.calls.call_record import CallRecord
from shared.calls.ended_call import KeptFiles, ended_call_message
from shared.calls.handles import Handles
from shared.calls.new_call import seal_for_caller
from shared.calls.records import Records
from shared.core import logs
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.recordings.recording_file import recording_name
from shared.storage.interfaces import Log, Queue
from shared.transcripts.writer import log_name

CALL_ENDED_QUEUE = "call-ended"
LEFT_TO_OBSERVER = timedelta(minutes=2)
"""How long the observer of a settled call has to write what it has used. It takes a look at the
call within a minute, on whatever instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEvents:
    """Publishes the ends of calls. `is_followed` says of a call's id whether an observer has not
    finished with it; `files` has the transcripts, and `container` is its name."""

    records: Records
    queue: Queue
    files: Log
    container: str
    handles: Callable[[], Handles]
    is_followed: Callable[[str], bool]
    clock: Clock

    def is_due(self, record: CallRecord) -> bool:
        """Whether the call's end is unpublished, although the call was settled longer ago than its
        observer needs."""
        if record.end_published_at or not record.settled_by or record.ended_at is None:
            return False
        return self.clock() - record.ended_at >= LEFT_TO_OBSERVER

    def publish_if_complete(self, name: str) -> None:
        """As `publish`, unless the call's observer has still to write what the call has used: then
        it publishes the end, or else the sweep does."""
        record = self.records.get(name)
        if record.end_published_at or not record.settled_by:
            return
        if self.is_due(record) or not self.has_observer(record):
            self.publish_record(record)

    def has_observer(self, record: CallRecord) -> bool:
        """Whether an observer has not finished with the call. Raises Problem
        storage_unavailable."""
        try:
            return bool(record.call_id) and self.is_followed(record.call_id)
        except ValueError:
            # An id that somebody has edited is no key of a lease.
            return False

    def publish(self, name: str) -> None:
        """Publishes the end of the call with that record, if it is settled and nobody has. Blocks.

        Raises Problem, StorageUnavailable: then it must be repeated.
        """
        record = self.records.get(name)
        if record.settled_by and not record.end_published_at:
            self.publish_record(record)

    def publish_record(self, record: CallRecord) -> None:
        if record.ended_at is None:
            # Somebody has edited the row: its times are all that is known.
            record = replace(record, ended_at=max(record.started_at, record.ends_at))
        kept = self.kept_files(record)
        self.queue.send(ended_call_message(record, self.handle_of(record), self.container, kept))
        now = self.clock()

        def published(present: CallRecord) -> CallRecord:
            return replace(present, end_published_at=present.end_published_at or now)

        self.records.update(record.id, published)
        logs.event("call end published", call=record.id)

    def handle_of(self, record: CallRecord) -> str:
        """A handle of the call for its caller, as its page has another one. Raises Problem
        vault_secret_unavailable."""
        try:
            return seal_for_caller(self.handles(), record, record.caller_id)
        except ValueError:
            # A row that somebody has edited.
            return ""

    def kept_files(self, record: CallRecord) -> KeptFiles:
        """What is kept of the call."""
        if not record.call_id:
            return KeptFiles()
        names = (log_name(record.call_id), recording_name(record.call_id))
        try:
            found = [name if self.files.length(name) else "" for name in names]
        except ValueError:
            # An id that somebody has edited is no name of a blob.
            return KeptFiles()
        return KeptFiles(*found)


def try_to_publish(events: EndEvents | None, name: str) -> None:
    """Publishes the end of a call that has just been settled, where ends are published. Never
    raises: what fails now is made up for by whatever looks at the call next."""
    if events is None:
        return
    try:
        events.publish_if_complete(name)
    except Exception as error:
        # Also of a record that somebody has edited: it costs no other call anything.
        reason = error.code if isinstance(error, Problem) else type(error).__name__
        logs.event("call end not published", logging.WARNING, call=name, reason=reason)
