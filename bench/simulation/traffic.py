"""A day's calls as they come: when each starts, whose it is, how long it goes on. Seeded. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random

from tests.infra.arithmetic import Conversation

SECONDS = 86_400
PEAK = 5.0
"""The busiest moment over the day's mean, as docs/scale.md assumes."""
BUSIEST = 43_200
"""The second of the peak."""
TURN_SECONDS = 30
MEAN_TURNS = 10
MOST_TURNS = 30
"""LIMIT_CALL_SECONDS, by default."""
SHAPE = 4.0
"""Of the gamma distribution of lengths: half of the mean is the standard deviation."""
CALLS_A_CALLER = 3


@dataclass(frozen=True, slots=True)
class Start:
    """`turns` have `TURN_SECONDS` each. `caller` is a hash, as the broker has it."""

    second: int
    caller: str
    turns: int


def tokens_of_turn(turn: int) -> int:
    """What the turn takes off the quota; the first is 1. Each reads the whole call again."""
    return tokens_of_call(turn) - tokens_of_call(turn - 1)


@cache
def tokens_of_call(turns: int) -> int:
    return Conversation(turns=turns).tokens


@cache
def sharpness() -> float:
    """How narrow the day's hump is, so that its top is `PEAK` times the mean."""
    low, high = 0.0, 50.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        mean = sum(density(second, middle) for second in range(0, SECONDS, 60)) / (SECONDS // 60)
        low, high = (middle, high) if 1 / mean < PEAK else (low, middle)
    return low


def density(second: int, sharp: float) -> float:
    """How many calls start in a second, relative to the busiest."""
    return math.exp(sharp * (math.cos(2 * math.pi * (second - BUSIEST) / SECONDS) - 1))


def starts_of_day(calls: int, seed: str) -> list[Start]:
    """So many starts, in order."""
    # A seeded generator is what makes the result repeatable; nothing here is secret.
    chance = Random(f"{seed} {calls}")
    callers = [f"{chance.getrandbits(128):032x}" for _ in range(max(1, calls // CALLS_A_CALLER))]
    rate = list(accumulate(density(second, sharpness()) for second in range(SECONDS)))
    seconds = sorted(chance.choices(range(SECONDS), cum_weights=rate, k=calls))
    return [Start(second, chance.choice(callers), turns_of_call(chance)) for second in seconds]


def turns_of_call(chance: Random) -> int:
    """As many as a call has."""
    turns = round(chance.gammavariate(SHAPE, MEAN_TURNS / SHAPE))
    return min(max(1, turns), MOST_TURNS)
