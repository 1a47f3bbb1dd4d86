"""The simulation of calls over several accounts: its traffic, its quotas, what failover does."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest

from bench.measure.accounts import GROUPS, Group, fingerprint, measure_group, run, tokens_a_minute
from bench.recorded import RESULTS, rounded
from bench.report.render import pictures, report
from bench.simulation.accounts import Account, Calls, Quota
from bench.simulation.day import Outage, Outcome, Plan, simulate
from bench.simulation.traffic import (
    BUSIEST,
    MOST_TURNS,
    PEAK,
    SECONDS,
    TURN_SECONDS,
    starts_of_day,
    tokens_of_turn,
)
from tests.infra.arithmetic import Conversation, Day

ROOMY = Quota(10_000_000, 20_000)
FIRST_TIER = Quota(100_000, 200)
STARTS = starts_of_day(3000, "test")


def test_a_day_has_its_calls_its_peak_and_its_lengths() -> None:
    assert len(STARTS) == 3000
    assert list(STARTS) == sorted(STARTS, key=lambda start: start.second)
    assert starts_of_day(3000, "test") == STARTS != starts_of_day(3000, "other")
    of_hour = Counter(start.second // 3600 for start in STARTS)
    assert max(of_hour.values()) / (3000 / 24) == pytest.approx(PEAK, rel=0.1)
    turns = [start.turns for start in STARTS]
    assert sum(turns) / len(turns) == pytest.approx(10, rel=0.03)
    assert (min(turns), max(turns) <= MOST_TURNS) == (1, True)


def test_a_call_takes_what_the_arithmetic_says_and_unequal_ones_take_more() -> None:
    assert sum(map(tokens_of_turn, range(1, 11))) == Conversation().tokens == 28_500
    assert tokens_a_minute(STARTS) == pytest.approx(6_800, rel=0.03)
    busiest = simulate(STARTS, Plan(1, ROOMY, failover=False)).most_at_once
    # A few more than on average at the peak: they come at random.
    assert 1 < busiest / Day(3000).live < 1.4


def test_an_account_refuses_until_its_minute_is_over() -> None:
    calls = Calls([Account(Quota(2_000, 100), phase=7)])
    [account] = calls.accounts
    calls.begin(0, 3, 7, Random("any"))
    account.tokens = 2_000
    assert [account.has_room] == [False]
    assert account.seconds_to_room(7) == 60
    assert account.seconds_to_room(66) == 1
    for second in range(8, 67):
        calls.go_on(second)
    assert (calls.answers, calls.failed) == (2, 2)
    account.start_window()
    assert account.has_room
    assert account.requests == 0


def test_a_call_ends_after_its_turns() -> None:
    calls = Calls([Account(ROOMY, phase=0)])
    calls.begin(0, 10, 0, Random("any"))
    for second in range(10 * TURN_SECONDS + 1):
        calls.go_on(second)
    assert (calls.answers, calls.failed, calls.at_once) == (10, 0, 0)
    assert calls.accounts[0].tokens == 28_500


def share(outcome: Outcome) -> float:
    return outcome.refused / outcome.calls


def test_failover_takes_what_another_account_has_room_for() -> None:
    alone = simulate(STARTS, Plan(4, FIRST_TIER, failover=False))
    together = simulate(STARTS, Plan(4, FIRST_TIER, failover=True))
    assert (alone.calls, together.calls, alone.asked) == (3000, 3000, 3000)
    assert share(alone) > 0.02
    assert share(together) < share(alone) / 10
    # It makes no quota: calls under way get fewer answers.
    assert together.failed / together.answers > alone.failed / alone.answers


def test_a_total_limit_keeps_the_quota_for_calls_under_way() -> None:
    open_to_all = Plan(2, FIRST_TIER, failover=True)
    limited = simulate(STARTS, Plan(2, FIRST_TIER, failover=True, most_at_once=29))
    assert limited.most_at_once == 29
    assert limited.failed < simulate(STARTS, open_to_all).failed / 2


def test_a_region_that_is_gone_takes_only_its_running_calls() -> None:
    outage = Outage(account=1, second=BUSIEST - 1800, seconds=3600)
    alone = simulate(STARTS, Plan(4, ROOMY, failover=False, outage=outage))
    together = simulate(STARTS, Plan(4, ROOMY, failover=True, outage=outage))
    in_the_hour = sum(0 <= start.second - outage.second < 3600 for start in STARTS)
    assert alone.refused / in_the_hour == pytest.approx(1 / 4, rel=0.25)
    assert together.refused == 0
    # One failed attempt a cool-down and broker, not one a caller.
    assert together.asked - together.calls < alone.refused
    assert 0 < together.lost < 3000 * PEAK * 300 / SECONDS / 2
    assert together.failed == 0


def test_the_report_has_a_table_and_a_picture() -> None:
    found = {"accounts": {"groups": [measure_group(Group(300, 100_000, (2,)))]}}
    text = report(found)
    assert "| 300 | 100 thousand | 2 |" in text
    assert "| 300 | 2 of 100 thousand |" in text
    [(name, picture)] = pictures(found).items()
    assert name == "bench-accounts.svg"
    assert "2, failover" in picture
    assert "300 calls a day, accounts of 100 thousand TPM" in picture


def test_the_recorded_results_are_what_the_brokers_choice_gives_today() -> None:
    recorded = json.loads((RESULTS / "latest.json").read_text())["accounts"]["groups"]
    assert [(one["calls"], one["tokens"]) for one in recorded] == [
        (group.calls, group.tokens) for group in GROUPS
    ]
    assert rounded(measure_group(GROUPS[0])) == recorded[0]


async def test_days_of_the_same_code_are_not_simulated_again() -> None:
    recorded = {"groups": [{"calls": 1}], "code": fingerprint(), "commit": "abc1234"}
    assert await run(lambda _: None, recorded) == recorded
    found = await run(lambda _: None, {**recorded, "code": "other"}, [Group(300, 100_000, (2,))])
    assert found == {"groups": [measure_group(Group(300, 100_000, (2,)))], "code": fingerprint()}
