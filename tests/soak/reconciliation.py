"""Requests, the model's endpoint and the records, compared call by call. Pure.

Each offer carries its request's number as its session id, so a call upstream belongs to exactly one
request. The three must agree:

- a request that was answered with 201 began one call upstream, which is on record, and has ended;
- any other request began none, unless its answer may have been lost on the way (`ORPHANING`);
- every record is of one call upstream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.soak.journal import NO_ANSWER, Journal, SentRequest

ORPHANING = frozenset(
    {NO_ANSWER, "504 upstream_timeout", "502 upstream_unreachable", "503 storage_unavailable"}
)
"""After these a call may have begun that its caller never heard of: the host died, the answer to
the offer was late or cut off, or what a call needs could not be written (it is then hung up)."""

EARLY = 8.0
"""How long before a call's limit an instance may receive the message that ends it
(shared/calls/dispatch.py)."""


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """A call at the model's endpoint. `ended` is why it ended, empty while it is live; it was seen
    live from `began` to `last_live`."""

    id: str
    session_id: str
    ended: str
    began: float = 0.0
    last_live: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call on record; `ended_by` is empty while it is live."""

    id: str
    call_id: str
    ended_by: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How many calls were answered; orphaned calls, by the outcome of their request, with and
    without a record; and what does not agree."""

    answered: int
    orphans_on_record: dict[str, int]
    orphans_without_record: dict[str, int]
    inconsistencies: tuple[str, ...]


def reconcile(
    requests: Sequence[SentRequest],
    upstream: Iterable[UpstreamCall],
    records: Iterable[RecordedCall],
) -> Reconciliation:
    """Compares the three."""
    by_number = {str(request.number): request for request in requests}
    calls = {call.id: call for call in upstream}
    recorded = {record.call_id: record for record in records}
    begun = Counter(call.session_id for call in calls.values())
    on_record: Counter[str] = Counter()
    without_record: Counter[str] = Counter()
    answered, wrong = 0, []
    for call in calls.values():
        request, record = by_number.get(call.session_id), recorded.get(call.id)
        wrong += complaints(call, request, record, begun[call.session_id])
        if request is None or begun[call.session_id] > 1:
            continue
        if request.status == 201:
            answered += 1
        elif request.outcome in ORPHANING:
            (without_record if record is None else on_record)[request.outcome] += 1
    wrong += record_complaints(recorded, calls)
    unknown = sum(request.status == 201 and not begun[str(request.number)] for request in requests)
    if unknown:
        wrong.append(f"{unknown} requests were answered with a call that upstream does not know")
    lines = tuple(f"{line} ({number} times)" for line, number in sorted(Counter(wrong).items()))
    return Reconciliation(
        answered, dict(sorted(on_record.items())), dict(sorted(without_record.items())), lines
    )


def complaints(
    call: UpstreamCall, request: SentRequest | None, record: RecordedCall | None, begun: int
) -> list[str]:
    """What is wrong with a call upstream, its request, which began `begun` calls, and its
    record."""
    wrong = []
    if not call.ended:
        wrong.append(f"a call upstream is live ({request.outcome if request else 'no request'})")
    if request is None:
        wrong.append("a call upstream that no request began")
    elif begun > 1:
        wrong.append(f"one offer began {begun} calls")
    elif request.status == 201:
        if record is None:
            wrong.append("a call was answered and is not on record")
    elif request.outcome not in ORPHANING:
        wrong.append(f"a call began, and its request got {request.outcome}")
    return wrong


def record_complaints(
    recorded: Mapping[str, RecordedCall], calls: Mapping[str, UpstreamCall]
) -> list[str]:
    wrong = []
    for record in recorded.values():
        if record.call_id not in calls:
            wrong.append("a record of a call that upstream does not know")
        if not record.ended_by:
            wrong.append("a record is live")
    return wrong


def overdue_calls(
    upstream: Iterable[UpstreamCall], journal: Journal, limit: float, late: float
) -> list[str]:
    """Complains of calls that went on `late` seconds or more after their limit, though nothing that
    their end needs was unavailable."""
    found = sum(
        call.last_live > call.began + limit + late
        and not journal.anything_unavailable(call.began + limit - EARLY, call.last_live)
        for call in upstream
    )
    return [f"{found} calls went on after their limit"] if found else []


def unobserved_calls(
    upstream: Iterable[UpstreamCall], journal: Journal, unobserved: Sequence[str]
) -> list[str]:
    """Complains of calls that were never observed, though nothing that an observer needs was
    unavailable."""
    found = sum(
        call.id in unobserved and not journal.anything_unavailable(call.began, call.last_live)
        for call in upstream
    )
    return [f"{found} conversations were never observed"] if found else []
