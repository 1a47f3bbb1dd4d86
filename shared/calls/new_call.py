"""What a call has from its beginning: a record, and a handle for its caller. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.auth.caller import Caller
from shared.calls.call_record import CallRecord, stored_name
from shared.calls.handles import HANDLE_OUTLIVES_CALL, Handles
from shared.calls.record_ids import record_id
from shared.config.profiles import Profile
from shared.config.voice_api import LIVE, REALTIME, VoiceApi, voice_api
from shared.limits.ledger_store import Booking

SEPARATOR = "/"
"""Between the parts of what a handle seals; none of them contains it."""


@dataclass(frozen=True, slots=True)
class SealedCall:
    """What a handle seals: the call's id upstream, its booking, its record, the API that it
    speaks, the endpoint that it belongs to."""

    call_id: str
    reference: str
    record_id: str
    api: VoiceApi = REALTIME
    endpoint: str = ""


def new_record(
    call_id: str, booking: Booking, profile: Profile, *, started_by: str, endpoint: str
) -> CallRecord:
    """The record of a call that has begun at that endpoint."""
    return CallRecord(
        id=record_id(booking.started_at, booking.reference),
        call_id=call_id,
        reference=booking.reference,
        caller_id=booking.caller_id,
        profile=profile.name,
        model=profile.model,
        started_by=started_by,
        started_at=booking.started_at,
        ends_at=booking.ends_at,
        api=profile.api,
        endpoint=stored_name(endpoint),
    )


def seal_handle(handles: Handles, record: CallRecord, caller: Caller) -> str:
    """The caller's handle, valid for a while after the call's end, to look up how it ended."""
    return seal_for_caller(handles, record, caller.id)


def seal_for_caller(handles: Handles, record: CallRecord, caller_id: str) -> str:
    """As `seal_handle`, for the caller with that id. Raises ValueError for what is too long."""
    parts = [record.call_id, record.reference, record.id]
    if record.api == LIVE or record.endpoint:
        # An older release opens handles of three parts, all of Realtime's calls.
        parts.append(record.api)
    if record.endpoint:
        parts.append(record.endpoint)
    return handles.seal(SEPARATOR.join(parts), caller_id, record.ends_at + HANDLE_OUTLIVES_CALL)


def open_handle(handles: Handles, handle: str, caller: Caller) -> SealedCall:
    """What was sealed for that caller. Raises Problem call_not_found."""
    # A later release may seal more parts.
    call_id, reference, name, *more = handles.open(handle, *caller.ids).split(SEPARATOR)
    api, endpoint, *_ = *more, "", ""
    return SealedCall(call_id, reference, name, voice_api(api), endpoint)
