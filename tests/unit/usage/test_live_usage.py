"""What a Live call has used: of snapshots the largest counts, of responses each one once, and
fifteen seconds always."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.usage.counted_models import MOST_MODELS
from shared.usage.live_usage import (
    MOST_SECONDS,
    LiveUsage,
    LiveUsageCounter,
    model_at_tier,
    usage_of_backend,
)
from shared.usage.price_files import load_prices
from shared.usage.tokens import Usage

# As recorded: the first and the second response of a delegated tool round.
FIRST: Final[dict[str, Any]] = {
    "input_tokens": 805,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 19,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 824,
}
CACHED: Final[dict[str, Any]] = {
    "input_tokens": 5_000,
    "input_tokens_details": {"cached_tokens": 3_000, "cache_write_tokens": 1_500},
    "output_tokens": 20,
}


def counter_of(*snapshots: float) -> LiveUsageCounter:
    counter = LiveUsageCounter()
    for seconds in snapshots:
        counter.count_snapshot({"seconds": seconds})
    return counter


@given(st.permutations([14.0, 28.0, 42.0, 55.5]), st.integers(0, 3))
def test_snapshots_are_sums_and_the_largest_counts(told: list[float], again: int) -> None:
    usage = counter_of(*told, *told[:again]).live_usage()
    assert (usage.seconds, usage.is_final) == (55.5, False)
    assert usage.time_counts() == {"seconds": 55.5, "active_seconds": 55.5, "paused_seconds": 0.0}


def test_a_snapshot_says_whether_it_told_anything_new() -> None:
    counter = LiveUsageCounter()
    assert counter.count_snapshot({"seconds": 63.0})
    assert not counter.count_snapshot({"seconds": 63.0})
    assert not counter.count_snapshot({"seconds": 60.0, "paused_seconds": 0})
    assert counter.count_snapshot({"seconds": 63.0}, final=True)
    assert not counter.count_snapshot({"seconds": 63.0}, final=True)


def test_a_session_costs_fifteen_seconds_also_if_nobody_talks() -> None:
    assert LiveUsageCounter().live_usage() == LiveUsage(15.0)
    counter = counter_of(14.0)
    counter.count_snapshot({"seconds": 15.0}, final=True)
    assert counter.live_usage() == LiveUsage(15.0, is_final=True)


def test_pauses_are_part_of_the_seconds() -> None:
    counter = LiveUsageCounter()
    counter.count_snapshot({"seconds": 300.0, "active_seconds": 180, "paused_seconds": 120})
    usage = counter.live_usage()
    assert (usage.seconds, usage.active_seconds, usage.paused_seconds) == (300, 180, 120)
    counter.count_snapshot({"active_seconds": 181, "paused_seconds": 140})
    assert counter.live_usage().seconds == 321


@pytest.mark.parametrize(
    "rubbish",
    [
        *(None, [], "60", {}, {"seconds": None}, {"seconds": "60"}, {"seconds": True}),
        *({"seconds": -1}, {"seconds": float("nan")}, {"seconds": float("inf")}),
        *({"seconds": {}}, {"usage": {"seconds": 60}}),
    ],
    ids=repr,
)
@pytest.mark.parametrize("final", [False, True])
def test_what_is_no_number_of_seconds_is_ignored(rubbish: object, final: bool) -> None:
    counter = counter_of(60.0)
    assert not counter.count_snapshot(rubbish, final=final)
    assert counter.live_usage() == LiveUsage(60.0)


def test_no_more_is_believed_than_a_session_could_last() -> None:
    counter = LiveUsageCounter()
    counter.count_snapshot({"seconds": 1e300, "paused_seconds": 1e300})
    usage = counter.live_usage()
    assert (usage.seconds, usage.paused_seconds, usage.active_seconds) == (
        MOST_SECONDS,
        MOST_SECONDS,
        0,
    )


def test_pauses_without_their_seconds_are_no_negative_time() -> None:
    counter = LiveUsageCounter()
    counter.count_snapshot({"paused_seconds": 40})
    assert counter.live_usage().active_seconds == 0


def test_where_the_end_was_not_told_the_clock_counts_and_the_rest_is_an_estimate() -> None:
    counter = counter_of(56.0)
    counter.count_snapshot({"seconds": 56.0, "paused_seconds": 20})
    counter.end_call(timedelta(seconds=65.25))
    usage = counter.live_usage()
    assert (usage.seconds, usage.estimated_seconds, usage.paused_seconds) == (65.25, 9.25, 20)
    assert usage.time_counts()["estimated_seconds"] == 9.25
    counter.count_snapshot({"seconds": 63.0}, final=True)
    assert counter.live_usage() == LiveUsage(63.0, 20.0, is_final=True)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_the_final_count_is_believed_over_a_greater_one_before(order: tuple[int, ...]) -> None:
    told = [
        ({"seconds": 95.0, "paused_seconds": 90.0}, False),
        ({"seconds": 21.5, "paused_seconds": 0}, True),
        ({"seconds": 110.0}, False),
    ]
    counter = LiveUsageCounter()
    for index in order:
        usage, final = told[index]
        counter.count_snapshot(usage, final=final)
    assert counter.live_usage() == LiveUsage(21.5, is_final=True)


def test_a_pause_longer_than_its_session_is_none() -> None:
    counter = LiveUsageCounter()
    counter.count_snapshot({"seconds": 20, "paused_seconds": 100})
    counter.count_snapshot({"seconds": 21.5}, final=True)
    assert counter.live_usage() == LiveUsage(21.5, is_final=True)


def test_the_final_count_is_no_estimate_however_long_the_clock_ran() -> None:
    counter = counter_of(56.0)
    counter.count_snapshot({"seconds": 60.5}, final=True)
    counter.end_call(timedelta(minutes=5))
    assert counter.live_usage() == LiveUsage(60.5, is_final=True)


def test_a_clock_that_ran_less_than_what_was_told_estimates_nothing() -> None:
    counter = counter_of(56.0)
    counter.end_call(timedelta(seconds=50))
    assert counter.live_usage() == LiveUsage(56.0)


def test_a_call_of_which_nothing_was_told_is_an_estimate_of_its_minimum_at_least() -> None:
    counter = LiveUsageCounter()
    counter.end_call(timedelta(seconds=4))
    assert counter.live_usage() == LiveUsage(15.0, estimated_seconds=15.0)


def test_each_response_of_delegated_work_counts_once_by_its_model() -> None:
    counter = LiveUsageCounter()
    first = usage_of_backend({"usage": FIRST})
    assert first == Usage(text_in=805, text_out=19)
    assert counter.count_response("resp_1", "gpt-5.6-sol", first)
    assert not counter.count_response("resp_1", "gpt-5.6-sol", first)
    assert counter.count_response("resp_2", "gpt-5.6-sol", Usage(text_in=846, text_out=19))
    assert counter.count_response("resp_3", "gpt-5.4-mini", Usage(text_in=10))
    usage = counter.live_usage()
    assert usage.backend == {
        "gpt-5.6-sol": Usage(text_in=1651, text_out=38),
        "gpt-5.4-mini": Usage(text_in=10),
    }
    assert usage.tokens == Usage(text_in=1661, text_out=38)


def test_cached_and_written_tokens_are_part_of_the_input() -> None:
    expected = Usage(text_in=5_000, cached_text=3_000, written_text=1_500, text_out=20)
    assert usage_of_backend({"usage": CACHED}) == expected
    assert expected.total == 5_020
    odd = {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 9}}
    assert usage_of_backend({"usage": odd}) == Usage(text_in=5, cached_text=4, written_text=1)
    rubbish: tuple[Any, ...] = (None, [], {"input_tokens": "x"})
    for nothing in rubbish:
        assert usage_of_backend({"usage": nothing}) == Usage()
    assert usage_of_backend({}) == Usage()


def test_a_page_that_names_many_models_makes_no_more_of_them() -> None:
    counter = LiveUsageCounter()
    for number in range(MOST_MODELS + 3):
        counter.count_response(f"resp_{number}", f"model-{number}", Usage(text_in=1))
    usage = counter.live_usage()
    assert len(usage.backend) == MOST_MODELS + 1
    assert usage.backend["other"] == Usage(text_in=3)
    assert usage.tokens.text_in == MOST_MODELS + 3


@pytest.mark.parametrize(
    ("snapshots", "closed"),
    [((63.0, 123.6, 190.6), 193.0), ((14.0,), 15.0), ((), 16.0)],
    ids=["Azure, three minutes", "OpenAI, seven seconds", "Azure, sixteen seconds"],
)
def test_recorded_sessions_end_with_what_the_service_told(
    snapshots: tuple[float, ...], closed: float
) -> None:
    counter = counter_of(*snapshots)
    counter.count_snapshot({"seconds": closed}, final=True)
    counter.end_call(timedelta(hours=1))
    assert counter.live_usage() == LiveUsage(closed, is_final=True)


@pytest.mark.parametrize(
    ("tier", "name"),
    [
        (None, "gpt-5.6-sol"),
        ("auto", "gpt-5.6-sol"),
        ("default", "gpt-5.6-sol"),
        ("priority", "gpt-5.6-sol-priority"),
        ("flex", "gpt-5.6-sol-flex"),
    ],
)
def test_a_tier_with_prices_of_its_own_is_a_model_of_its_own(tier: str | None, name: str) -> None:
    assert model_at_tier("gpt-5.6-sol", tier) == name
    assert model_at_tier(None, tier) is None
    priced = load_prices().cost(name, Usage(text_in=1)) is not None
    assert priced == (name == "gpt-5.6-sol")
