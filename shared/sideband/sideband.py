"""The sideband: the WebSocket on which the server follows a call and may control it.

What the two APIs share of it. Where it is and what comes on it is in each API's contract
(`shared.sideband.contract`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from shared.sideband.events import ServerEvent


class NoSuchCall(Exception):
    """404 with the endpoint's own code: the call is over, not there yet, or another resource's."""


class SidebandUnavailable(Exception):
    """No connection. `status` is the HTTP status of a refusal, None if there was no answer, for the
    `reason` given; `problem` is the code of what it means."""

    def __init__(
        self,
        status: int | None = None,
        reason: str = "no answer",
        *,
        problem: str = "upstream_unreachable",
    ) -> None:
        self.status = status
        self.problem = problem
        super().__init__(f"refused with {status}" if status else reason)


class SidebandClosed(Exception):
    """The connection is over. `clean` means with a closing handshake, which says nothing about the
    call: a proxy closes as cleanly as a call that ends. `silent_for`: for how long nothing had
    come, where not everything that comes is an event."""

    def __init__(self, code: int, *, clean: bool, silent_for: timedelta | None = None) -> None:
        self.code = code
        self.clean = clean
        self.silent_for = silent_for
        super().__init__(f"closed with {code}")


class Sideband(Protocol):
    """One connection to one call."""

    async def send_event(self, event: Mapping[str, Any]) -> None:
        """Sends a client event. Raises SidebandClosed."""

    async def receive_event(self) -> ServerEvent:
        """The next server event. Raises SidebandClosed."""

    async def close(self) -> None:
        """Disconnects; the call goes on."""


@runtime_checkable
class DeliveringSideband(Sideband, Protocol):
    """A sideband that can hand over its events as they come, without a task that waits for each."""

    async def deliver_events(self, handle: Callable[[ServerEvent], None]) -> None:
        """Hands every event from now on to `handle`. Raises SidebandClosed, and what `handle`
        raises."""


Connect = Callable[[str], Awaitable[Sideband]]
"""Dials a call by its id. Raises NoSuchCall or SidebandUnavailable."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of a connection."""

    open: timedelta = timedelta(seconds=10)
    close: timedelta = timedelta(seconds=2)
    ping: timedelta = timedelta(seconds=20)
    reopen: timedelta = timedelta(seconds=2)
    """To open it over a connection that was asked before; a new one is opened after that."""


USUAL_TIMEOUTS = Timeouts()
