"""What a call costs: its responses by the model that its session names, its transcriptions by
tokens or by the minute, a Live call's minutes and what it delegated; and prices of one's own."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from shared.usage.call_usage import CallUsage, UsageCounter
from shared.usage.counted_models import MOST_MODELS
from shared.usage.live_usage import LiveUsage, LiveUsageCounter
from shared.usage.price_files import load_prices
from shared.usage.prices import Prices, minute_amount
from shared.usage.tokens import Usage
from shared.usage.transcription import (
    TranscriptionUsage,
    recorded_fields,
    transcription_usage_of,
    usage_of_transcription,
)

CASES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
CASE: Final[dict[str, Any]] = json.loads((CASES / "usage.json").read_text())
TABLE: Final = load_prices()
SPOKEN: Final = Usage(text_in=100, audio_in=200, audio_out=300)
SPOKEN_COST: Final = (Decimal(4) * 100 + Decimal(32) * 200 + Decimal(64) * 300) / 10**6


def amount(prices: Prices, deployment: str, used: CallUsage) -> Decimal | None:
    cost = prices.call_cost(deployment, used)
    return cost.amount if cost else None


def test_a_deployments_session_says_what_it_costs() -> None:
    used = CallUsage(SPOKEN, CASE["session_model"])
    cost = TABLE.call_cost(CASE["deployment"], used)
    assert cost is not None
    assert (cost.amount, cost.model, cost.by_family) == (SPOKEN_COST, "gpt-realtime", True)
    assert TABLE.call_cost(CASE["deployment"], CallUsage(SPOKEN)) is None
    assert TABLE.unpriced(CASE["deployment"], CallUsage(SPOKEN)) == ["voice-prod"]
    # A deployment may be called like another model than the one behind it.
    assert amount(TABLE, "gpt-realtime-mini", used) == SPOKEN_COST
    assert TABLE.call_cost("gpt-realtime", CallUsage(SPOKEN, "gpt-realtime-9")) is None


@pytest.mark.parametrize("case", CASE["transcriptions"], ids=lambda each: each["model"])
def test_a_transcription_is_counted_and_priced(case: dict[str, Any]) -> None:
    recorded = usage_of_transcription(case["usage"])
    assert recorded is not None
    usage = transcription_usage_of(recorded)
    assert usage.counts() == case["counts"]
    used = CallUsage(SPOKEN, CASE["session_model"], {case["model"]: usage})
    expected = None if case["cost"] is None else SPOKEN_COST + Decimal(case["cost"])
    assert amount(TABLE, "voice-prod", used) == expected
    assert TABLE.unpriced("voice-prod", used) == ([] if case["cost"] else [case["model"]])
    assert used.total == SPOKEN.total + usage.total


def test_words_whose_usage_is_not_told_make_the_cost_unknown() -> None:
    used = CallUsage(SPOKEN, "gpt-realtime", {"whisper-1": TranscriptionUsage(unmeasured=1)})
    assert TABLE.call_cost("gpt-realtime", used) is None


@pytest.mark.parametrize(
    "told", [None, [], "many", {"type": "duration"}, {"seconds": -1}, {"seconds": "3"}]
)
def test_what_is_no_usage_counts_nothing(told: object) -> None:
    recorded = usage_of_transcription(told) or {}
    assert transcription_usage_of(recorded) == TranscriptionUsage()


@pytest.mark.parametrize("seconds", [1e300, 10**400, True])
def test_no_usage_is_too_large(seconds: Any) -> None:
    recorded = usage_of_transcription({"type": "duration", "seconds": seconds}) or {}
    assert 0 <= transcription_usage_of(recorded).seconds <= 10**9


def test_each_transcription_counts_once_and_seconds_add_up() -> None:
    counter, tenth = UsageCounter(), TranscriptionUsage(seconds=0.1)
    for number in range(30):
        assert counter.count_transcription(f"item_{number}", "whisper-1", tenth)
    assert not counter.count_transcription("item_1", "whisper-1", tenth)
    assert counter.call_usage().transcribed.seconds == 3.0
    assert amount(TABLE, "gpt-realtime", counter.call_usage()) == Decimal("0.0003")


def test_what_is_carried_over_is_the_same() -> None:
    usage = TranscriptionUsage(1, 2, 3, 4, 5.5, 6)
    assert transcription_usage_of(recorded_fields(usage)) == usage


def test_a_page_cannot_name_models_without_end() -> None:
    counter = UsageCounter()
    for number in range(100):
        counter.count_transcription(f"item_{number}", f"model-{number}", TranscriptionUsage(1))
    assert len(counter.transcriptions) == MOST_MODELS + 1
    assert counter.call_usage().transcribed.text_in == 100


def test_a_session_by_the_minute_has_a_price() -> None:
    tariff = TABLE.models["gpt-live-1.1"]
    assert minute_amount(tariff, 15) == Decimal("0.0125")
    assert minute_amount(tariff, 90, "paused_minute") == Decimal("0.03")
    assert minute_amount(TABLE.models["gpt-realtime"], 15) is None


def own_table(tmp_path: Path, **content: Any) -> Path:
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"as_of": "2026-12-01", **content}), encoding="utf-8")
    return file


def test_the_operators_prices_lie_over_the_table(tmp_path: Path) -> None:
    own = own_table(
        tmp_path,
        models={"gpt-realtime": {"text_in": "3"}, "my-ears": {"minute": "0.01"}},
        deployments={"voice-prod": "gpt-realtime", "ears-prod": "whisper-1"},
    )
    table = load_prices(own=own)
    assert table.as_of.isoformat() == "2026-12-01"
    text = CallUsage(Usage(text_in=10**6), "voice-prod")
    assert amount(table, "voice-prod", text) == 3
    minute = TranscriptionUsage(seconds=60)
    heard = CallUsage(Usage(), "gpt-realtime-2.1", {"ears-prod": minute, "my-ears": minute})
    assert amount(table, "elsewhere", heard) == Decimal("0.016")
    assert "gpt-realtime-2.1" in table.models, "what the file leaves out stays"


def test_prices_that_a_deployment_has_of_its_own_count_whatever_it_runs(tmp_path: Path) -> None:
    table = load_prices(own=own_table(tmp_path, models={"voice-prod": {"text_in": "1"}}))
    used = CallUsage(Usage(text_in=10**6), "gpt-realtime-2025-08-28")
    assert amount(table, "voice-prod", used) == 1


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"models": {"m": {"text_in": 4.0}}}, "m"),
        ({"models": {"m": {"text": "4"}}}, "text"),
        ({"models": {"m": {"text_in": "-1"}}}, "m"),
        ({"models": {"m": {"text_in": "NaN"}}}, "m"),
        ({"models": {"m": {}}}, "m"),
        ({"models": []}, "models"),
        ({"currency": "EUR"}, "USD"),
        ({"deployments": {"voice": "gpt-realtime-9"}}, "voice"),
        ({"deployments": ["voice"]}, "deployments"),
        ({"model": {}}, "model"),
        ({"as_of": "soon"}, "as_of"),
    ],
)
def test_prices_that_cannot_be_meant_are_refused(
    tmp_path: Path, content: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=rf"own\.json: .*{named}"):
        load_prices(own=own_table(tmp_path, **content))


LIVE: Final = LiveUsage(600.0, 240.0, {"gpt-5.6-sol": Usage(text_in=1651, text_out=38)})
VOICE_COST: Final = Decimal("0.38")
BACKEND_COST: Final = (Decimal(4) * 1651 + Decimal(20) * 38) / 10**6


def test_a_live_call_costs_its_minutes_its_pauses_and_what_it_delegated() -> None:
    used = CallUsage(model="gpt-live-1.1", live=LIVE)
    cost = TABLE.call_cost("voice-live", used)
    assert cost is not None
    assert (cost.amount, cost.model) == (VOICE_COST + BACKEND_COST, "gpt-live-1.1")
    assert used.total == 1689
    assert used.counts() == {
        "text_in": 1651,
        "text_out": 38,
        "seconds": 600.0,
        "active_seconds": 360.0,
        "paused_seconds": 240.0,
    }


def test_a_live_call_costs_at_least_fifteen_seconds() -> None:
    used = CallUsage(model="gpt-live-1", live=LiveUsageCounter().live_usage())
    assert amount(TABLE, "gpt-live-1", used) == Decimal("0.0125")


def test_tokens_that_are_put_into_the_cache_have_their_own_price() -> None:
    usage = Usage(text_in=10, cached_text=3, written_text=5, text_out=1)
    cost = TABLE.cost("gpt-6.2-sol", usage)
    expected = 2 * Decimal(2) + 3 * Decimal("0.1") + 5 * Decimal("2.5") + Decimal(10)
    assert cost is not None
    assert cost.amount == expected / 10**6
    assert TABLE.cost("gpt-5.4-mini", usage) is None, "no price of it is known"


@pytest.mark.parametrize(
    ("deployment", "backend", "unpriced"),
    [
        ("gpt-live-1.1", "my-backend", ["my-backend"]),
        ("my-voice", "gpt-5.6-sol-2026-07-09", ["my-voice"]),
        ("my-voice", "my-backend", ["my-voice", "my-backend"]),
        # A voice that is billed by tokens is no Live model.
        ("gpt-realtime", "gpt-5.6-sol", ["gpt-realtime"]),
    ],
)
def test_a_live_call_is_of_unknown_cost_if_any_of_its_models_is(
    deployment: str, backend: str, unpriced: list[str]
) -> None:
    used = CallUsage(live=LiveUsage(60.0, backend={backend: Usage(text_in=1)}))
    assert TABLE.call_cost(deployment, used) is None
    assert TABLE.unpriced(deployment, used) == unpriced


def test_deployments_of_the_voice_and_of_the_backend_are_named_by_the_operator(
    tmp_path: Path,
) -> None:
    own = {"voice-live": "gpt-live-1", "backend-prod": "gpt-5.6-sol"}
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"as_of": "2026-12-01", "deployments": own}))
    prices = load_prices(own=file)
    used = CallUsage(
        model="voice-live", live=LiveUsage(60.0, backend={"backend-prod": Usage(text_in=10**6)})
    )
    assert amount(prices, "voice-live", used) == Decimal("4.05")
    assert prices.unpriced("voice-live", used) == []


def test_a_pause_without_a_price_is_unknown_and_no_pause_needs_none() -> None:
    prices = Prices(TABLE.as_of, "USD", {"m": {"minute": Decimal("0.05")}})
    assert amount(prices, "m", CallUsage(live=LiveUsage(60.0))) == Decimal("0.05")
    assert amount(prices, "m", CallUsage(live=LiveUsage(60.0, 1.0))) is None
