"""What an observer is told of a call, what it works with, and what comes of it."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Container, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.core.clock import Clock, utc_now
from shared.observer.leases import LeaseStore
from shared.realtime.sideband import Connect
from shared.storage.interfaces import Log
from shared.tools.registry import Registry
from shared.transcripts.redaction import Redact, redacted
from shared.usage.tokens import ZERO, Usage

Spend = Callable[[Usage], Awaitable[bool]]
"""Told what the call has used since its start, after each response; True: the budget is used up."""


class Outcome(enum.Enum):
    """How a run ended."""

    ENDED = "ended"  # the call is over
    NOT_FOUND = "not found"  # there is no such call
    CONTINUE = "continue"  # the segment is full: enqueue the next one
    HELD = "held"  # somebody else follows the call
    LOST = "lost"  # the lease was taken over
    UNREACHABLE = "unreachable"  # the sideband could not be dialled: try again later


@dataclass(frozen=True, slots=True)
class ObserverResult:
    """The outcome of a run, and what the call has used since its start."""

    outcome: Outcome
    reason: str = ""
    usage: Usage = ZERO


@dataclass(frozen=True, slots=True)
class Farewell:
    """How the server ends a call. `words` are instructions for the model's last answer; None: it
    gives none. The assistant has `calm` to finish what it is saying; `at_most` bounds the whole.
    `pause` is that between tries to hang up."""

    words: str | None = None
    calm: timedelta = timedelta(seconds=5)
    at_most: timedelta = timedelta(seconds=15)
    pause: timedelta = timedelta(seconds=1)


async def nothing() -> None:
    """For calls that the observer may not hang up."""


@dataclass(frozen=True, slots=True)
class ObservedCall:
    """The call, and the terms under which it is followed.

    `session` is the profile's, private instructions included; None: the page's word goes.
    `tools`: the server's tools that the call may use, default those of `session`. `words`: whether
    what is said is kept. `ends_at` is the hard limit: the observer says goodbye
    ahead of it if there is something to say.
    """

    call_id: str
    session: Mapping[str, Any] | None = field(default=None, repr=False)
    words: bool = False
    started_at: datetime | None = None
    ends_at: datetime | None = None
    farewell: Farewell = field(default_factory=Farewell)
    tools: Container[str] | None = None

    @property
    def granted(self) -> Container[str]:
        """The server's tools that this call may use: `tools`, or those that the session names.

        Never what the page adds to the session.
        """
        if self.tools is not None:
            return self.tools
        named = (self.session or {}).get("tools") or []
        return frozenset(str(tool.get("name")) for tool in named)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a run works with. `executor` runs what blocks (storage, credentials)."""

    connect: Connect
    leases: LeaseStore
    log: Log
    registry: Registry = field(default_factory=Registry)
    spend: Spend | None = None
    hang_up: Callable[[], Awaitable[None]] = nothing
    redact: Redact = redacted
    clock: Clock = utc_now
    executor: Executor | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things may take."""

    segment: timedelta = timedelta(minutes=50)
    first_pauses: tuple[timedelta, ...] = tuple(
        timedelta(milliseconds=pause) for pause in (200, 400, 800, 1600)
    )
    """Between the first dials: a fresh call may answer 404 for a moment."""
    redial: timedelta = timedelta(seconds=30)
    write_every: timedelta = timedelta(milliseconds=500)
    storage_again: timedelta = timedelta(seconds=2)
    quiet: timedelta = timedelta(seconds=2)
    goodbye_ahead: timedelta = timedelta(seconds=10)
    leave: timedelta = timedelta(seconds=5)


USUAL = Timing()
