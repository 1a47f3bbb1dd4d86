"""Requests, the model's endpoint and the records, compared call by call. Pure.

Each offer carries its request's number as its session id, so a call upstream belongs to exactly one
request. The three must agree:

- a request that was answered with 201 began one call upstream, which is on record, and has ended;
- any other request began none, unless its answer may have been lost on the way (`ORPHANING`);
- a call that a page began with a key is on record if it was registered, and only then;
- every record is of one call upstream, or of an id that a page made up while it had a key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.soak.journal import NO_ANSWER, PENDING, WITH_KEY, Journal, SentRequest

ORPHANING = frozenset(
    {NO_ANSWER, "504 upstream_timeout", "502 upstream_unreachable", "503 storage_unavailable"}
)
"""After these a call may have begun that its caller never heard of: the host died, the answer to
the offer was late or cut off, or what a call needs could not be written (it is then hung up)."""

REGISTRATIONS = frozenset({"register", "register more", "made-up id with a key"})
"""Kinds of requests that are answered 201 without an offer."""
UNUSABLE = "502 upstream_failed"
"""After this a call may have begun whose answer is of no use. It is then hung up."""
HUNG_UP = "hung up over REST"
"""Why the emulator says that such a call has ended."""
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
    """A call on record; `ended_by` is empty while it is live. `ended_at` is by the clock of the
    journal, give or take what the hosts' clocks are wrong."""

    id: str
    call_id: str
    ended_by: str
    ended_at: float = PENDING


@dataclass(frozen=True, slots=True)
class Claimed:
    """What pages registered: `made_up` are ids that no call has, each registered with a key;
    `calls` are calls that they began with a key, with the outcome of each registration."""

    made_up: frozenset[str] = frozenset()
    calls: Mapping[str, frozenset[str]] = field(default_factory=dict)


NOTHING_CLAIMED = Claimed()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How many calls were answered; how many pages began with a key, on record or not; how many
    were hung up because their answer was of no use; records of made-up ids; orphaned calls, by the
    outcome of their request, with and without a record; and what does not agree."""

    answered: int
    with_key_on_record: int
    with_key_unseen: int
    unusable_hung_up: int
    made_up_on_record: int
    orphans_on_record: dict[str, int]
    orphans_without_record: dict[str, int]
    inconsistencies: tuple[str, ...]


def reconcile(
    requests: Sequence[SentRequest],
    upstream: Iterable[UpstreamCall],
    records: Iterable[RecordedCall],
    claimed: Claimed = NOTHING_CLAIMED,
) -> Reconciliation:
    """Compares the three."""
    by_number = {str(request.number): request for request in requests}
    calls = {call.id: call for call in upstream}
    recorded = {record.call_id: record for record in records}
    begun = Counter(call.session_id for call in calls.values())
    on_record: Counter[str] = Counter()
    without_record: Counter[str] = Counter()
    with_key: Counter[bool] = Counter()
    unusable: Counter[bool] = Counter()
    answered, wrong = 0, []
    for call in calls.values():
        request, record = by_number.get(call.session_id), recorded.get(call.id)
        wrong += complaints(call, request, record, begun[call.session_id])
        if request is None or begun[call.session_id] > 1:
            continue
        if request.kind == WITH_KEY:
            with_key[record is not None] += 1
            wrong += registration_complaints(record, claimed.calls.get(call.id, frozenset()))
        elif request.status == 201:
            answered += 1
        elif request.outcome == UNUSABLE:
            unusable[call.ended == HUNG_UP] += 1
        elif request.outcome in ORPHANING:
            (without_record if record is None else on_record)[request.outcome] += 1
    wrong += record_complaints(recorded, calls, claimed.made_up)
    unknown = sum(
        request.status == 201
        and not begun[str(request.number)]
        and request.kind not in REGISTRATIONS
        for request in requests
    )
    if unknown:
        wrong.append(f"{unknown} requests were answered with a call that upstream does not know")
    if unusable[False] > max(1, unusable[True]):
        # A hang-up may fail too; then the call ends because nobody connects to it.
        wrong.append(f"{unusable[False]} calls were left running whose answers were of no use")
    lines = tuple(f"{line} ({number} times)" for line, number in sorted(Counter(wrong).items()))
    return Reconciliation(
        answered,
        with_key[True],
        with_key[False],
        unusable[True],
        len(claimed.made_up & recorded.keys()),
        dict(sorted(on_record.items())),
        dict(sorted(without_record.items())),
        lines,
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
    elif request.kind == WITH_KEY:
        # The model's endpoint answers the page itself.
        pass
    elif request.status == 201:
        if record is None:
            wrong.append("a call was answered and is not on record")
    elif request.outcome not in ORPHANING | {UNUSABLE}:
        wrong.append(f"a call began, and its request got {request.outcome}")
    return wrong


def registration_complaints(record: RecordedCall | None, outcomes: frozenset[str]) -> list[str]:
    """What is wrong with a call that a page began with a key, given the outcomes of its
    registrations."""
    if record is None and "201" in outcomes:
        return ["a call was registered and is not on record"]
    if record is not None and not outcomes & {"201", *ORPHANING}:
        return ["a call that nobody registered is on record"]
    return []


def record_complaints(
    recorded: Mapping[str, RecordedCall], calls: Mapping[str, UpstreamCall], made_up: frozenset[str]
) -> list[str]:
    wrong = []
    for record in recorded.values():
        if record.call_id not in calls and record.call_id not in made_up:
            wrong.append("a record of a call that upstream does not know")
        if not record.ended_by:
            wrong.append("a record is live")
    return wrong


def overdue_calls(
    upstream: Iterable[UpstreamCall],
    on_record: Container[str],
    journal: Journal,
    limit: float,
    late: float,
) -> list[str]:
    """Complains of calls on record that went on `late` seconds or more after their limit, though
    nothing that their end needs was unavailable."""
    found = sum(
        call.id in on_record
        and call.last_live > call.began + limit + late
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
        call.id in unobserved
        and not journal.anything_unavailable(call.began, call.last_live, "sidebands")
        for call in upstream
    )
    return [f"{found} conversations were never observed"] if found else []
