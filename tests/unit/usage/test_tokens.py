"""Tokens are counted by kind, once a response, and cost what the table says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.usage import prices, tokens
from shared.usage.tokens import Usage, UsageCounter

# The usage of a response in recorded live traffic, with a cache hit added.
RECORDED = {
    "total_tokens": 253,
    "input_tokens": 132,
    "output_tokens": 121,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 13,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
}
TABLE = prices.load_prices()
counts = st.builds(Usage, *[st.integers(0, 10**6)] * 8)


def response(told: Any) -> dict[str, Any]:
    return {"id": "resp_1", "usage": told}


def test_a_response_counts_by_kind() -> None:
    found = tokens.usage_of_response(response(RECORDED))
    assert found == Usage(119, 13, 0, 64, 0, 0, 30, 91)
    assert (found.total, found.tokens_in, found.tokens_out, found.cached) == (253, 132, 121, 64)


@pytest.mark.parametrize("told", [None, {}, {"input_tokens": None}, [], "many"])
def test_no_usage_is_nothing(told: object) -> None:
    assert tokens.usage_of_response(response(told)) == tokens.ZERO


def test_tokens_of_no_stated_kind_are_kept_apart() -> None:
    found = tokens.usage_of_response(response({"input_tokens": 10, "output_tokens": 5}))
    assert (found.unsplit_in, found.unsplit_out, found.total) == (10, 5, 15)
    assert TABLE.cost("gpt-realtime", found) is None


def test_a_cache_hit_without_its_split_is_text_first() -> None:
    details = {"text_tokens": 50, "audio_tokens": 100, "cached_tokens": 70}
    found = tokens.usage_of_response(
        response({"input_tokens": 150, "input_token_details": details})
    )
    assert (found.cached_text, found.cached_audio) == (50, 20)


def test_each_response_counts_once() -> None:
    counter, one = UsageCounter(), tokens.usage_of_response(response(RECORDED))
    assert counter.count_response("resp_1", one)
    assert not counter.count_response("resp_1", one)
    assert counter.count_response("resp_2", one)
    assert counter.usage.total == 2 * 253


@given(st.lists(counts))
def test_sums_survive_being_written_down(all_of_them: list[Usage]) -> None:
    summed = tokens.sum_usages(all_of_them)
    assert tokens.usage_of_counts(summed.counts()) == summed
    assert summed.total == sum(each.total for each in all_of_them)


def test_a_cost_is_exact_and_the_cache_is_not_paid_twice() -> None:
    cost = TABLE.cost("gpt-realtime", tokens.usage_of_response(response(RECORDED)))
    assert cost is not None
    expected = (55 * 4 + Decimal("0.4") * 64 + 13 * 32 + 30 * 16 + 91 * 64) / Decimal(10**6)
    assert cost.amount == expected
    assert not cost.by_family


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-realtime", "gpt-realtime"),
        ("gpt-realtime-2025-08-28", "gpt-realtime"),
        ("gpt-realtime-mini-2025-12-15", "gpt-realtime-mini"),
        ("gpt-realtime-2.1-mini-2026-07-07", "gpt-realtime-2.1-mini"),
        ("gpt-realtime-3", None),
        ("gpt-realtime-2.2", None),
        ("gpt-realtime-2.1-nano", None),
        ("my-deployment", None),
        ("", None),
    ],
)
def test_dated_names_have_their_familys_price_and_others_none(
    model: str, family: str | None
) -> None:
    cost = TABLE.cost(model, Usage(text_in=1))
    assert (cost.model if cost else None) == family
    if cost:
        assert cost.by_family == (model != family)


def test_a_kind_without_a_price_is_unknown_unless_none_was_used() -> None:
    table = prices.Prices(date(2026, 1, 1), "USD", {"m": {"text_in": Decimal(1)}})
    assert table.cost("m", Usage(text_in=1)) is not None
    assert table.cost("m", Usage(text_in=1, audio_out=1)) is None


def test_the_table_has_every_price_of_every_model() -> None:
    assert all(set(tariff) == set(prices.KINDS) for tariff in TABLE.models.values())
    assert TABLE.as_of <= date.today()  # noqa: DTZ011


@pytest.mark.parametrize("tariff", ['{"text_in": 4.0}', '{"text": "4"}'])
def test_a_float_or_a_misspelt_kind_is_refused(tmp_path: Path, tariff: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(f'{{"as_of": "2026-01-01", "currency": "USD", "models": {{"m": {tariff}}}}}')
    with pytest.raises(ValueError, match=r"prices\.json: m"):
        prices.load_prices(file)


@given(counts, counts)
def test_costs_add_up(one: Usage, other: Usage) -> None:
    def amount(of: Usage) -> Decimal:
        cost = TABLE.cost("gpt-realtime", of)
        assert cost is not None
        return cost.amount

    assert amount(one) + amount(other) == amount(one + other)
