"""What the broker answers, in frozen dataclasses.

Times have a time zone. What an answer lacks is None, "" or empty. Members that a newer broker adds
are left out here; `json` of a record or an entry has all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

Counts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class StartedCall:
    """A call that has begun. `answer` is the SDP answer for the page. With `handle` its caller asks
    about it and ends it; `url` is the same at the broker. `api` is `realtime` or `live`, whose
    events the page will meet. `is_continued`: it begins with what was said in the call before."""

    answer: str = field(repr=False)
    handle: str = field(repr=False)
    url: str = field(repr=False)
    api: str
    is_continued: bool
    request_id: str


@dataclass(frozen=True, slots=True)
class RegisteredCall:
    """A call that was started with a key, and is observed, limited and ended from now on."""

    handle: str = field(repr=False)
    url: str = field(repr=False)
    api: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Token:
    """An ephemeral key. The page posts its offer to `url` with it, until `expires_at`. `endpoint`
    goes into `register`."""

    value: str = field(repr=False)
    expires_at: datetime
    url: str
    endpoint: str
    model: str


@dataclass(frozen=True, slots=True)
class CallStatus:
    """A call as its own caller may see it. `id` is what logs, admins and messages call it."""

    id: str
    status: str
    started_at: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    ended_by: str
    usage: Counts
    transcription: Counts
    failures: Mapping[str, Mapping[str, int]]
    api: str
    conversation_ends_at: datetime | None

    @property
    def is_live(self) -> bool:
        """Whether the call goes on."""
        return self.status == "live"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long turns waited for their answers."""

    turns: int
    p50: timedelta
    p95: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True)
class CallRecord(CallStatus):
    """A call as admins see it. `started_by` is `connect` or `token`, `cost` in US dollars, or
    `unknown`, or "" as long as nothing is known. `continues` and `continued_by` are ids."""

    caller: str
    profile: str
    model: str
    started_by: str
    endpoint: str
    observed: str
    cost: str
    prices_as_of: str
    session_model: str
    latency: Latency | None
    continues: str
    continued_by: str
    json: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class CallPage:
    """Calls that match, newest first. `next` goes into the next request as `before`; "" after the
    last page. A page may be empty and still have one."""

    calls: tuple[CallRecord, ...]
    next: str


@dataclass(frozen=True, slots=True)
class CallSearch:
    """Which calls: those that match everything that is given. `since` and `until` are days (UTC),
    both included."""

    text: str = ""
    status: str = ""
    profile: str = ""
    model: str = ""
    caller: str = ""
    ended_by: str = ""
    endpoint: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was said or done in a call: a `message` (of the caller, the model, the server
    or the page, as `origin` says), a `tool_call`, a `tool_result`, a `gap`, a `failure`, …; `json`
    has what is of one kind alone."""

    kind: str
    at: datetime
    item_id: str
    role: str
    origin: str
    text: str | None
    is_interrupted: bool
    heard_text: str | None
    name: str
    arguments: str
    output: str
    latency: timedelta | None
    json: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Transcript:
    """A call and what was said in it, in order. `ended` is how it ended, as the observer saw it;
    None while it goes on. Without `TRANSCRIPTS=on` entries have no text."""

    call: CallRecord
    entries: tuple[Entry, ...]
    ended: str | None
    gaps: int
    usage: Counts


@dataclass(frozen=True, slots=True)
class TranscriptChange:
    """What is new in a call that is followed: `changed` are the places of the entries that are new
    or have changed in `transcript`, which is the whole. None has, where only the call has."""

    transcript: Transcript
    changed: tuple[int, ...]
