"""A call's way through the broker: start, register, look up, hang up; and keys for pages that start
calls themselves.

    offer --> booking --> the API of the profile (calls/voice_client.py) --> answer
          --> record, end messages, observer message --> handle

A refusal comes before anything is sent upstream, and a booking is undone when upstream refuses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.auth.caller import Caller
from shared.calls.booked_start import BookedStarts
from shared.calls.call_record import BY_BROKER, BY_KEY, CallRecord, stored_name
from shared.calls.call_status import status_for_caller
from shared.calls.continuation import Continuations, Conversation, in_conversation
from shared.calls.dispatch import CallDispatcher
from shared.calls.failover import Failover
from shared.calls.handles import Handles
from shared.calls.new_call import SealedCall, new_record, open_handle, seal_handle
from shared.calls.termination import CallTerminator
from shared.calls.token_response import Token
from shared.config.profiles import Profile
from shared.config.settings import SHORTEST_CALL, Settings
from shared.config.voice_api import LIVE, VoiceApi
from shared.core import logs
from shared.core.deadline import Deadline, Monotonic
from shared.core.problems import Problem
from shared.limits.ledger_store import Booking, Ledger, name_of
from shared.limits.moved_key import move_key
from shared.realtime.call_ids import is_call_id
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.transcripts.history import NO_HISTORY
from shared.upstream.sdp import validate_offer

UPSTREAM_BUDGET = timedelta(seconds=30)
"""Static Web Apps cuts an API request off at 45 s; the rest is for the host and the way back."""
LONGEST_KEY_LIFE = timedelta(hours=2)
"""No provider grants more (measured on Azure; OpenAI documents the same)."""
CLOCKS_DIFFER = timedelta(seconds=10)
"""How far the endpoint's clock may be off from ours without a key seeming to live longer."""


@dataclass(frozen=True, slots=True)
class StartedCall:
    """A call that has begun: the SDP answer, and the handle for its caller. `carried`: it begins
    with what was said in the call that it continues."""

    sdp: str = field(repr=False)
    handle: str
    api: VoiceApi
    carried: bool = False


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What holds for every call and key. `budget` bounds the requests upstream for one request;
    `price_table` is a file of prices of the operator's own. `conversation_length` is that of a
    conversation over several calls; 0: that of its first one."""

    call_length: timedelta
    token_life: timedelta
    token_endpoint: bool = True
    budget: timedelta = UPSTREAM_BUDGET
    price_table: Path | None = None
    conversation_length: timedelta = timedelta(0)

    @classmethod
    def of_settings(cls, settings: Settings) -> CallPolicy:
        """What the settings say."""
        return cls(
            call_length=settings.limits.longest,
            token_life=settings.tokens.life,
            token_endpoint=settings.tokens.enabled,
            price_table=settings.observer.price_table,
            conversation_length=settings.limits.conversation_length,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallService:
    """Starts and ends calls. `failover` finds the endpoint of each; `handles` gives the current
    handles."""

    failover: Failover
    handles: Callable[[], Handles]
    ledger: Ledger
    dispatcher: CallDispatcher
    terminator: CallTerminator
    policy: CallPolicy
    continuations: Continuations
    monotonic: Monotonic = time.monotonic

    def start_call(
        self, offer: bytes, profile: Profile, caller: Caller, continues: str = ""
    ) -> StartedCall:
        """Negotiates a page's offer; returns the answer and the caller's handle. `continues` is the
        handle of a call of the caller's whose conversation goes on in this one. Raises
        `Problem`."""
        # A call of GPT-Live may do without a data channel.
        text = validate_offer(offer, needs_channel=profile.api != LIVE)
        # Before the call begins: without a handle its caller could not hang it up.
        handles = self.handles()
        before = None
        if continues:
            sealed = open_handle(handles, continues, caller)
            before = self.continuations.find(sealed.record_id, profile)
        booking = self.book_call(profile, caller, before)
        with self.starts.undone_on_failure(booking, profile):
            # Once it is counted: a record may be long.
            history = NO_HISTORY
            if before is not None:
                history = self.continuations.history(before, name_of(booking.reference))
            answer = self.failover.start_call(text, profile, caller, self.deadline(), history)
        record = new_record(
            answer.call_id, booking, profile, started_by=BY_BROKER, endpoint=answer.endpoint
        )
        record = in_conversation(record, before, self.policy.conversation_length)
        self.starts.dispatch_call(record, booking, before)
        logs.event(
            "call started",
            profile=profile.name,
            caller=caller.id,
            call=record.id,
            endpoint=answer.endpoint,
        )
        handle = seal_handle(handles, record, caller)
        return StartedCall(answer.sdp, handle, profile.api, answer.carried)

    def book_call(self, profile: Profile, caller: Caller, before: Conversation | None) -> Booking:
        """The booking of a call, for as long as its conversation has left. Raises `Problem`."""
        if before is None:
            return self.ledger.book_call(caller.id, api=profile.api)
        lasts = min(self.policy.call_length, before.left)
        return self.ledger.book_call(
            caller.id, lasts=lasts, api=profile.api, takes_over=before.unsettled
        )

    @property
    def starts(self) -> BookedStarts:
        """What starts calls that are booked."""
        return BookedStarts(
            self.ledger,
            self.dispatcher,
            self.terminator,
            self.continuations,
            self.policy.price_table,
        )

    def register_call(
        self, call_id: str, profile: Profile, caller: Caller, address: str = ""
    ) -> str:
        """Registers a call that the caller's page started with a key; returns its handle. `address`
        is the endpoint that the key came with, for callers with keys of several.

        From then on it is observed, limited and ended like any other. Nothing is sent upstream for
        a call that is not admitted: its id is only claimed. Registered again, it keeps its record.
        Raises Problem registration_refused unless the caller has an unused key of the profile and
        the call is nobody else's, and other Problems.
        """
        if profile.api == LIVE:
            raise Problem("live_without_keys")
        if not is_call_id(call_id):
            raise Problem("invalid_call_id")
        handles = self.handles()
        record = self.dispatcher.claims.claimed(call_id)
        if record is None:
            record = self.claim_call(call_id, profile, caller, address)
        if record.caller_id not in caller.ids:
            raise Problem("registration_refused")
        if not self.dispatcher.records.exists(record.id):
            self.starts.dispatch_call(record)
            logs.event(
                "call registered",
                profile=profile.name,
                caller=caller.id,
                call=record.id,
                endpoint=record.endpoint_name,
            )
        return seal_handle(handles, record, caller)

    def claim_call(
        self, call_id: str, profile: Profile, caller: Caller, address: str
    ) -> CallRecord:
        """The record of a call that is the caller's by a key of theirs; another's, if its caller
        was faster to claim that id. Raises `Problem`."""
        booking = self.booking_of_key(call_id, profile, caller, address)
        record = new_record(call_id, booking, profile, started_by=BY_KEY, endpoint=booking.endpoint)
        holder = self.dispatcher.claims.claim(record)
        if holder.reference != record.reference:
            self.ledger.return_key(booking, call_id)
        return holder

    def booking_of_key(
        self, call_id: str, profile: Profile, caller: Caller, address: str
    ) -> Booking:
        """The booking of the caller's key for that call, under any id of theirs. Raises
        `Problem`."""
        endpoints = self.failover.endpoints.at_address(address) if address else None
        for caller_id in caller.ids:
            try:
                return self.ledger.register_call(caller_id, profile.name, call_id, endpoints)
            except Problem as problem:
                if problem.code != "registration_refused":
                    raise
        raise Problem("registration_refused")

    def issue_token(self, profile: Profile, caller: Caller) -> Token:
        """An ephemeral key of the shortest life that works, for this caller alone.

        Raises `Problem`.
        """
        if profile.api == LIVE:
            raise Problem("live_without_keys")
        if not self.policy.token_endpoint:
            raise Problem("token_endpoint_off")
        # The key can start a call until the end of its life, unseen by us: it is counted for both.
        lasts = self.policy.token_life + self.policy.call_length
        shortest = self.policy.token_life + SHORTEST_CALL
        # Whoever is over a limit tries none.
        expected = stored_name(self.failover.choose(profile, caller, will_try=False)[0].name)
        booking = self.ledger.book_key(
            caller.id, profile.name, lasts, shortest=shortest, endpoint=expected
        )
        with self.starts.undone_on_failure(booking, profile):
            minted = self.failover.mint_key(
                profile, self.policy.token_life, caller, self.deadline()
            )
            if stored_name(minted.endpoint.name) != expected:
                move_key(self.ledger, booking, stored_name(minted.endpoint.name))
            self.count_longer_life(booking, minted.key)
        logs.event(
            "ephemeral key issued",
            profile=profile.name,
            caller=caller.id,
            endpoint=minted.endpoint.name,
        )
        return Token(
            key=minted.key,
            url=minted.endpoint.realtime.client.calls_url(profile),
            endpoint=minted.endpoint.settings.url,
            model=minted.profile.model,
        )

    def count_longer_life(self, booking: Booking, key: EphemeralKey) -> None:
        """Counts a key to its end where the endpoint lets it live longer than asked. Raises
        `Problem`."""
        life = min(key.expires_at - booking.started_at, LONGEST_KEY_LIFE)
        if life > self.policy.token_life + CLOCKS_DIFFER:
            self.ledger.extend_key(booking, booking.started_at + life + self.policy.call_length)

    def hang_up(self, handle: str, caller: Caller) -> None:
        """Ends the caller's call. Idempotent, also for a call that is over. Raises `Problem`."""
        self.terminator.end_call(self.open_handle(handle, caller), "caller")

    def call_status(self, handle: str, caller: Caller) -> dict[str, Any]:
        """The caller's own call, as its record has it. Raises `Problem`."""
        record = self.dispatcher.records.get(self.open_handle(handle, caller).record_id)
        self.terminator.resend_end_message(record)
        return status_for_caller(record)

    def open_handle(self, handle: str, caller: Caller) -> SealedCall:
        """What a handle of the caller's is for. Raises Problem call_not_found."""
        return open_handle(self.handles(), handle, caller)

    def deadline(self) -> Deadline:
        return Deadline.after(self.policy.budget, self.monotonic)
