"""Whether limits held for every caller, hostile or not, and no call was let go of early. Pure.

What counts is what storage must have counted: from a call's beginning until it was last seen live,
and for a key from its answer until the longest call that it can start is over. The hosts correct
their clocks to about two seconds, so a booking may expire `SKEW` seconds early (docs/scale.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from tests.soak.journal import NO_ANSWER, SentRequest
from tests.soak.reconciliation import EARLY, HUNG_UP, REGISTRATIONS, RecordedCall, UpstreamCall

SKEW = 3.0
SLACK = 2.0
"""Seconds that a request, or a look at the emulator, may take."""
KEYS = frozenset({"token", "hostile key"})
Interval = tuple[float, float]


def counted_intervals(
    requests: Iterable[SentRequest],
    upstream: Iterable[UpstreamCall],
    call_seconds: float,
    key_seconds: float,
) -> dict[str, list[Interval]]:
    """When each user's calls and keys counted. A registered call counts as the key that began
    it."""
    found: dict[str, list[Interval]] = defaultdict(list)
    by_number = {}
    for request in requests:
        by_number[str(request.number)] = request
        if request.kind in KEYS and request.status == 200:
            until = request.began + key_seconds + call_seconds - SKEW
            found[request.user].append((request.ended, until))
    for call in upstream:
        begun_by = by_number.get(call.session_id)
        if begun_by is not None and begun_by.user and begun_by.status == 201:
            until = min(call.last_live, call.began + call_seconds - SKEW)
            found[begun_by.user].append((call.began, until))
    return found


def most_at_once(intervals: Iterable[Interval]) -> int:
    """How many overlap, at most."""
    changes: Counter[tuple[float, int]] = Counter()
    for since, until in intervals:
        if since < until:
            changes[since, 1] += 1
            changes[until, -1] += 1
    most = now = 0
    # Of changes at the same moment, ends come first.
    for (_, change), number in sorted(changes.items()):
        now += change * number
        most = max(most, now)
    return most


def callers_over_limit(intervals: Mapping[str, list[Interval]], limit: int) -> list[str]:
    """Complains of callers who had more live calls and keys at once than the limit."""
    over = {user: most for user, each in intervals.items() if (most := most_at_once(each)) > limit}
    return [
        f"{user} had {most} live calls and keys at once, with a limit of {limit}"
        for user, most in sorted(over.items())
    ]


def keys_used_twice(requests: Sequence[SentRequest]) -> list[str]:
    """Complains of callers who registered more calls than they had keys; a key whose answer was
    lost counts as one."""
    keys: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for request in requests:
        if request.kind in KEYS and request.outcome in ("200", NO_ANSWER):
            keys[request.user] += 1
        calls[request.user] += request.kind in REGISTRATIONS and request.status == 201
    return [
        f"{user} registered {number} calls with {keys[user]} keys"
        for user, number in sorted(calls.items())
        if number > keys[user]
    ]


def calls_let_go(
    upstream: Iterable[UpstreamCall], records: Iterable[RecordedCall], answered: Collection[str]
) -> list[str]:
    """Complains of calls that went on after their record said that they were over. `answered` are
    the ids of the calls that callers know."""
    ends = {record.call_id: record for record in records if record.ended_by}
    reasons = Counter(
        ends[call.id].ended_by
        for call in upstream
        if call.id in answered
        and call.id in ends
        and call.last_live > ends[call.id].ended_at + SKEW + SLACK
    )
    return [
        f"{number} calls went on after their record had ended ({reason})"
        for reason, number in sorted(reasons.items())
    ]


def hung_up_by_others(
    upstream: Iterable[UpstreamCall],
    records: Iterable[RecordedCall],
    attacked: Collection[str],
    asked: Mapping[str, float],
    limit: float,
) -> list[str]:
    """Complains of calls that others tried to take over, and that were hung up before their limit
    though their own callers did not ask for it. `asked` says when each call of those who did not
    was asked for, by its session id: its limit counts from then on, or a little later."""
    ended_by = {record.call_id: record.ended_by for record in records}
    reasons = Counter(
        ended_by.get(call.id, "no record")
        for call in upstream
        if call.id in attacked
        and call.ended == HUNG_UP
        and call.session_id in asked
        and call.last_live < asked[call.session_id] + limit - EARLY - SKEW
    )
    return [
        f"{number} calls that another page tried to register were hung up ({reason})"
        for reason, number in sorted(reasons.items())
    ]
