"""The seam between a run of an observer and the voice API that its call speaks.

A run leases the call, connects and reconnects, writes, states gaps, and settles the end, whichever
API it is. What an event means and what is done about it is the `Conversation`'s:
`shared.observer.realtime.conversation` and `shared.observer.live.conversation` are the two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from shared.observer.background import BackgroundTasks
from shared.observer.connection import CallConnection
from shared.observer.context import Dependencies, ObservedCall, Tally
from shared.observer.gaps import GapKeeper
from shared.observer.goodbye import Goodbye
from shared.observer.lease_keeper import LeaseKeeper
from shared.observer.run_context import RunContext
from shared.observer.timing import Timing
from shared.sideband.events import ServerEvent
from shared.transcripts.record_lines import StoredLine
from shared.transcripts.writer import TranscriptWriter


@dataclass(frozen=True, slots=True)
class RunParts:
    """What a run gives its conversation to work with. `hang_up` ends the call upstream; it may
    raise Problem."""

    call: ObservedCall
    dependencies: Dependencies
    timing: Timing
    writer: TranscriptWriter
    connection: CallConnection
    lease: LeaseKeeper
    background: BackgroundTasks
    hang_up: Callable[[], Awaitable[None]]


class Conversation(Protocol):
    """What is said in one call, and what the server does to it."""

    @property
    def context(self) -> RunContext:
        """What its parts share."""

    @property
    def gaps(self) -> GapKeeper:
        """What may be missing of it."""

    @property
    def goodbye(self) -> Goodbye:
        """How the server ends it."""

    @property
    def is_busy(self) -> bool:
        """Whether the server does something for the call that a later run could not finish, such as
        a tool."""

    @property
    def over(self) -> str:
        """Why an event said that the call is over; "" as long as none has. It ends the run once the
        connection is closed and upstream has confirmed it."""

    @property
    def proof_of_end(self) -> str:
        """What the call is settled by, where no hang-up says so, because an event is proof that it
        is over; "" if none is."""

    def resume(self, lines: list[StoredLine]) -> None:
        """Takes over from the record, after the recorder and the gaps have."""

    def connected(self) -> None:
        """There is a connection, the first one or another."""

    async def request_state(self, lines: list[StoredLine]) -> None:
        """Asks over a new connection for what the run has to know. `lines` are those of the record,
        for the first connection. Raises SidebandClosed."""

    async def reconnected(self) -> None:
        """Sends over the new connection what the lost one did not take. Raises SidebandClosed."""

    def handle_event(self, event: ServerEvent) -> None:
        """Records one event and acts on it. Never raises."""

    def call_ended(self, reason: str) -> None:
        """Records that the call is over, as upstream has confirmed."""

    def never_seen(self) -> None:
        """The call is over, and nobody has seen what it used."""

    def tally(self) -> Tally:
        """What the call has used since its start, and what failed."""

    async def leave(self) -> None:
        """The run ends: what is not on record yet is recorded, and everything else is closed."""
