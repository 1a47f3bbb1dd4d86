"""What a run of an observer is told about a call, what it works with, and its result."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Container, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.config.voice_api import REALTIME, VoiceApi
from shared.core.clock import Clock, utc_now
from shared.core.stopping import Stopping
from shared.observer.leases import LeaseStore
from shared.sideband.sideband import Connect
from shared.storage.interfaces import Log
from shared.tools.granted import granted_names
from shared.tools.registry import Registry
from shared.transcripts.failures import Counts
from shared.transcripts.redaction import Redact, redacted
from shared.usage.call_usage import NOTHING_USED, CallUsage
from shared.usage.tokens import Usage


@dataclass(frozen=True, slots=True)
class Tally:
    """What a call has used since its start, and what failed in it: how often, by what it was and by
    the endpoint's code; and how long turns waited for their answers (usage/turn_latency.py)."""

    usage: CallUsage = NOTHING_USED
    failures: Counts = field(default_factory=dict)
    latencies: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All tokens."""
        return self.usage.total


Spend = Callable[[Tally], Awaitable[bool]]
"""Called after each response, and now and then between them, with the tally since the call's start.
True: the budget is used up."""


class Outcome(enum.Enum):
    """How a run ended. That the call is over, upstream has confirmed in answer to a hang-up."""

    ENDED = "ended"  # the call is over
    NOT_FOUND = "not found"  # there is no such call
    CONTINUE = "continue"  # the segment is full: enqueue the next one
    HELD = "held"  # another run follows the call
    LOST = "lost"  # another run has taken over the lease
    UNREACHABLE = "unreachable"  # the call cannot be followed now: try again later
    HANDED_OVER = "handed over"  # the process is to stop, and another one follows the call


@dataclass(frozen=True, slots=True)
class ObserverResult:
    """The outcome of a run, and the call's tally since its start. `settled_by` is what a
    call that is over is settled by (calls/termination.py)."""

    outcome: Outcome
    reason: str = ""
    tally: Tally = Tally()
    settled_by: str = ""

    @property
    def usage(self) -> Usage:
        """What the call's responses have used."""
        return self.tally.usage.responses


@dataclass(frozen=True, slots=True)
class Farewell:
    """How the server ends a call.

    `instructions` are those for the model's last answer; None: it gives none. The assistant has
    `finish_within` to finish what it is saying, and `timeout` bounds the whole goodbye.
    `hang_up_pause` is the pause between tries to hang up.
    """

    instructions: str | None = None
    finish_within: timedelta = timedelta(seconds=5)
    timeout: timedelta = timedelta(seconds=15)
    hang_up_pause: timedelta = timedelta(seconds=1)


HangUp = Callable[[], Awaitable[str]]
"""Hangs the call up; gives what it is settled by. Raises Problem unless upstream confirms that the
call is over."""


Expires = Callable[[datetime], Awaitable[None]]
"""Called if the service will end the session sooner than the broker would, with that time."""


async def ignore_expiry(_: datetime) -> None:
    """For calls that nobody wants to know it of."""


PassOn = Callable[[], Awaitable[None]]
"""Asks other instances to follow the call at once. Raises Problem, StorageUnavailable."""


async def ask_nobody() -> None:
    """Where nobody else could follow the call."""


async def do_not_hang_up() -> str:
    """For calls that the observer may not hang up: it is believed that they are over."""
    return ""


@dataclass(frozen=True, slots=True)
class ObservedCall:
    """A call, and the terms under which it is followed.

    `session` is the profile's, private instructions included; None: the page decides. `keep_words`
    says whether what is said is recorded. `ends_at` is the hard limit: the observer says goodbye
    ahead of it if it has instructions for that. `ended_by` and `ended_at` are those of a call that
    is settled: it is not dialled. `retries_responses`: a response that fails of a passing fault is
    asked for once more. `slow_turn`: a turn that waits longer is logged. `approvals` are the
    profile's `mcp_approvals`. `api` is the API that it speaks. `recorded`: where both voices are
    recorded, its own are too. `delegation_function` is the profile's. `continues` is the record of
    the call that it continues; `past_items` are the ids that its history may have: what they say is
    in that call's record.
    """

    call_id: str
    session: Mapping[str, Any] | None = field(default=None, repr=False)
    keep_words: bool = False
    started_at: datetime | None = None
    ends_at: datetime | None = None
    farewell: Farewell = field(default_factory=Farewell)
    ended_by: str = ""
    ended_at: datetime | None = None
    retries_responses: bool = True
    approvals: Mapping[str, Any] = field(default_factory=dict)
    api: VoiceApi = REALTIME
    recorded: bool = True
    delegation_function: str | None = None
    slow_turn: timedelta | None = None
    continues: str = ""
    past_items: tuple[str, ...] = ()
    record_id: str = ""
    """What logs call it: a call id is all that is needed to hang the call up."""

    @property
    def granted(self) -> Container[str]:
        """The server tools that this call may use: those that the profile's session names, never
        what the page adds to the session."""
        return granted_names(self.session, "function")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a run works with. `executor` runs what blocks: storage and credentials.
    `records_audio`: both voices of Live calls are recorded, to `log`. `stopping`: the process has
    been told to stop, and its calls are handed over."""

    connect: Connect
    leases: LeaseStore
    log: Log
    registry: Registry = field(default_factory=Registry)
    spend: Spend | None = None
    hang_up: HangUp = do_not_hang_up
    expires: Expires = ignore_expiry
    redact: Redact = redacted
    clock: Clock = utc_now
    executor: Executor | None = None
    records_audio: bool = False
    stopping: Stopping = field(default_factory=Stopping)
    pass_on: PassOn = ask_nobody
