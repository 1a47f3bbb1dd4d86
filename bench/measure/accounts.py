"""How many calls a day several accounts refuse, by their number and quota. Simulated, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.simulation.accounts import Quota
from bench.simulation.day import Outage, Outcome, Plan, simulate
from bench.simulation.traffic import BUSIEST, TURN_SECONDS, Start, starts_of_day, tokens_of_call

if TYPE_CHECKING:
    from bench.contenders.servers import Log

SEED = "calls over several accounts"
TOKENS_A_REQUEST = 500
"""In a quota of gpt-realtime, whatever its size: 200 requests to 100 thousand tokens."""


@dataclass(frozen=True, slots=True)
class Group:
    """Days of so many calls over different numbers of accounts of `tokens` a minute each."""

    calls: int
    tokens: int
    accounts: tuple[int, ...]

    @property
    def quota(self) -> Quota:
        return Quota(self.tokens, self.tokens // TOKENS_A_REQUEST)


GROUPS = (
    Group(1_000, 100_000, (1, 2, 3, 4)),
    Group(10_000, 100_000, (8, 12, 16, 24)),
    Group(10_000, 150_000, (8, 12, 16)),
    Group(100_000, 1_000_000, (8, 10, 12, 16)),
    Group(1_000_000, 10_000_000, (10, 12, 16)),
)
OUTAGE = Outage(account=0, second=BUSIEST - 1800, seconds=3600)
"""The busiest hour."""


async def run(log: Log, groups: Sequence[Group] = GROUPS) -> dict[str, Any]:
    """All groups, and the largest number of accounts of each with a region gone for an hour."""
    return {"groups": [measure_group(log, group) for group in groups]}


def measure_group(log: Log, group: Group) -> dict[str, Any]:
    starts = starts_of_day(group.calls, SEED)
    of_call = tokens_a_minute(starts)
    rows = []
    for number in group.accounts:
        alone = Plan(number, group.quota, failover=False)
        together = replace(alone, failover=True)
        limit = int(number * group.tokens / of_call)
        rows.append(
            {
                "accounts": number,
                "alone": shares(simulate(starts, alone)),
                "failover": shares(simulate(starts, together)),
                "limit": limit,
                "limited": shares(simulate(starts, replace(together, most_at_once=limit))),
            }
        )
        log(f"  {group.calls:,} calls a day over {number} of {group.tokens:,} tokens a minute")
    largest = Plan(group.accounts[-1], group.quota, failover=False, outage=OUTAGE)
    outage = {
        "accounts": largest.accounts,
        "alone": shares(simulate(starts, largest)),
        "failover": shares(simulate(starts, replace(largest, failover=True))),
    }
    return {
        "calls": group.calls,
        "tokens": group.tokens,
        "tokens_a_minute": of_call,
        "rows": rows,
        "outage": outage,
    }


def tokens_a_minute(starts: Sequence[Start]) -> float:
    """What a call takes off the quota, on average."""
    tokens = sum(tokens_of_call(start.turns) for start in starts)
    return tokens / (sum(start.turns for start in starts) * TURN_SECONDS / 60)


def shares(outcome: Outcome) -> dict[str, float]:
    """Shares of the day's calls: refused; asked for more than once an account; and of the answers
    that calls under way wanted, those that failed."""
    return {
        "refused": outcome.refused / outcome.calls,
        "failed": outcome.failed / max(1, outcome.answers),
        "asked": outcome.asked / outcome.calls,
        "lost": outcome.lost,
        "most_at_once": outcome.most_at_once,
    }
