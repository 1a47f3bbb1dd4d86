"""The broker's routes, as far as this client uses them: one function an operation. Pure.

Each gives the request and how its reply is read. What may be sent again after a failure is
`is_repeatable`: reads, and a hang-up, which answers the same however often it is sent. A start, a
key, a registration and an event are sent once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from realtime_client import readers
from realtime_client.addresses import valid_call_id, valid_handle
from realtime_client.models import (
    CallPage,
    CallSearch,
    CallStatus,
    RegisteredCall,
    StartedCall,
    Token,
)
from realtime_client.wire import Operation, Reply, Request

SDP = {"Content-Type": "application/sdp"}
JSON = {"Content-Type": "application/json"}


def without_empty(**query: str) -> dict[str, str]:
    return {name: value for name, value in query.items() if value}


def start(offer: str, profile: str, continues: str) -> Operation[StartedCall]:
    """Starts a call."""
    query = without_empty(profile=profile, continues=continues and valid_handle(continues))
    request = Request("POST", "/connect", query, SDP, offer.encode())
    return Operation(request, 201, readers.read_started)


def token(profile: str) -> Operation[Token]:
    """Mints an ephemeral key. By POST, so that nothing on the way takes it for a read."""
    request = Request("POST", "/token", without_empty(profile=profile))
    return Operation(request, 200, readers.read_token)


def register(call_id: str, profile: str, endpoint: str) -> Operation[RegisteredCall]:
    """Registers a call that was started with a key."""
    body = json.dumps({"call_id": call_id, **without_empty(endpoint=endpoint)}).encode()
    request = Request("POST", "/calls", without_empty(profile=profile), JSON, body)
    return Operation(request, 201, readers.read_registered)


def status(handle: str) -> Operation[CallStatus]:
    """The status of the caller's own call."""
    request = Request("GET", f"/calls/{valid_handle(handle)}")
    return Operation(request, 200, readers.read_status, is_repeatable=True)


def hang_up(handle: str) -> Operation[None]:
    """Ends the caller's own call."""
    request = Request("POST", f"/calls/{valid_handle(handle)}/hangup")
    return Operation(request, 204, readers.read_nothing, is_repeatable=True)


def end_call(call_id: str) -> Operation[None]:
    """For admins: ends any call."""
    request = Request("POST", f"/calls/{valid_call_id(call_id)}/hangup")
    return Operation(request, 204, readers.read_nothing, is_repeatable=True)


def list_calls(search: CallSearch, limit: int, before: str) -> Operation[CallPage]:
    """For admins: a page of the calls that match; the broker chooses its size if `limit` is 0."""
    query = without_empty(
        limit=str(limit) if limit else "",
        before=before and valid_call_id(before),
        q=search.text,
        status=search.status,
        profile=search.profile,
        model=search.model,
        caller=search.caller,
        ended_by=search.ended_by,
        endpoint=search.endpoint,
        **{
            "from": search.since.isoformat() if search.since else "",
            "to": search.until.isoformat() if search.until else "",
        },
    )
    request = Request("GET", "/calls", query)

    def read(reply: Reply) -> CallPage:
        return readers.read_page(reply, before)

    return Operation(request, 200, read, is_repeatable=True)


def transcript(call_id: str, after: str) -> Operation[Reply]:
    """For admins: a call's transcript, or what is new of it. following.py reads the reply."""
    path = f"/calls/{valid_call_id(call_id)}/transcript"
    request = Request("GET", path, without_empty(after=after))
    return Operation(request, 200, lambda reply: reply, is_repeatable=True)


def send_event(call_id: str, event: Mapping[str, Any]) -> Operation[str]:
    """For admins: sends one client event to a running call; gives the type of the server event
    that answered it."""
    path = f"/calls/{valid_call_id(call_id)}/events"
    request = Request("POST", path, {}, JSON, json.dumps(event).encode())
    return Operation(request, 202, readers.read_answered_by)
