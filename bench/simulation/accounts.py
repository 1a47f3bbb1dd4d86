"""Accounts with a quota each, and what a day's calls meet there. Pure.

An account counts requests and tokens and starts anew each minute; while either is used up it
answers 429 until then, to starts and to the answers of calls that are under way alike. That is what
Microsoft documents of deployments ("a running token count … that is reset each minute"); for
realtime it was not measured.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from random import Random

from bench.simulation.traffic import TURN_SECONDS, tokens_of_turn

WINDOW = 60


@dataclass(frozen=True, slots=True)
class Quota:
    """What an account grants in a minute."""

    tokens: int
    requests: int


@dataclass(slots=True)
class Account:
    """One account. `phase` is the second of the minute in which its counters start anew. A
    region that is `gone` answers nothing; its calls die, which `lives` tells from later ones."""

    quota: Quota
    phase: int
    tokens: int = 0
    requests: int = 0
    live: int = 0
    lives: int = 0
    gone: bool = False

    def start_window(self) -> None:
        """Counts from zero: the minute is over."""
        self.tokens = self.requests = 0

    @property
    def has_room(self) -> bool:
        return self.tokens < self.quota.tokens and self.requests < self.quota.requests

    def seconds_to_room(self, second: int) -> int:
        """`Retry-After` of a refusal."""
        return WINDOW - (second - self.phase) % WINDOW


@dataclass(frozen=True, slots=True)
class Turn:
    """The next turn of some call at an account; calls that have as much before them share it."""

    account: int
    life: int
    tokens: int
    following: Turn | None


@cache
def turns_before(account: int, life: int, turn: int, turns: int) -> Turn | None:
    """A call's turns from the one of that number on."""
    if turn > turns:
        return None
    following = turns_before(account, life, turn + 1, turns)
    return Turn(account, life, tokens_of_turn(turn), following)


@dataclass(slots=True)
class Calls:
    """The calls under way, by the second of their next turn."""

    accounts: list[Account]
    answers: int = 0
    failed: int = 0
    lost: int = 0
    at_once: int = 0
    most_at_once: int = 0
    due: dict[int, list[Turn]] = field(default_factory=lambda: defaultdict(list))
    ends: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def begin(self, number: int, turns: int, second: int, chance: Random) -> None:
        """A call is admitted by the account of that number."""
        account = self.accounts[number]
        account.requests += 1
        account.live += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        first = turns_before(number, account.lives, 1, turns)
        if first is not None:
            self.due[second + chance.randrange(1, TURN_SECONDS)].append(first)
        self.ends[second + turns * TURN_SECONDS].append((number, account.lives))

    def lose(self, number: int) -> None:
        """A region goes, and its calls with it."""
        account = self.accounts[number]
        account.gone = True
        account.lives += 1
        self.lost += account.live
        self.at_once -= account.live
        account.live = 0

    def go_on(self, second: int) -> None:
        """The turns and the ends that are due."""
        for number, life in self.ends.pop(second, ()):
            if self.accounts[number].lives == life:
                self.accounts[number].live -= 1
                self.at_once -= 1
        turns = self.due.pop(second, ())
        later = self.due[second + TURN_SECONDS] if turns else []
        for turn in turns:
            account = self.accounts[turn.account]
            if account.lives != turn.life:
                continue
            self.answers += 1
            # As `has_room`, which is too slow for ten million turns.
            quota = account.quota
            if account.tokens < quota.tokens and account.requests < quota.requests:
                account.tokens += turn.tokens
                account.requests += 1
            else:
                self.failed += 1
            if turn.following is not None:
                later.append(turn.following)
