"""The story of a call: start it, end it; and the key for a page that starts it itself.

    offer --> booked --> an ephemeral key of the profile (warm) --> /calls --> answer
          --> record, message for its end, message for its observer --> handle

Refusals come before anything is sent upstream, and what is booked is undone when upstream refuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared.auth.caller import Caller
from shared.calls.dispatch import CallDispatcher
from shared.calls.handles import Handles
from shared.calls.records import CallRecord, record_id
from shared.calls.termination import CallTerminator
from shared.config.profiles import Profile
from shared.core import logs
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.limits.ledger import Booking, Ledger
from shared.realtime.client import (
    CALL_ID,
    Answer,
    EphemeralKey,
    EphemeralKeyRefused,
    RealtimeClient,
)
from shared.realtime.ephemeral_keys import EphemeralKeyCache
from shared.upstream.sdp import validate_offer

# Static Web Apps cuts an API request at 45 s; what is left covers the host and the way back.
BUDGET = timedelta(seconds=30)
# Between the parts of what a handle seals; none of them has it.
SEPARATOR = "/"
LOOK_BACK = timedelta(minutes=10)
# What the owner may see of a call's record.
OWN = ("status", "started_at", "ends_at", "ended_at", "ended_by", "usage")


@dataclass(frozen=True, slots=True)
class Started:
    """A call that has begun: the SDP answer and the handle that its owner may use."""

    sdp: str = field(repr=False)
    handle: str


@dataclass(frozen=True, slots=True)
class Token:
    """An ephemeral key for a page, and where the page posts its offer."""

    key: EphemeralKey
    url: str
    endpoint: str
    model: str

    def public(self) -> dict[str, Any]:
        """The answer of /token. `token` and `value` are the same key: both spellings are in use.
        The session stays here, it carries the instructions."""
        return {
            "token": self.key.value,
            "value": self.key.value,
            "expires_at": int(self.key.expires_at.timestamp()),
            "url": self.url,
            "endpoint": self.endpoint,
            "model": self.model,
        }


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What every call and key gets."""

    endpoint: str
    call_length: timedelta
    token_life: timedelta
    token_endpoint: bool = True
    tells_who_calls: bool = False
    budget: timedelta = BUDGET


class CallService:
    """Starts and ends calls."""

    def __init__(
        self,
        client: RealtimeClient,
        keys: EphemeralKeyCache,
        handles: Callable[[], Handles],
        ledger: Ledger,
        aftercare: CallDispatcher,
        endings: CallTerminator,
        secret: Callable[[str], str],
        terms: CallPolicy,
        *,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self.client = client
        self.keys = keys
        self.handles = handles
        self.ledger = ledger
        self.aftercare = aftercare
        self.endings = endings
        self.secret = secret
        self.terms = terms
        self.monotonic = monotonic

    def start(self, offer: bytes, profile: Profile, caller: Caller) -> Started:
        """Takes a page's offer; gives the answer and the owner's handle. Raises `Problem`."""
        text = validate_offer(offer)
        # Had before the call begins: a call whose handle cannot be made would be nobody's.
        handles = self.handles()
        with self.booked(self.ledger.book_call(caller.id)) as booking:
            answer = self.negotiate(text, profile, caller)
            record = record_of(answer.call_id, booking, profile, "connect")
            self.look_after(record)
        logs.event("call started", profile=profile.name, caller=caller.id, call=record.id)
        return Started(answer.sdp, seal(handles, record, caller))

    def register(self, call_id: str, profile: Profile, caller: Caller) -> str:
        """A call that the owner's page started with a key of `token`; gives the call's handle.

        From here on it is observed, limited and ended like any other. If it may not be, it is hung
        up. Raises `Problem`.
        """
        if not CALL_ID.fullmatch(call_id):
            raise Problem("invalid_call_id")
        handles = self.handles()
        try:
            booking = self.ledger.register_call(caller.id)
        except Problem:
            self.endings.hang_up(call_id)
            raise
        record = record_of(call_id, booking, profile, "token")
        self.look_after(record)
        logs.event("call registered", profile=profile.name, caller=caller.id, call=record.id)
        return seal(handles, record, caller)

    def token(self, profile: Profile, caller: Caller) -> Token:
        """An ephemeral key of the shortest life that works, for this caller alone."""
        if not self.terms.token_endpoint:
            raise Problem("token_endpoint_off")
        # The key may start a call at the end of its life, and nobody tells us: it counts for both.
        lasts = self.terms.token_life + self.terms.call_length
        with self.booked(self.ledger.book_call(caller.id, lasts=lasts, key=True)):
            key = self.client.mint_key(
                profile.with_instructions(self.secret),
                self.terms.token_life,
                self.deadline(),
                safety_identifier=self.safety(caller),
            )
        logs.event("ephemeral key issued", profile=profile.name, caller=caller.id)
        return Token(key, self.client.calls_url(profile), self.terms.endpoint, profile.model)

    def hang_up(self, handle: str, caller: Caller) -> None:
        """Ends the owner's call; again is fine, and so is a call that is over."""
        call_id, reference, name = self.opened(handle, caller)
        self.endings.hang_up(call_id)
        self.endings.over(name, reference, "caller")

    def standing(self, handle: str, caller: Caller) -> dict[str, Any]:
        """The owner's call as its record has it. Raises `Problem`."""
        record = self.aftercare.records.get(self.opened(handle, caller)[2])
        self.endings.remind(record)
        shown = record.public()
        return {name: shown[name] for name in OWN}

    def opened(self, handle: str, caller: Caller) -> tuple[str, str, str]:
        """Call id, booking and record of a handle. Raises Problem call_not_found."""
        call_id, reference, name = self.handles().open(handle, *caller.ids).split(SEPARATOR)
        return call_id, reference, name

    def look_after(self, record: CallRecord) -> None:
        """Hands a call that has begun to its aftercare; ends it if that fails, on record too."""
        try:
            self.aftercare.begin(record)
        except Problem:
            self.endings.refuse(record)
            raise

    @contextmanager
    def booked(self, booking: Booking) -> Iterator[Booking]:
        """Holds a booking while its call is asked for upstream; takes it back if that fails.

        What upstream refuses because of the caller's offer still counts as a start: else broken
        offers could be sent there without end.
        """
        try:
            yield booking
        except BaseException as error:
            theirs = isinstance(error, Problem) and error.status < 500
            self.ledger.undo_booking(booking, keep_start=theirs)
            raise

    def negotiate(self, offer: str, profile: Profile, caller: Caller) -> Answer:
        deadline = self.deadline()
        if not self.client.traits.needs_key:
            complete = profile.with_instructions(self.secret)
            return self.client.negotiate_unified(
                offer, complete, deadline, safety_identifier=self.safety(caller)
            )
        for _ in range(2):
            key = self.keys.key(profile)
            try:
                return self.client.negotiate(offer, key, profile, deadline)
            except EphemeralKeyRefused:
                # Refused before the offer was looked at (measured): a fresh key may try again.
                logs.event("ephemeral key refused", profile=profile.name)
                self.keys.drop_key(profile, key)
        raise Problem("ephemeral_key_refused")

    def safety(self, caller: Caller) -> str | None:
        return caller.id if self.terms.tells_who_calls else None

    def deadline(self) -> Deadline:
        return Deadline.after(self.terms.budget, self.monotonic)


def record_of(call_id: str, booking: Booking, profile: Profile, way: str) -> CallRecord:
    """The record of a call that has begun."""
    return CallRecord(
        id=record_id(booking.started_at, booking.reference),
        call_id=call_id,
        reference=booking.reference,
        caller=booking.caller_id,
        profile=profile.name,
        model=profile.model,
        way=way,
        started_at=booking.started_at,
        ends_at=booking.ends_at,
    )


def seal(handles: Handles, record: CallRecord, caller: Caller) -> str:
    """The owner's handle of a call, good until a while after its end: to see how it ended."""
    kept = SEPARATOR.join((record.call_id, record.reference, record.id))
    return handles.seal(kept, caller.id, record.ends_at + LOOK_BACK)
