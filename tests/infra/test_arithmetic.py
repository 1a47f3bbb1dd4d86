"""The numbers in docs/cost.md and docs/scale.md are those of their formulas."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.config.settings import ObserverSettings
from shared.observer.leases import LEASE_DURATION
from tests.infra.arithmetic import (
    ALERTS,
    ALERTS_A_MONTH,
    GB,
    GB_SECOND,
    HOURS,
    LOG_ALERTS_A_MONTH,
    LOOKS,
    METRIC_ALERT_A_MONTH,
    MODELS,
    MONTH,
    MONTH_SECONDS,
    NAT_AN_HOUR,
    PER_WEB_TEST_RUN,
    PRIVATE_ENDPOINT_AN_HOUR,
    RUNS,
    WARM_GB_SECOND,
    WEB_A_MONTH,
    ZONE_A_MONTH,
    Conversation,
    Day,
    LiveConversation,
    Month,
    replica_a_month,
)
from tests.infra.cases import EVERYTHING
from tests.infra.expansion import expand, needs_compiler

ROOT = Path(__file__).parent.parent.parent
COST = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
SCALE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
CALL = Conversation()
DEFAULT_MODEL = "gpt-realtime-1.5"


def row(page: str, first: str) -> list[str]:
    """The other cells of the table row whose first cell is `first`, or else begins with it."""
    named = re.escape(first)
    found = next(
        filter(
            None,
            (
                re.search(rf"^\| {cell} \| (.+) \|$", page, re.M)
                for cell in (named, named + "[^|]*")
            ),
        ),
        None,
    )
    assert found, first
    return [cell.strip() for cell in found[1].split("|")]


def test_the_tokens_of_a_call() -> None:
    assert row(COST, "audio input") == [f"{CALL.read_audio:,}, of which {CALL.new_audio:,} new"]
    assert row(COST, "text input") == [f"{CALL.read_text:,}, of which {CALL.instructions:,} new"]
    assert row(COST, "output: audio and its transcript") == [f"{CALL.made:,}"]
    assert row(COST, "total") == [f"{CALL.tokens:,}"]


@pytest.mark.parametrize("model", [DEFAULT_MODEL, "gpt-realtime-2.1-mini"])
def test_the_price_of_a_call(model: str) -> None:
    wanted = [f"${CALL.dollars(model, cached=cached):.2f}" for cached in (True, False)]
    assert row(COST, model) == wanted


REALTIME_MODELS = (DEFAULT_MODEL, "gpt-realtime-2.1-mini")


def bounds(call: Conversation) -> list[str]:
    """What a Realtime call costs at least and at most, with each model."""
    return [
        " to ".join(f"${call.dollars(model, cached=cached):.2f}" for cached in (True, False))
        for model in REALTIME_MODELS
    ]


def test_a_live_call_beside_a_realtime_call() -> None:
    assert row(COST, "ten minutes") == ["gpt-live-1.1", *REALTIME_MODELS]
    talk = Conversation(seconds=600, turns=20)
    live = LiveConversation()
    assert row(COST, "of talk, twenty turns") == [f"${live.dollars():.2f}", *bounds(talk)]
    with_tasks = LiveConversation(tasks=3)
    assert row(COST, "of talk, with three delegated tasks")[0] == f"${with_tasks.dollars():.2f}"
    # Of a Realtime call, five silent minutes cost nothing.
    assert row(COST, "of which five are silent") == [f"${live.dollars():.2f}", *bounds(CALL)]
    pausing = LiveConversation(paused=4 * 60)
    assert (
        row(COST, "of which five are silent, pausing after one")[0] == f"${pausing.dollars():.2f}"
    )


def test_what_the_cost_page_says_of_live_calls() -> None:
    for model in ("gpt-live-1", "gpt-live-1.1"):
        assert float(MODELS[model]["minute"]) == 0.05
        assert float(MODELS[model]["paused_minute"]) == 0.02
    assert row(COST, "gpt-live-1, gpt-live-1.1, active") == ["$0.05 a minute"]
    assert row(COST, "least, per session")[0].startswith(
        f"15 seconds: ${LiveConversation(seconds=0).dollars():.4f}"
    )
    assert f"half an hour of talk is ${LiveConversation(seconds=1800).dollars():.2f}" in COST
    assert f"15 minutes are ${LiveConversation(seconds=900).dollars():.2f} at most" in COST
    assert f"3,600 are ${LiveConversation(seconds=3600).dollars():.2f} a day" in COST
    assert "1,651 tokens read and 38 written" in COST
    assert (LiveConversation().read, LiveConversation().written) == (1651, 38)


def test_the_default_model_is_the_one_that_is_reckoned_with() -> None:
    main = (ROOT / "infra" / "main.bicep").read_text(encoding="utf-8")
    assert f"param modelName string = '{DEFAULT_MODEL}'" in main
    assert DEFAULT_MODEL in MODELS


@pytest.mark.parametrize(
    ("models", "by_minute"),
    [
        ("gpt-realtime-whisper, gpt-live-transcribe", True),
        ("gpt-transcribe", True),
        ("whisper-1", True),
        ("gpt-4o-transcribe", False),
        ("gpt-4o-mini-transcribe", False),
    ],
)
def test_transcription(models: str, by_minute: bool) -> None:
    for model in models.split(", "):
        price = {kind: float(value) for kind, value in MODELS[model].items()}
        heard, words = CALL.turns * CALL.heard, CALL.turns * CALL.words
        dollars = (
            price["minute"] * CALL.seconds / 2 / 60
            if by_minute
            else (price["audio_in"] * heard + price["text_out"] * words) / 1e6
        )
        said, cost = row(COST, models)
        assert f"${price['minute' if by_minute else 'audio_in']:.4f}".rstrip("0") in f"{said}0"
        assert abs(float(cost.removeprefix("$")) - dollars) < 0.00051


@pytest.mark.parametrize("calls", [100, 10_000, 1_000_000])
def test_functions_in_a_month(calls: int) -> None:
    month = Month(calls)
    assert row(COST, f"{calls:,}") == [
        f"{month.gb_seconds:,.0f}",
        f"{month.executions:,}",
        f"${month.functions:,.2f}",
    ]


@pytest.mark.parametrize("calls", [100, 10_000])
def test_a_month_in_short(calls: int) -> None:
    month = Month(calls)
    model = month.calls * CALL.dollars(DEFAULT_MODEL, cached=True)
    rest = WEB_A_MONTH + ALERTS_A_MONTH + month.functions + month.logs
    [said] = row(COST, f"{calls:,} calls of five minutes a day")
    assert said == f"about ${model:,.0f} for the model, ${rest:,.0f} for the rest"


def test_an_idle_month_is_what_its_parts_cost_by_default() -> None:
    parameters = json.loads((ROOT / "infra/main.parameters.json").read_text(encoding="utf-8"))
    values = {name: each["value"] for name, each in parameters["parameters"].items()}
    for name in ("enableAlerts", "enableStaticWebApp"):
        assert values[name].endswith("=true}")
    assert row(COST, "idle") == [
        f"about ${WEB_A_MONTH + ALERTS_A_MONTH:.2f}: the Static Web App ${WEB_A_MONTH:.0f}, "
        f"the alerts ${ALERTS_A_MONTH:.2f}"
    ]


def test_what_else_the_cost_page_says() -> None:
    assert f"about ${WARM_GB_SECOND * GB * MONTH:.0f} a month for one instance" in COST
    assert f"= ${CALL.seconds * GB * GB_SECOND:.3f} a call" in " ".join(COST.split())
    assert f"is about {RUNS} executions" in COST
    assert f"and {LOOKS} of `observe_call`" in COST
    assert f"about {Month(1).log_records:.0f} records a call" in COST
    lowered = json.loads((ROOT / "host.json").read_text())["logging"]["logLevel"]
    assert lowered == {
        "Function.observe_call": "Warning",
        "Function.observe_call.User": "Information",
        # They have the requests' paths, and so handles.
        "Microsoft.Azure.WebJobs.Script.WebHost.Middleware": "Warning",
    }


def test_what_watching_costs() -> None:
    often = sum(alert["every"] == "PT5M" for alert in ALERTS)
    assert row(COST, "alert rules")[0].startswith(
        f"{len(ALERTS)} log alerts: {often} that look every 5 minutes at $1.50 a month, "
        f"{len(ALERTS) - often} every 15 minutes at $0.50; one metric alert at "
        f"${METRIC_ALERT_A_MONTH:.2f}: ${ALERTS_A_MONTH:.2f}."
    )
    split = [alert for alert in ALERTS if alert.get("split") == "endpoint"]
    assert {alert["every"] for alert in split} == {"PT5M"}
    assert f"With several endpoints, {len(split)} of them watch each: about $0.15 a month" in COST
    assert often * 1.5 + (len(ALERTS) - often) * 0.5 == LOG_ALERTS_A_MONTH
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert f"cost ${ALERTS_A_MONTH:.2f} a month" in " ".join(operations.split())
    runs = 5 * MONTH // 900
    assert row(COST, "web test")[0].startswith(
        f"{runs:,} runs a month at $0.0006: ${runs * PER_WEB_TEST_RUN:.2f}."
    )


@needs_compiler
def test_what_the_private_network_costs() -> None:
    made = expand(**EVERYTHING)
    endpoints = len(made.of("Network/privateEndpoints"))
    zones = len(made.of("Network/privateDnsZones"))
    assert (endpoints, zones) == (4, 4)
    dollars = endpoints * PRIVATE_ENDPOINT_AN_HOUR * HOURS + zones * ZONE_A_MONTH
    assert row(COST, "private endpoints")[0].startswith(
        f"{endpoints} endpoints at $0.01 an hour and {zones} DNS zones at $0.50 a month: "
        f"${dollars:.2f}"
    )
    assert row(COST, "NAT gateway")[0].startswith(
        f"$0.045 an hour and its address $0.005: ${NAT_AN_HOUR * HOURS:.2f} a month"
    )


def test_the_days_of_the_scale_page() -> None:
    small, large = Day(10_000), Day(1_000_000)
    assert row(SCALE, "starts a second") == [f"{small.starts:.1f}", f"{large.starts:.0f}"]
    assert row(SCALE, "calls at once") == [f"{small.live:.0f}", f"{large.live:,.0f}"]
    assert row(SCALE, "tokens a minute") == [
        f"{small.tokens_a_minute / 1000:.0f} thousand",
        f"{large.tokens_a_minute / 1e6:.0f} million",
    ]


@pytest.mark.parametrize(
    ("said", "tokens"),
    [("100 thousand", 100_000), ("150 thousand", 150_000), ("1 million", 1_000_000)],
)
def test_calls_that_a_quota_carries(said: str, tokens: int) -> None:
    assert row(SCALE, said) == [f"{tokens * 5 // CALL.tokens}"]


def test_instances_and_storage_at_the_peak() -> None:
    day = Day(1_000_000)
    at_once = Month(1).observed_at_once
    queues = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["extensions"]["queues"]
    capacity = ObserverSettings("eager", transcripts=False, redaction=True).capacity
    assert queues["newBatchThreshold"] + 1 == at_once == capacity
    assert f"that is {day.live / at_once:.0f} instances of 2 GB" in SCALE
    for queue, messages in (("end-call`: put", 2), ("observe-call`: put, get, delete of", 1)):
        assert row(SCALE, f"queue `{queue}")[0] == f"{3 * messages * day.starts:.0f}"
    lease = LEASE_DURATION.total_seconds()
    # A lease is renewed after a third of its time, so on average five sixths of it are left.
    assert row(SCALE, "queue `observe-call`: each")[0] == f"{2 * day.live / (lease * 5 / 6):,.0f}"
    assert row(SCALE, "leases: renewed")[0] == f"{day.live / (lease / 3):,.0f}"
    assert row(SCALE, "ledger: booking and settling a call")[0] == f"{2 * day.starts:.0f}"
    spent = day.live * 2 / 60
    assert f"116 + {spent:.0f} = {2 * day.starts + spent:.0f} rows a second" in SCALE


def test_a_container_that_is_always_on() -> None:
    page = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
    assert row(page, "Container Apps, one replica of 1 core and 2 GiB")[0] == (
        f"${replica_a_month(1, 2):.0f} a month"
    )
    idle = replica_a_month(1, 2, idle=True)
    assert row(page, "the same while the platform counts it as idle")[0] == f"${idle:.0f} a month"
    assert f"{MONTH_SECONDS:,} s" in page
