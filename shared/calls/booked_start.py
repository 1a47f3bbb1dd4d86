"""The start of a call that is booked: undone if it fails, handed on once the call has begun.

A refusal undoes the booking. A call that may have begun all the same, or that cannot be handed on,
is ended first, and counts until it is.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared.calls.call_record import BY_BROKER, CallRecord
from shared.calls.continuation import Continuations, Conversation
from shared.calls.dispatch import CallDispatcher
from shared.calls.end_events import try_to_publish
from shared.calls.new_call import new_record
from shared.calls.queue_messages import SECOND_END_MESSAGE_LATE, call_message
from shared.calls.termination import CallTerminator
from shared.calls.unanswered import unanswered_record
from shared.config.profiles import Profile
from shared.core import logs
from shared.core.problems import Problem
from shared.limits.ledger_store import Booking, Ledger, shorten_booking
from shared.storage.interfaces import StorageUnavailable
from shared.upstream.answer import UnusableAnswer

LEFT_RUNNING_COSTS = "15 s at least, more until the endpoint ends it by itself (docs/cost.md)"
"""What a session of GPT-Live may cost that nobody can end."""
UNKNOWN_COUNTS_FOR = timedelta(minutes=1)
"""How long a call counts whose answer was lost, and with it its id: it may run, and no page can
ever connect to it. When the endpoint ends a session that nobody connects to is not documented. The
length of a call would lock an honest caller out for an hour; nothing would let a caller hold more
sessions than the limit."""


@dataclass(frozen=True, slots=True)
class BookedStarts:
    """Starts calls that are booked. `price_table` is a file of prices of the operator's own."""

    ledger: Ledger
    dispatcher: CallDispatcher
    terminator: CallTerminator
    continuations: Continuations
    price_table: Path | None = None

    def dispatch_call(
        self,
        record: CallRecord,
        booking: Booking | None = None,
        before: Conversation | None = None,
    ) -> None:
        """Dispatches a call that has begun, in place of the one `before`; ends it, on record too,
        if that fails.

        Its booking is undone once it is hung up; until then it counts. What the caller has caused,
        such as a race for one call, still counts as a start.
        """
        try:
            self.dispatcher.dispatch_call(record)
            if before is not None:
                self.continuations.hand_over(before, record)
        except BaseException as error:
            if self.terminator.refuse_call(record) and booking is not None:
                self.ledger.undo_booking(booking, keep_start=caused_by_caller(error))
            raise

    @contextmanager
    def undone_on_failure(self, booking: Booking, profile: Profile) -> Iterator[None]:
        """Holds a booking during the request upstream; undoes it if that fails.

        A failure that the caller's offer caused still counts as a start, and any other as a try, or
        a caller could send offers upstream without end. A call that may have begun all the same is
        given up first.
        """
        try:
            yield
        except UnusableAnswer as unusable:
            if self.give_up_call(unusable, booking, profile):
                # It may have begun: the time that it costs at least stays counted.
                self.ledger.settle_call(booking.reference)
                self.ledger.undo_booking(booking)
            raise unusable.problem from None
        except BaseException as error:
            self.ledger.undo_booking(booking, keep_start=caused_by_caller(error))
            raise

    def give_up_call(self, unusable: UnusableAnswer, booking: Booking, profile: Profile) -> bool:
        """Ends a call that may have begun and that nobody can use. False: it counts until its end,
        which is tried again; where its id is not known, for a while. Never raises.

        What cannot be ended is on record and, where its id is not known, stays there.
        """
        record = new_record(
            unusable.call_id or "",
            booking,
            profile,
            started_by=BY_BROKER,
            endpoint=unusable.endpoint,
        )
        known = unusable.call_id is not None
        if known and self.terminator.refuse_call(record):
            return True
        code = unusable.problem.code
        if not known:
            record = unanswered_record(record, code, self.terminator.clock(), self.price_table)
            shorten_booking(self.ledger, booking.reference, UNKNOWN_COUNTS_FOR)
        logs.event(
            "call left running",
            logging.WARNING,
            call=record.id,
            endpoint=unusable.endpoint,
            reason=code,
            id_known=known,
            may_cost=LEFT_RUNNING_COSTS,
        )
        with contextlib.suppress(StorageUnavailable):
            self.dispatcher.records.insert(record)
            if record.settled_by:
                try_to_publish(self.terminator.events, record.id)
                self.send_end_message(record)
        return False

    def send_end_message(self, record: CallRecord) -> None:
        """A call that was never dispatched has no message of its limit, which would make up for an
        end that could not be published. Raises StorageUnavailable."""
        if self.terminator.events is not None:
            body = call_message(record.id)
            self.terminator.end_queue.send(body, delay=SECOND_END_MESSAGE_LATE)


def caused_by_caller(error: BaseException) -> bool:
    """Whether what the caller has sent is to blame for a failure."""
    return isinstance(error, Problem) and error.status < 500
