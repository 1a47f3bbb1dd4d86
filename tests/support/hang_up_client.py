"""A client of the model's endpoint for tests in which calls only end."""

from __future__ import annotations

from shared.core.deadline import Deadline
from shared.realtime.client import RealtimeClient
from shared.realtime.sideband import NoSuchCall, Sideband


class HangUpClient(RealtimeClient):
    """Hangs up without an endpoint, and keeps the ids of the calls that it was to end."""

    def __init__(self) -> None:
        self.hung_up: list[str] = []

    def hang_up(self, call_id: str, deadline: Deadline) -> bool:
        self.hung_up.append(call_id)
        return True


async def no_such_call(call_id: str) -> Sideband:
    """A `Connect` to an endpoint that has no calls."""
    raise NoSuchCall(call_id)
