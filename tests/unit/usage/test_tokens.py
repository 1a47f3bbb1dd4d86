"""Tokens are counted by kind, once for each response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.usage import tokens
from shared.usage.call_usage import UsageCounter
from shared.usage.price_files import load_prices
from shared.usage.tokens import Usage

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
counts = st.builds(Usage, *[st.integers(0, 10**6)] * 8)


def response(told: Any) -> dict[str, Any]:
    return {"id": "resp_1", "usage": told}


def test_a_response_counts_by_kind() -> None:
    found = tokens.usage_of_response(response(RECORDED))
    assert found == Usage(119, 13, 0, 64, 0, 0, 30, 91)
    assert (found.total, found.tokens_in, found.tokens_out, found.cached) == (253, 132, 121, 64)


@pytest.mark.parametrize("told", [None, {}, {"input_tokens": None}, [], "many"])
def test_missing_usage_is_zero(told: object) -> None:
    assert tokens.usage_of_response(response(told)) == tokens.ZERO


def test_tokens_of_unknown_kind_are_kept_apart() -> None:
    found = tokens.usage_of_response(response({"input_tokens": 10, "output_tokens": 5}))
    assert (found.unsplit_in, found.unsplit_out, found.total) == (10, 5, 15)
    assert load_prices().cost("gpt-realtime", found) is None


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
def test_sums_survive_being_stored(all_of_them: list[Usage]) -> None:
    summed = tokens.sum_usages(all_of_them)
    assert tokens.usage_of_counts(summed.counts()) == summed
    assert summed.total == sum(each.total for each in all_of_them)
