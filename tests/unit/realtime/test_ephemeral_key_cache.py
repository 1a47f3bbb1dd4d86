from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.config.profiles import Profile
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.problems import Problem
from shared.realtime.ephemeral_key_cache import EphemeralKeyCache
from shared.realtime.ephemeral_keys import EphemeralKey

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ONE, TWO = (Profile(name, {"type": "realtime", "model": "m"}) for name in ("one", "two"))


class World:
    def __init__(self, granted: timedelta | None = None) -> None:
        self.now = START
        self.granted = granted
        self.minted: list[tuple[str, timedelta]] = []
        self.background: list[Callable[[], None]] = []
        self.keys = EphemeralKeyCache(
            self.mint_key, clock=lambda: self.now, spawn=self.background.append
        )

    def mint_key(self, profile: Profile, life: timedelta) -> EphemeralKey:
        self.minted.append((profile.name, life))
        return EphemeralKey(f"ek_{len(self.minted)}", self.now + (self.granted or life))


def test_one_key_per_profile_serves_many_calls() -> None:
    world = World()
    assert [world.keys.key(one).value for one in (ONE, ONE, TWO, ONE)] == [
        "ek_1",
        "ek_1",
        "ek_2",
        "ek_1",
    ]


def test_the_key_is_renewed_before_it_ends_and_never_given_at_its_end() -> None:
    world = World()
    life = world.keys.key(ONE).expires_at - START
    world.now = START + life - 4 * MINUTE
    assert world.keys.key(ONE).value == "ek_1"
    for renewal in world.background:
        renewal()
    assert world.keys.key(ONE).value == "ek_2"
    late = World()
    late.keys.key(ONE)
    late.now = START + life - timedelta(seconds=10)
    assert late.keys.key(ONE).value == "ek_2"


def test_the_life_that_upstream_grants_counts_and_not_the_requested_one() -> None:
    world = World(granted=2 * MINUTE)
    world.keys.key(ONE)
    world.now = START + 2 * MINUTE
    assert world.keys.key(ONE).value == "ek_2"


def test_a_dropped_key_is_replaced() -> None:
    world = World()
    world.keys.drop_key(ONE, world.keys.key(ONE))
    assert world.keys.key(ONE).value == "ek_2"


def test_a_caller_waits_for_anothers_mint_no_longer_than_its_own_deadline() -> None:
    minting, done = threading.Event(), threading.Event()

    def mint(_: Profile, life: timedelta) -> EphemeralKey:
        minting.set()
        done.wait()
        return EphemeralKey("ek_1", datetime.now(UTC) + life)

    keys = EphemeralKeyCache(mint, clock=lambda: datetime.now(UTC))
    first = threading.Thread(target=keys.key, args=(ONE,))
    first.start()
    minting.wait()
    try:
        with exchange_terms(Deadline.after(timedelta(0))), pytest.raises(Problem) as problem:
            keys.key(ONE)
        assert problem.value.code == "upstream_timeout"
    finally:
        done.set()
        first.join()
