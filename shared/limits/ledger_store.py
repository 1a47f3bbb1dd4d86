"""What each caller holds and has used: booked before anything goes upstream, settled afterwards.

What is counted is in `account`, what the limits mean in `limit_rules`, how it is written in
`transactions`.

While storage is unavailable no call is admitted (`storage_unavailable`). A write whose answer was
lost may have counted a call that was never started. The next write takes it back; if this process
dies before that, the call counts until its time is up, and then nothing is left of it but, where
the time of a day is limited, its time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from shared.config.settings import SHORTEST_CALL, Limits
from shared.config.voice_api import REALTIME, VoiceApi
from shared.core.chance import CHANCE
from shared.core.clock import Clock, unix_milliseconds, utc_now
from shared.limits.account import Account
from shared.limits.global_count import GlobalCount
from shared.limits.key_rules import ExtendKey, RegisterCall, ReturnKey
from shared.limits.limit_rules import (
    BookCall,
    CountTokens,
    HoldCall,
    Operation,
    SettleCall,
    ShortenBooking,
    TokenBudget,
    UndoBooking,
)
from shared.limits.row_sweep import sweep_empty_rows
from shared.limits.times import to_datetime
from shared.limits.transactions import (
    GLOBAL_ROW,
    PARTITION,
    AccountTransactions,
    row_key,
)
from shared.storage.interfaces import StorageUnavailable, Table
from shared.storage.refusal import storage_refusal

Counted = TypeVar("Counted", Account, GlobalCount)


@dataclass(frozen=True, slots=True)
class Booking:
    """A call that is counted. `reference` is all that is needed to settle it, on any instance.

    `is_key`: it began as an ephemeral key, with which a page starts the call itself, at `endpoint`;
    "" is the default one.
    """

    reference: str
    caller_id: str
    started_at: datetime
    ends_at: datetime
    is_key: bool = False
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class CallerUsage:
    """What one caller holds and has used now."""

    live_calls: int
    starts_last_minute: int
    tokens_today: int


class Ledger:
    """Books, settles and counts calls in `table`.

    `budget` is how long a request may try to be counted while others change the same rows. After
    that it is refused (`ledger_busy`), because a page is better told to try again than kept
    waiting. `clock` gives the times that the limits refer to.
    """

    def __init__(
        self,
        table: Table,
        limits: Limits,
        *,
        budget: timedelta = timedelta(seconds=5),
        clock: Clock = utc_now,
    ) -> None:
        self.table = table
        self.limits = limits
        self.clock = clock
        self.transactions = AccountTransactions(table, limits, budget, clock)

    def book_call(
        self,
        caller_id: str,
        *,
        lasts: timedelta | None = None,
        api: VoiceApi = REALTIME,
        takes_over: Sequence[str] = (),
    ) -> Booking:
        """Counts one more call of a caller, which ends after `lasts` (default: `call_length`), or
        sooner if the caller has less time left today. `takes_over` are the references of the calls
        that it continues: it has their line.

        Raises Problem too_many_starts, too_many_live_calls, tokens_used_up, seconds_used_up,
        all_lines_busy or live_sessions_busy (429), storage_unavailable or ledger_busy (503); then
        nothing is counted.
        """
        lasts = self.limits.longest if lasts is None else lasts
        owners_and_names = map(split_reference, takes_over)
        names = tuple(name for owner, name in owners_and_names if owner == caller_id)
        operation = BookCall(new_booking_name(), lasts, api=api, takes_over=names)
        return book(self, caller_id, operation)

    def book_key(
        self,
        caller_id: str,
        profile: str,
        lasts: timedelta,
        *,
        shortest: timedelta = SHORTEST_CALL,
        endpoint: str = "",
    ) -> Booking:
        """Counts an ephemeral key of that profile, for that endpoint, as a live call for `lasts`,
        or for the time that the caller has left today if that is at least `shortest`.

        It is written without limits too: a call can only be registered with the key that was
        minted for it. Raises Problem as `book_call` does.
        """
        operation = BookCall(
            new_booking_name(), lasts, profile, shortest=shortest, key_endpoint=endpoint
        )
        return book(self, caller_id, operation)

    def extend_key(self, booking: Booking, until: datetime) -> None:
        """The key of that booking counts until then, where that is later. Raises Problem
        storage_unavailable or ledger_busy."""
        operation = ExtendKey(split_reference(booking.reference)[1], unix_milliseconds(until))
        self.transactions.carry_out(booking.caller_id, operation)

    def register_call(
        self, caller_id: str, profile: str, call: str, endpoints: frozenset[str] | None = None
    ) -> Booking:
        """The booking of a call that the caller started with a key of that profile, for one of
        `endpoints` (None: for any): the key's, with its endpoint.

        `call` identifies the call: registered again, it gets the same booking. The call ends no
        later than the key's booking. Raises Problem registration_refused where the caller holds no
        unused key of the profile, storage_unavailable or ledger_busy.
        """
        operation = RegisterCall(profile, mark_of(call), endpoints)
        name, ends, endpoint = self.transactions.carry_out(caller_id, operation)
        started = self.clock()
        ends_at = min(started + self.limits.longest, to_datetime(ends))
        return Booking(f"{caller_id}.{name}", caller_id, started, ends_at, True, endpoint)

    def return_key(self, booking: Booking, call: str) -> None:
        """Undoes `register_call`: the call is another caller's. Idempotent; never raises."""
        self.give_back(booking.reference, lambda name: ReturnKey(name, mark_of(call)), always=True)

    def undo_booking(self, booking: Booking, *, keep_start: bool = False) -> None:
        """Takes a booking back because the call was not started. Idempotent; never raises.

        `keep_start` is for failures that the caller caused, such as an offer that the model's
        endpoint refuses: the line is freed but the start counts, or a caller could send broken
        offers upstream without end. What failed otherwise counts as a try, of which a caller has
        more.
        """
        self.give_back(
            booking.reference, lambda name: UndoBooking(name, keep_start), always=booking.is_key
        )

    def settle_call(self, reference: str) -> bool:
        """The call of that booking is over. Idempotent; never raises.

        False: it is not written yet. It is postponed, and lost if this process dies first: settle
        the call again, or it counts until its booking expires.
        """
        return self.give_back(reference, SettleCall)

    def hold_call(self, reference: str, lasts: timedelta, api: VoiceApi = REALTIME) -> None:
        """The call of that booking may go on past its time: it counts for that long from now on, or
        until it is settled. Idempotent; never raises, and is postponed while storage is
        unavailable."""
        since = self.clock()
        times = (unix_milliseconds(since), unix_milliseconds(since + lasts))
        self.give_back(reference, lambda name: HoldCall(name, *times, api))

    def count_tokens(self, reference: str, tokens: int) -> TokenBudget:
        """The call of that booking has used `tokens` since its start (not since the last report).

        Counted up to ten minutes after the call's time limit. Raises Problem storage_unavailable
        or ledger_busy; the next report makes up for it.
        """
        if not self.limits.tokens_per_day:
            return TokenBudget(0, 0)
        caller_id, name = split_reference(reference)
        budget: TokenBudget = self.transactions.carry_out(caller_id, CountTokens(name, tokens))
        return budget

    def usage_of(self, caller_id: str) -> CallerUsage:
        """What the caller holds and has used. Raises Problem storage_unavailable."""
        account = self.read_row(row_key(caller_id), Account)
        now = unix_milliseconds(self.clock())
        return CallerUsage(
            len(account.live_calls(now)), len(account.recent_starts(now)), account.tokens_today(now)
        )

    def live_calls(self) -> int:
        """The live calls of all callers; counted only where `live_calls_total` is set.

        Raises Problem storage_unavailable.
        """
        total = self.read_row(GLOBAL_ROW, GlobalCount)
        return total.live_calls(unix_milliseconds(self.clock()))

    def sweep_rows(self, limit: int = 1000) -> int:
        """Deletes the rows of callers for whom nothing is counted any more; returns how many.

        Looks at no more than `limit` rows, from a random one on. Raises Problem
        storage_unavailable.
        """
        now = unix_milliseconds(self.clock())
        try:
            return sweep_empty_rows(self.table, self.limits, now, limit)
        except StorageUnavailable as error:
            raise storage_refusal(error) from error

    def read_row(self, key: str, kind: type[Counted]) -> Counted:
        try:
            found = self.table.get(PARTITION, key)
            return kind.from_values(found.values if found else {})
        except StorageUnavailable as error:
            raise storage_refusal(error) from error

    def give_back(
        self, reference: str, operation_on: Callable[[str], Operation], *, always: bool = False
    ) -> bool:
        """Carries out an operation that must not fail: now, or with a later write (False).

        Without limits there is nothing to free, but for keys (`always`).
        """
        if self.limits.none and not always:
            return True
        caller_id, name = split_reference(reference)
        operation = operation_on(name)
        try:
            self.transactions.carry_out(caller_id, operation)
        except Exception:
            self.transactions.postpone(caller_id, operation)
            return False
        return True


def book(ledger: Ledger, caller_id: str, operation: BookCall) -> Booking:
    """The booking, once it is written: keys always are. Raises Problem."""
    is_key, ends = operation.key_profile is not None, None
    if is_key or not ledger.limits.none:
        ends = ledger.transactions.carry_out(caller_id, operation)
    # Now, because a clock may have learned from storage's answer how far off it is.
    started = ledger.clock()
    ends_at = started + operation.lasts
    if ends is not None and ledger.limits.seconds_per_day:
        ends_at = min(ends_at, to_datetime(ends))
    return Booking(f"{caller_id}.{operation.name}", caller_id, started, ends_at, is_key)


def shorten_booking(ledger: Ledger, reference: str, lasts: timedelta) -> None:
    """The call of that booking may have begun, and nobody can end it: it counts for that long from
    now on. Idempotent; never raises."""
    until = unix_milliseconds(ledger.clock() + lasts)
    ledger.give_back(reference, lambda name: ShortenBooking(name, until))


def new_booking_name() -> str:
    """A booking's name. It is no secret; it only has to be unique."""
    return f"{CHANCE.getrandbits(48):012x}"


def mark_of(call: str) -> str:
    """What stands for a call in its caller's row: enough to know the call again."""
    return hashlib.sha256(call.encode()).hexdigest()[:16]


def name_of(reference: str) -> str:
    """The name of a booking, which no other has."""
    return split_reference(reference)[1]


def split_reference(reference: str) -> tuple[str, str]:
    """The caller's id and the booking's name. Raises ValueError for anything else."""
    caller_id, dot, name = reference.rpartition(".")
    if not (dot and caller_id and name):
        raise ValueError("not a booking's reference")
    return caller_id, name
