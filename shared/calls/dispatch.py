"""What a call needs once it has begun: a record, an end, and an observer.

The end is a message that comes when the call's time is up, whatever else is alive by then. Nothing
in a message opens anything: it names the record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta

from shared.calls.messages import AFTER, EARLY, message
from shared.calls.records import CallRecord, Records
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.storage.interfaces import Queue, StorageUnavailable

AGAIN = timedelta(seconds=5)
LOOK_AGAIN = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True)
class CallDispatcher:
    """Sees to calls that have begun. `observe` is None where calls are not observed.

    `pool` writes to storage at once what would wait one after another; None for storage that
    nobody waits for.

    `attached` says whether a call's observer is connected to it; where it is given, a call counts
    as begun only then, and `attach_within` is how long that may take.
    """

    records: Records
    end: Queue
    observe: Queue | None
    pool: Executor | None
    clock: Clock
    attached: Callable[[str], bool] | None = None
    attach_within: timedelta = timedelta(seconds=10)
    sleep: Callable[[float], None] = time.sleep

    def begin(self, record: CallRecord) -> None:
        """Writes the record and sends the messages, at once.

        Raises Problem storage_unavailable if any of it fails, observer_unavailable if an observer
        is required and does not come: the call must not go on then.
        """
        body = message(record.id)
        until_end = max(timedelta(0), record.ends_at - self.clock() - EARLY)
        work: list[Callable[[], None]] = [
            lambda: self.records.insert(record),
            lambda: self.end.send(body, delay=until_end),
            # An instance that dies with the first in its hands keeps it hidden for ten minutes;
            # if the call is still on then, the second sends a third before it does anything.
            lambda: self.end.send(body, delay=until_end + EARLY + AFTER),
        ]
        if self.observe is not None:
            observe = self.observe
            work.append(lambda: observe.send(body))
        try:
            self.carry_out(work)
        except StorageUnavailable:
            raise Problem("storage_unavailable", retry_after=AGAIN) from None
        if self.attached is not None:
            self.wait_for_observer(record.call_id, self.attached)

    def carry_out(self, work: Sequence[Callable[[], None]]) -> None:
        """Does all of it; at the same time, where there is a pool. Raises StorageUnavailable."""
        first, *others = work
        submitted = [] if self.pool is None else [self.pool.submit(each) for each in others]
        # This thread would only wait: a hand-over to another costs more than it saves.
        first()
        for each in [one.result for one in submitted] or others:
            each()

    def wait_for_observer(self, call_id: str, attached: Callable[[str], bool]) -> None:
        give_up = self.clock() + self.attach_within
        while not attached(call_id):
            if self.clock() >= give_up:
                raise Problem("observer_unavailable", retry_after=AGAIN)
            self.sleep(LOOK_AGAIN.total_seconds())
