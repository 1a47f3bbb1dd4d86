"""Latencies are counted by rounded values, so that they add up, and percentiles come close."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from shared.usage import turn_latency


def test_a_rounded_value_is_close_and_there_are_few_of_them() -> None:
    values = {turn_latency.rounded(each) for each in range(60_001)}
    assert len(values) < 300
    for latency in range(100, 60_000, 7):
        assert abs(turn_latency.rounded(latency) - latency) <= 0.026 * latency + 2.5, latency


@pytest.mark.parametrize(("latency", "counted"), [(-5, 0), (0, 0), (1e9, 60_000), (819.9, 820)])
def test_what_is_counted_is_bounded(latency: float, counted: int) -> None:
    assert turn_latency.rounded(latency) == counted


def test_percentiles_of_counts_are_those_of_the_values() -> None:
    chance = random.Random(16)
    values = sorted(chance.lognormvariate(6.5, 0.6) for _ in range(2_000))
    exact = Counter(map(turn_latency.rounded, values))
    halves = (Counter(map(turn_latency.rounded, half)) for half in (values[::2], values[1::2]))
    assert sum(halves, Counter[int]()) == exact
    for percent in (50, 90, 95, 99):
        expected = values[-(-len(values) * percent // 100) - 1]
        found = turn_latency.percentile(exact, percent)
        assert found == pytest.approx(expected, rel=0.03)


def test_a_summary() -> None:
    assert turn_latency.summary({}) == {}
    counts = {500: 10, 900: 9, 4_000: 1}
    assert turn_latency.summary(counts) == {
        "turns": 20,
        "p50_ms": 500,
        "p95_ms": 900,
        "max_ms": 4_000,
    }
    assert turn_latency.slower_than(counts, 900) == 1


def test_what_people_have_edited_is_left_out() -> None:
    odd = {
        "500": 2,
        "x": 1,
        "-5": 1,
        "99999999": 1,
        "600": "many",
        "700": True,
        "800": -1,
        "9" * 5000: 1,
    }
    assert turn_latency.from_stored(odd) == {500: 2}
    assert turn_latency.from_stored(turn_latency.to_stored({20: 3, 5: 1})) == {5: 1, 20: 3}


def test_the_larger_count_stays() -> None:
    assert turn_latency.larger({"500": 2}, {500: 1}) == {"500": 2}
    assert turn_latency.larger({"500": 2}, {500: 2, 600: 1}) == {"500": 2, "600": 1}
