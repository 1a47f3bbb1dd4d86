"""Requests, the model's endpoint and the records, held against each other call by call. Pure.

Each offer carries its request's number as its session id, so a call upstream belongs to exactly one
request. The three must tell one story:

- a request that was answered with 201 began one call upstream, which is on record, and over;
- any other request began none, unless its answer can have been lost on the way (`UNTOLD`);
- every record is of one call upstream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.soak.account import AFTERWARDS, NOTHING, Account, Request

UNTOLD = frozenset(
    {NOTHING, "504 upstream_timeout", "502 upstream_unreachable", "503 storage_unavailable"}
)
"""After these a call may have begun that nobody was told of: the host died, the answer to the offer
came too late or was cut off, or what a call needs could not be written (it is hung up then)."""

EARLY = 8.0
"""How long before a call's limit an instance may pick up its end (shared/calls/dispatch.py)."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A call as the model's endpoint has it. `ended` says why, empty while it lives; it was seen
    alive from `began` to `last_live`."""

    id: str
    sess_id: str
    ended: str
    began: float = 0.0
    last_live: float = 0.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A call as its record has it; `ended_by` is empty while it is live."""

    id: str
    call_id: str
    ended_by: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many calls were given, and how many nobody was told of, by what their request got."""

    given: int
    untold_on_record: dict[str, int]
    untold: dict[str, int]
    wrong: tuple[str, ...]


def overdue(upstream: Iterable[Upstream], account: Account, limit: float, late: float) -> list[str]:
    """Complains of calls that went on `late` seconds or more after their limit, though nothing was
    away that their end needs."""
    found = sum(
        call.last_live > call.began + limit + late
        and not away(account, call.began + limit - EARLY, call.last_live)
        for call in upstream
    )
    return [f"{found} calls went on after their limit"] if found else []


def unexcused(
    upstream: Iterable[Upstream], account: Account, unobserved: Sequence[str]
) -> list[str]:
    """Complains of calls that nobody observed, though nothing was away that an observer needs."""
    found = sum(
        call.id in unobserved and not away(account, call.began, call.last_live) for call in upstream
    )
    return [f"{found} conversations were never observed"] if found else []


def away(account: Account, since: float, until: float) -> bool:
    """Whether storage, the vault or a host was away in that time."""
    return any(
        trouble.since <= until and since <= trouble.until + AFTERWARDS
        for trouble in account.troubles
        if trouble.what != "upstream"
    )


def agreement(
    requests: Sequence[Request], upstream: Iterable[Upstream], records: Iterable[Recorded]
) -> Agreement:
    """Whether the three agree, and what does not."""
    by_number = {str(request.number): request for request in requests}
    calls = {call.id: call for call in upstream}
    recorded = {record.call_id: record for record in records}
    begun = Counter(call.sess_id for call in calls.values())
    on_record: Counter[str] = Counter()
    nowhere: Counter[str] = Counter()
    given, wrong = 0, []
    for call in calls.values():
        request = by_number.get(call.sess_id)
        record = recorded.get(call.id)
        if not call.ended:
            wrong.append(f"a call upstream is live ({request.outcome if request else 'of nobody'})")
        if request is None:
            wrong.append("a call upstream that no request began")
        elif begun[call.sess_id] > 1:
            wrong.append(f"one offer began {begun[call.sess_id]} calls")
        elif request.status == 201:
            given += 1
            if record is None:
                wrong.append("a call was given to its caller and is not on record")
        elif request.outcome not in UNTOLD:
            wrong.append(f"a call began, and its request got {request.outcome}")
        elif record is None:
            nowhere[request.outcome] += 1
        else:
            on_record[request.outcome] += 1
    for record in recorded.values():
        if record.call_id not in calls:
            wrong.append("a record of a call that upstream does not know")
        if not record.ended_by:
            wrong.append("a record is live")
    answered = [request for request in requests if request.status == 201]
    missing = sum(not begun[str(request.number)] for request in answered)
    if missing:
        wrong.append(f"{missing} requests were given a call that upstream does not know")
    counted = Counter(wrong)
    lines = tuple(f"{line} ({number} times)" for line, number in sorted(counted.items()))
    return Agreement(given, dict(sorted(on_record.items())), dict(sorted(nowhere.items())), lines)
