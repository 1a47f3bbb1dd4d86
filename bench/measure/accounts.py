"""How many calls a day several accounts refuse, by their number and quota. Simulated, seeded."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from bench.harness.processes import ROOT
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


DEPENDS_ON = (
    *("bench/measure/accounts.py", "bench/simulation/accounts.py", "bench/simulation/day.py"),
    *("bench/simulation/traffic.py", "shared/upstream/endpoints.py", "tests/infra/arithmetic.py"),
)
"""All that a day comes of. It is seeded, so the same code has the same days on every machine."""


def fingerprint() -> str:
    whole = hashlib.sha256()
    for file in DEPENDS_ON:
        whole.update((ROOT / file).read_bytes())
    return whole.hexdigest()[:16]


async def run(
    log: Log, recorded: Mapping[str, Any], groups: Sequence[Group] = GROUPS
) -> dict[str, Any]:
    """All groups, and the largest number of accounts of each with a region gone for an hour. As
    many days at once as there are cores; none where `recorded` are those of the same code."""
    if recorded.get("code") == fingerprint():
        log("  as recorded: nothing that it depends on has changed")
        return dict(recorded)
    loop = asyncio.get_running_loop()
    days: dict[Group, list[asyncio.Future[dict[str, Any]]]] = {}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for group in sorted(groups, key=lambda one: one.calls, reverse=True):
            wanted = [partial(measure_row, group, number) for number in group.accounts]
            wanted.append(partial(measure_outage, group))
            days[group] = [loop.run_in_executor(pool, one) for one in wanted]
        found = []
        for group in groups:
            *rows, outage = await asyncio.gather(*days[group])
            found.append(assemble(group, rows, outage))
            log(f"  {group.calls:,} calls a day over accounts of {group.tokens:,} tokens a minute")
    return {"groups": found, "code": fingerprint()}


def measure_group(group: Group) -> dict[str, Any]:
    """One group, one day after another."""
    rows = [measure_row(group, number) for number in group.accounts]
    return assemble(group, rows, measure_outage(group))


def assemble(
    group: Group, rows: Sequence[Mapping[str, Any]], outage: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "calls": group.calls,
        "tokens": group.tokens,
        "tokens_a_minute": tokens_a_minute(starts_of(group.calls)),
        "rows": list(rows),
        "outage": dict(outage),
    }


def measure_row(group: Group, number: int) -> dict[str, Any]:
    """A day over so many accounts, in three ways."""
    starts = starts_of(group.calls)
    alone = Plan(number, group.quota, failover=False)
    together = replace(alone, failover=True)
    limit = int(number * group.tokens / tokens_a_minute(starts))
    return {
        "accounts": number,
        "alone": shares(simulate(starts, alone)),
        "failover": shares(simulate(starts, together)),
        "limit": limit,
        "limited": shares(simulate(starts, replace(together, most_at_once=limit))),
    }


def measure_outage(group: Group) -> dict[str, Any]:
    """A day over the largest number of accounts, one of them gone for an hour."""
    starts = starts_of(group.calls)
    largest = Plan(group.accounts[-1], group.quota, failover=False, outage=OUTAGE)
    return {
        "accounts": largest.accounts,
        "alone": shares(simulate(starts, largest)),
        "failover": shares(simulate(starts, replace(largest, failover=True))),
    }


@lru_cache(maxsize=1)
def starts_of(calls: int) -> Sequence[Start]:
    return starts_of_day(calls, SEED)


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
