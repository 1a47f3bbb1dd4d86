"""One day: every start asks the accounts as the broker does, with its own code. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from random import Random

from bench.simulation.accounts import WINDOW, Account, Calls, Quota
from bench.simulation.traffic import SECONDS, Start
from shared.upstream.endpoints import QUOTA, UNREACHABLE, Endpoint, Endpoints, cool_down_until

MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)
MODEL = "gpt-realtime"
INSTANCES = 4
"""Of the broker; each finds out for itself which accounts refuse."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A region that answers nothing, from a second of the day on."""

    account: int
    second: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated. Without `failover` each caller has one account, whose refusal is final.
    `most_at_once` is LIMIT_LIVE_CALLS_TOTAL."""

    accounts: int
    quota: Quota
    failover: bool
    most_at_once: int = 0
    outage: Outage | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a day's calls. `asked`: requests to accounts. `failed` are answers that calls
    under way did not get, out of `answers`. `lost` calls were under way in a region that went."""

    calls: int = 0
    refused: int = 0
    asked: int = 0
    answers: int = 0
    failed: int = 0
    lost: int = 0
    most_at_once: int = 0


class RankedEndpoints(Endpoints):
    """The broker's own, which remember how they rank for each caller: that never changes, and takes
    most of a day's time."""

    def __init__(self, number: int) -> None:
        super().__init__(Endpoint(name) for name in names_of(number))
        self.ranks = ranks_of(number)

    def ranked(self, caller_hash: str, model: str) -> Sequence[Endpoint]:
        known = self.ranks.get(caller_hash)
        if known is None:
            known = self.ranks[caller_hash] = tuple(super().ranked(caller_hash, model))
        return known


@cache
def names_of(number: int) -> tuple[str, ...]:
    return tuple(f"account-{each}" for each in range(number))


@lru_cache(maxsize=1)
def ranks_of(number: int) -> dict[str, tuple[Endpoint, ...]]:
    """By caller; shared by the days over that `number` of accounts, one after another."""
    del number
    return {}


@dataclass(slots=True)
class Simulation:
    """One day under way."""

    plan: Plan
    names: Sequence[str] = field(init=False)
    numbers: dict[str, int] = field(init=False)
    accounts: list[Account] = field(init=False)
    by_phase: list[list[Account]] = field(init=False)
    brokers: list[Endpoints] = field(init=False)
    calls: Calls = field(init=False)
    chance: Random = field(init=False)
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        number = self.plan.accounts
        self.chance = Random(f"{number} accounts")
        self.names = names_of(number)
        self.numbers = {name: each for each, name in enumerate(self.names)}
        self.accounts = [
            Account(self.plan.quota, self.chance.randrange(WINDOW)) for _ in self.names
        ]
        self.by_phase = [
            [account for account in self.accounts if account.phase == phase]
            for phase in range(WINDOW)
        ]
        self.brokers = [RankedEndpoints(number) for _ in range(INSTANCES)]
        self.calls = Calls(self.accounts)

    def advance(self, second: int) -> None:
        """A second of the world outside the broker."""
        for account in self.by_phase[second % WINDOW]:
            account.start_window()
        if outage := self.plan.outage:
            if second == outage.second:
                self.calls.lose(outage.account)
            elif second == outage.second + outage.seconds:
                self.accounts[outage.account].gone = False
        self.calls.go_on(second)

    def start(self, start: Start, now: datetime) -> None:
        """A caller asks for a call."""
        self.outcome.calls += 1
        limit = self.plan.most_at_once
        if limit and self.calls.at_once >= limit:
            self.outcome.refused += 1
            return
        broker = self.chance.choice(self.brokers)
        for number in self.asked(broker, start.caller, now):
            self.outcome.asked += 1
            account = self.accounts[number]
            if not account.gone and account.has_room:
                self.calls.begin(number, start.turns, start.second, self.chance)
                if self.plan.failover:
                    broker.recovered(self.names[number])
                return
            if self.plan.failover:
                self.leave_alone(broker, number, start.second, now)
        self.outcome.refused += 1

    def asked(self, broker: Endpoints, caller: str, now: datetime) -> Iterator[int]:
        """The accounts that a start may go to, in order."""
        if not self.plan.failover:
            yield self.numbers[broker.ranked(caller, MODEL)[0].name]
            return
        for endpoint in broker.choose(caller, MODEL, now):
            yield self.numbers[endpoint.name]

    def leave_alone(self, broker: Endpoints, number: int, second: int, now: datetime) -> None:
        """An account has refused a start, or does not answer."""
        account, name = self.accounts[number], self.names[number]
        if account.gone:
            until = cool_down_until(UNREACHABLE, now, None)
            broker.cool_down(name, until, UNREACHABLE)
            return
        wait = timedelta(seconds=account.seconds_to_room(second))
        broker.cool_down(name, cool_down_until(QUOTA, now, wait), QUOTA, MODEL)


def simulate(starts: Sequence[Start], plan: Plan) -> Outcome:
    """What becomes of a day's `starts`, which are in order."""
    day = Simulation(plan)
    coming = iter(starts)
    start = next(coming, None)
    for second in range(SECONDS):
        day.advance(second)
        while start is not None and start.second == second:
            day.start(start, MIDNIGHT + timedelta(seconds=second))
            start = next(coming, None)
    calls, outcome = day.calls, day.outcome
    outcome.answers, outcome.failed = calls.answers, calls.failed
    outcome.lost, outcome.most_at_once = calls.lost, calls.most_at_once
    return outcome
