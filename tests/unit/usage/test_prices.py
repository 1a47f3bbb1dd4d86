"""What tokens cost according to the price table."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.usage import prices
from shared.usage.price_files import load_prices
from shared.usage.tokens import Usage

TABLE = load_prices()
counts = st.builds(Usage, *[st.integers(0, 10**6)] * 8)


def test_a_cost_is_exact_and_the_cache_is_not_paid_twice() -> None:
    used = Usage(text_in=119, audio_in=13, cached_text=64, text_out=30, audio_out=91)
    cost = TABLE.cost("gpt-realtime", used)
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
        ("GPT-Realtime-2025-08-28", "gpt-realtime"),
        ("openai/gpt-realtime-2.1", "gpt-realtime-2.1"),
        ("gpt-4o-realtime-preview-2024-12-17", "gpt-4o-realtime-preview"),
        ("openai/my-deployment", None),
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


def test_a_cost_is_unknown_if_a_used_kind_has_no_price() -> None:
    table = prices.Prices(date(2026, 1, 1), "USD", {"m": {"text_in": Decimal(1)}})
    assert table.cost("m", Usage(text_in=1)) is not None
    assert table.cost("m", Usage(text_in=1, audio_out=1)) is None


def test_the_table_has_every_price_of_every_model() -> None:
    by_token = [tariff for tariff in TABLE.models.values() if "audio_out" in tariff]
    seldom = {"image_in", "cached_image", "written_text"}
    assert all(set(tariff) | seldom == set(prices.TOKEN_KINDS) for tariff in by_token)
    others = [set(tariff) for tariff in TABLE.models.values() if "audio_out" not in tariff]
    by_minute = ({"minute"}, {"minute", "paused_minute"}, {"text_in", "audio_in", "text_out"})
    text = {"text_in", "cached_text", "text_out"}
    assert all(kinds in (*by_minute, text, text | {"written_text"}) for kinds in others)
    assert TABLE.as_of <= date.today()  # noqa: DTZ011


@pytest.mark.parametrize("tariff", ['{"text_in": 4.0}', '{"text": "4"}'])
def test_a_float_or_a_misspelt_kind_is_refused(tmp_path: Path, tariff: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(f'{{"as_of": "2026-01-01", "currency": "USD", "models": {{"m": {tariff}}}}}')
    with pytest.raises(ValueError, match=r"prices\.json: m"):
        load_prices(file)


@given(counts, counts)
def test_costs_add_up(one: Usage, other: Usage) -> None:
    def amount(of: Usage) -> Decimal:
        cost = TABLE.cost("gpt-realtime", of)
        assert cost is not None
        return cost.amount

    assert amount(one) + amount(other) == amount(one + other)
