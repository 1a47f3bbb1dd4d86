"""The body of a request with an offer: raw SDP, or a form with `sdp` and `session`."""

from __future__ import annotations

import re
from email import policy
from email.parser import BytesParser
from typing import Any

from realtime_emulator.protocol import errors, session_schema
from realtime_emulator.protocol.json_text import parse_json
from realtime_emulator.protocol.validators import Invalid, unknown
from realtime_emulator.sdp.description import OfferRefused
from realtime_emulator.sdp.syntax import parse_description

PARTS = ("sdp", "session")


def parse_sdp(body: bytes) -> str:
    """The offer in a body of raw SDP. Raises ApiError 400 `invalid_offer`, as the live service."""
    try:
        parse_description(body)
    except OfferRefused as refused:
        raise errors.invalid_offer(refused.message) from None
    return body.decode("utf-8", "replace")


def parse_form(body: bytes, content_type: str) -> tuple[str, dict[str, Any] | None]:
    """The offer and the session in a multipart body. Raises ApiError 400.

    Some clients omit the boundary from the header; it is then read from the body.
    """
    try:
        parts = dict(split_multipart(body, content_type))
        for name in parts:
            if name not in PARTS:
                raise unknown(name)
        if "sdp" not in parts:
            raise Invalid("missing_required_parameter", "Missing required parameter: 'sdp'.", "sdp")
        session = None
        if "session" in parts:
            session = parse_json(parts["session"])
            session_schema.SESSION(session, "session")
    except ValueError as error:
        wrong = error if isinstance(error, Invalid) else not_json()
        raise errors.invalid_parameter(wrong) from None
    return parse_sdp(parts["sdp"]), session


def not_json() -> Invalid:
    return Invalid("invalid_json", "Could not parse the 'session' part as JSON.", "session")


def split_multipart(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    if "boundary=" not in content_type:
        found = re.match(rb"--([^\r\n]+)\r?\n", body)
        boundary = found.group(1).decode("latin-1") if found else "none"
        content_type = f'multipart/form-data; boundary="{boundary}"'
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    out = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        out.append((str(name), payload if isinstance(payload, bytes) else b""))
    return out
