"""What the endpoint is told of the caller: an id of ours, in OpenAI's safety header.

Stable for a caller, meaningless without the broker's secret, and at most 64 characters, as OpenAI
asks. Azure documents no such header, so `REALTIME_SAFETY_IDENTIFIER` is off there by default.
"""

from __future__ import annotations

from shared.auth.caller import Caller

HEADER = "OpenAI-Safety-Identifier"


def safety_identifier(caller: Caller) -> str:
    """What stands for the caller upstream: the id that the broker itself knows them by."""
    return caller.id


def safety_header(identifier: str | None) -> dict[str, str]:
    """The header for a request; none without an identifier."""
    return {HEADER: identifier} if identifier else {}
