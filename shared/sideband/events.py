"""The server events that both voice APIs have, as everything behind the sideband gets them.

Each API's own events derive from these (`shared.realtime.server_events`,
`shared.live.server_events`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

Json = Mapping[str, Any]
Scalar = str | int | float | None


@dataclass(frozen=True, slots=True)
class ServerEvent:
    type: str


@dataclass(frozen=True, slots=True)
class OtherEvent(ServerEvent):
    """An event that nobody here needs."""


@dataclass(frozen=True, slots=True)
class NotUnderstood(ServerEvent):
    """An event that is not of the shape that its type promises, or none at all. `type` is empty
    unless it is one that we parse; `reason` is ours."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ErrorEvent(ServerEvent):
    """`error`. `caused_by` is the id of the client event that it answers. The message is left out:
    it may quote the page."""

    refuses_at_start: ClassVar[bool] = False
    """Whether only one that comes before all other events tells of the connection."""

    event_id: str | None
    error_type: Scalar
    code: Scalar
    param: Scalar
    caused_by: str | None
