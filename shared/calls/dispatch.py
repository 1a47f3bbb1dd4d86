"""What a call needs as soon as it has begun: a record, the messages of its end, an observer.

The end message is delivered when the call's time is up, whatever else is running by then. A message
grants no access: it names the call's record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta

from shared.calls.call_record import BY_KEY, CallRecord
from shared.calls.claims import Claims
from shared.calls.queue_messages import END_MESSAGE_EARLY, SECOND_END_MESSAGE_LATE, call_message
from shared.calls.records import Records
from shared.core.clock import Clock
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.storage.interfaces import Queue, StorageUnavailable
from shared.storage.refusal import RETRY_AFTER

ATTACH_POLL = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDispatcher:
    """Hands calls that have begun to whatever ends and observes them.

    `observe_queue` is None where calls are not observed. `pool` writes to storage in parallel; None
    for storage that answers at once.

    `attached` says whether a call's observer is connected. Where it is given, an observer is
    required: it must connect within `attach_within`.
    """

    records: Records
    end_queue: Queue
    observe_queue: Queue | None
    pool: Executor | None
    clock: Clock
    attached: Callable[[str], bool] | None = None
    attach_within: timedelta = timedelta(seconds=10)
    dispatch_within: timedelta = timedelta(seconds=12)
    sleep: Callable[[float], None] = time.sleep

    @property
    def claims(self) -> Claims:
        """Whose call each upstream call id is."""
        return Claims(self.records.table)

    def dispatch_call(self, record: CallRecord) -> None:
        """Writes the record and sends the messages, in parallel.

        Raises Problem storage_unavailable if any of it fails, observer_unavailable if an observer
        is required and does not connect. Then the call must not go on.
        """
        body = call_message(record.id)
        until_end = max(timedelta(0), record.ends_at - self.clock() - END_MESSAGE_EARLY)
        second = until_end + END_MESSAGE_EARLY + SECOND_END_MESSAGE_LATE
        work: list[Callable[[], None]] = [
            lambda: self.records.insert(record),
            *([] if record.started_by == BY_KEY else [lambda: self.claims.assign(record)]),
            lambda: self.end_queue.send(body, delay=until_end),
            # If an instance dies while it handles the first message, that one stays hidden for ten
            # minutes. If the call is still live then, the second sends a third before it acts.
            lambda: self.end_queue.send(body, delay=second),
        ]
        if self.observe_queue is not None:
            observe_queue = self.observe_queue
            work.append(lambda: observe_queue.send(body))
        try:
            self.run_all(work)
        except StorageUnavailable:
            raise Problem("storage_unavailable", retry_after=RETRY_AFTER) from None
        if self.attached is not None:
            self.wait_for_observer(record.call_id, self.attached)

    def run_all(self, work: Sequence[Callable[[], None]]) -> None:
        """Does all of it, in parallel where there is a pool. Raises StorageUnavailable."""
        first, *others = work
        if self.pool is None:
            for each in work:
                each()
            return
        deadline = Deadline.after(self.dispatch_within)
        submitted = [self.pool.submit(each) for each in others]
        try:
            # Done here, because this thread would only wait: handing it over costs more than it
            # saves.
            first()
            for one in submitted:
                one.result(deadline.seconds_left)
        except TimeoutError:
            # What has no thread yet is not wanted any more.
            for one in submitted:
                one.cancel()
            raise StorageUnavailable("storage took too long") from None

    def wait_for_observer(self, call_id: str, attached: Callable[[str], bool]) -> None:
        """Returns once the observer is connected. Raises Problem observer_unavailable."""
        give_up = self.clock() + self.attach_within
        while not attached(call_id):
            if self.clock() >= give_up:
                raise Problem("observer_unavailable", retry_after=RETRY_AFTER)
            self.sleep(ATTACH_POLL.total_seconds())
