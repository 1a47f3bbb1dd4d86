"""Alerts that are raised while something is wrong, and whom they reach."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infra.expansion import expand, needs_compiler

ROOT = Path(__file__).parent.parent.parent
ALERTS = {
    alert["name"]: alert
    for alert in json.loads((ROOT / "infra/monitoring/alerts.json").read_text(encoding="utf-8"))
}
TOLD = {"alertEmail": "operator@example.com"}
WATCHED = TOLD | {"enableWebTest": True}


def by_name(resource_type: str, **given: Any) -> dict[str, dict[str, Any]]:
    return {each["name"]: each["properties"] for each in expand(**given).of(resource_type)}


async def test_wrong_settings_are_said_as_long_as_they_are_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An instance logs what is wrong once, and the alert looks back for a quarter of an hour: the
    sweep of every five minutes says it again."""
    from types import SimpleNamespace

    from shared.api import lazy_broker, queue_functions

    monkeypatch.setattr(lazy_broker, "PROCESS", lazy_broker.LazyBroker({}))
    caplog.set_level(logging.WARNING)
    context: Any = SimpleNamespace(
        invocation_id="i", function_name="sweep_calls", thread_local_storage=None
    )
    for _ in range(3):
        await queue_functions.sweep(context)
    lines = [record.getMessage() for record in caplog.records]
    said = [line for line in lines if line.startswith("sweep failed {")]
    assert len(said) == 3
    query = "\n".join(ALERTS["misconfigured"]["query"])
    at = re.search(r"parse_json\(substring\(Message, (\d+)\)\)\.error\) == '(\w+)'", query)
    assert at
    assert {json.loads(line[int(at[1]) :])["error"] for line in said} == {at[2]}


@needs_compiler
def test_an_app_that_logs_nothing_raises_an_alert() -> None:
    """A query about what is absent finds nothing in its own window: it compares with two days."""
    rule = by_name("Insights/scheduledQueryRules")["alert-silent"]
    assert (rule["windowSize"], rule["overrideQueryTimeRange"]) == ("PT30M", "P2D")
    assert "ago(30m)" in rule["criteria"]["allOf"][0]["query"]
    triggers = (ROOT / "shared/api/blueprint.py").read_text(encoding="utf-8") + (
        ROOT / "shared/api/triggers.py"
    ).read_text(encoding="utf-8")
    assert "sweep_calls" in triggers
    assert "0 */5 * * * *" in triggers


@needs_compiler
def test_other_alerts_look_at_their_own_window() -> None:
    rules = by_name("Insights/scheduledQueryRules")
    assert {name for name, each in rules.items() if each.get("overrideQueryTimeRange")} == {
        "alert-silent"
    }


@needs_compiler
def test_what_fails_before_it_reaches_a_function_raises_an_alert() -> None:
    made = expand(**TOLD)
    rule = by_name("Insights/metricAlerts", **TOLD)["alert-http-5xx"]
    assert rule["scopes"] == [made.the("Web/sites")["id"]]
    [criterion] = rule["criteria"]["allOf"]
    assert (criterion["metricName"], criterion["timeAggregation"]) == ("Http5xx", "Total")
    # Until the first failure there is no such metric, and Azure would refuse the rule.
    assert criterion["skipMetricValidation"] is True


@needs_compiler
def test_the_web_test_asks_what_answers_200_while_the_app_works() -> None:
    assert expand().of("Insights/webtests") == []
    made = expand(**WATCHED)
    test = made.the("Insights/webtests")
    asked = test["properties"]["Request"]["RequestUrl"]
    assert asked.startswith("[format('{0}/api/health', reference(")
    # Through the site, where it is linked.
    assert "format('web-{0}'" in asked
    assert len(test["properties"]["Locations"]) == 5
    component = made.the("Insights/components")["id"]
    assert test["tags"][f"hidden-link:{component}"] == "Resource"
    rule = by_name("Insights/metricAlerts", **WATCHED)["alert-unreachable"]
    assert rule["criteria"]["webTestId"] == test["id"]
    assert set(rule["scopes"]) == {test["id"], component}


@needs_compiler
def test_every_alert_reaches_the_receiver_and_is_explained() -> None:
    made = expand(**WATCHED)
    group = made.the("Insights/actionGroups")["id"]
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for each in made.of("Insights/scheduledQueryRules"):
        assert each["properties"]["actions"]["actionGroups"] == [group], each["name"]
    for each in made.of("Insights/metricAlerts"):
        assert each["properties"]["actions"] == [{"actionGroupId": group}], each["name"]
        title = each["properties"]["description"].partition(".")[0]
        assert f"\n### {title}\n" in page
    for kind in ("scheduledQueryRules", "metricAlerts"):
        for each in expand().of(f"Insights/{kind}"):
            actions = each["properties"]["actions"]
            assert actions in ([], {"actionGroups": []}), each["name"]
