"""The session in a create: a profile's, with only what this endpoint is known to take. Pure.

GPT-Live refuses a session for one field that it does not know. The lists of the data channel are
sent all the same: without them the page could read the instructions and replace the backend, so a
call that cannot have them is not started.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.config.data_channel import widened_channel
from shared.config.live_settings import OPTIONAL_FIELDS

SAFETY_IDENTIFIER = "safety_identifier"
NEEDS = {"idle_timeout_s": "wake_policy"}
"""A field that is refused without another one."""


def session_to_send(
    session: Mapping[str, Any], allowed: frozenset[str], safety_identifier: str | None = None
) -> dict[str, Any]:
    """The session that is sent. `allowed` are the optional fields that may be; the identifier of
    the caller is one of them."""
    withheld = set(OPTIONAL_FIELDS) - allowed
    withheld |= {name for name, needed in NEEDS.items() if needed in withheld}
    sent = {name: value for name, value in session.items() if name not in withheld}
    if safety_identifier and SAFETY_IDENTIFIER not in withheld:
        sent[SAFETY_IDENTIFIER] = safety_identifier
    # Whatever the profile was built from: an absent list allows everything.
    channel: dict[str, Any] = {"allowed_client_events": [], "allowed_server_events": []}
    channel |= (session.get("client") or {"data_channel": widened_channel({})})["data_channel"]
    return {**sent, "client": {"data_channel": channel}}


def create_body(session: Mapping[str, Any], offer: str) -> bytes:
    """The body of `POST …/live/sessions`."""
    body = {"session": dict(session), "transport": {"type": "webrtc", "sdp": offer}}
    return json.dumps(body).encode()


def probe_body(session: Mapping[str, Any]) -> bytes:
    """A create that starts nothing and so costs nothing: it has no transport."""
    return json.dumps({"session": dict(session)}).encode()
