"""preflight's look at the models: quota, versions, regions, accounts and retirement."""

from __future__ import annotations

import json
from datetime import date

import preflight
import pytest

from tests.infra.outside import Stage, answer
from tests.infra.subscription import (
    MODEL,
    TODAY,
    VERSION,
    M,
    azure,
    catalogue,
    refused,
    usages,
)


def test_too_little_quota_stops_and_names_the_remedy() -> None:
    stage = azure()
    stage.routes[f"{M}/providers/Microsoft.CognitiveServices/locations/eastus2/usages"] = usages(
        100, 96
    )
    assert "4 are free. Run: azd env set MODEL_CAPACITY 4. Or request" in refused(stage)


def test_where_no_quota_is_free_no_smaller_capacity_is_advised() -> None:
    stage = azure()
    place = f"{M}/providers/Microsoft.CognitiveServices/locations/eastus2/usages"
    stage.routes[place] = usages(10, 10)
    said = refused(stage)
    assert "0 are free. Request more at" in said
    assert "MODEL_CAPACITY" not in said


def test_the_quota_is_the_one_that_the_catalogue_names() -> None:
    stage = azure()
    place = f"{M}/providers/Microsoft.CognitiveServices/locations/eastus2/"
    stage.routes[f"{place}models"] = catalogue(VERSION, usageName="OpenAI.GlobalStandard.rt")
    listed = {"name": {"value": "OpenAI.GlobalStandard.rt"}, "limit": 3, "currentValue": 0}
    stage.routes[f"{place}usages"] = answer(200, {"value": [listed]})
    assert "3 are free" in refused(stage)


def test_quota_that_the_deployment_itself_uses_does_not_stop() -> None:
    stage = azure()
    place = f"{M}/providers/Microsoft.CognitiveServices/locations/eastus2/usages"
    stage.routes[place] = usages(10, 10)
    stage.routes[f"{M}/resourceGroups/rg-talk/"] = answer(200, {"value": [{"name": "oai-x"}]})
    stage.routes[f"{M}/resourceGroups/rg-talk?"] = answer(200, {"tags": {"azd-env-name": "talk"}})
    preflight.preflight(stage.outside(), TODAY)
    assert stage.said[0].startswith("warning: ")


def test_a_version_that_the_region_does_not_have_stops() -> None:
    stage = azure()
    place = f"{M}/providers/Microsoft.CognitiveServices/locations/eastus2/models"
    stage.routes[place] = catalogue("2025-08-28")
    said = refused(stage)
    assert "versions there: 2025-08-28" in said
    assert "azd env set MODEL_VERSION" in said


def test_a_region_that_is_not_documented_is_a_warning() -> None:
    stage = azure(AZURE_LOCATION="centralus")
    place = f"{M}/providers/Microsoft.CognitiveServices/locations/centralus/"
    stage.routes |= {f"{place}models": catalogue(VERSION), f"{place}usages": usages(100, 0)}
    preflight.preflight(stage.outside(), TODAY)
    assert stage.said[0].startswith("warning: centralus is not among the regions")


@pytest.mark.parametrize(
    ("day", "warned"),
    [("2027-05-25", False), ("2027-05-26", True), ("2027-08-23", True), ("2028-01-01", True)],
)
def test_the_default_model_is_warned_of_from_ninety_days_before_it_retires(
    day: str, warned: bool
) -> None:
    stage = azure()
    preflight.preflight(stage.outside(), date.fromisoformat(day))
    said = [line for line in stage.said if f"The model {MODEL} {VERSION} retire" in line]
    assert bool(said) == warned
    assert all("2027-08-24" in line and "2027-02-23" in line for line in said)


def test_a_model_behind_a_deployment_that_exists_is_judged_whatever_the_deployment_is_called() -> (
    None
):
    stage = azure(
        EXISTING_AI_ACCOUNT_NAME="mine",
        ENABLE_MODEL_DEPLOYMENT="false",
        MODEL_DEPLOYMENT_NAME="voice-prod",
    )
    account = f"{M}/resourceGroups/rg-talk/providers/Microsoft.CognitiveServices/accounts/mine"
    mini = {"name": "gpt-realtime-mini", "version": "2025-12-15"}
    stage.routes[f"{account}/deployments/voice-prod"] = answer(200, {"properties": {"model": mini}})
    preflight.preflight(stage.outside(), TODAY)
    assert any("gpt-realtime-mini 2025-12-15 retires on 2026-12-15" in each for each in stage.said)
    del stage.routes[f"{account}/deployments/voice-prod"]
    stage.said.clear()
    preflight.preflight(stage.outside(), TODAY)
    assert not any("retire" in each for each in stage.said), "a name that nothing is known of"


def test_the_regions_catalogue_may_know_an_earlier_end() -> None:
    stage = azure()
    place = f"{M}/providers/Microsoft.CognitiveServices/locations/eastus2/models"
    listed = json.loads(catalogue(VERSION).body)
    listed["value"][0]["model"]["deprecation"] = {"inference": "2027-01-31T00:00:00Z"}
    stage.routes[place] = answer(200, listed)
    preflight.preflight(stage.outside(), TODAY)
    assert (
        f"warning: The catalogue of eastus2 ends {MODEL} {VERSION} on 2027-01-31."
        in (stage.said[0])
    )


def test_an_account_that_is_there_needs_no_quota() -> None:
    stage = azure(EXISTING_AI_ACCOUNT_NAME="mine")
    preflight.preflight(stage.outside(), TODAY)
    assert not any("locations" in request for request in stage.requests)


@pytest.mark.parametrize(
    ("role", "no_keys", "warned"),
    [
        ("Cognitive Services User", False, True),
        ("Cognitive Services User", None, True),
        ("Cognitive Services User", True, False),
        ("", False, False),
        ("Cognitive Services Data Contributor (Preview)", False, False),
    ],
)
def test_a_role_that_lists_the_keys_of_an_account_is_a_warning(
    role: str, no_keys: bool | None, warned: bool
) -> None:
    stage = azure(EXISTING_AI_ACCOUNT_NAME="mine", MODEL_ROLE=role)
    account = f"{M}/resourceGroups/rg-talk/providers/Microsoft.CognitiveServices/accounts/mine"
    stage.routes[account] = answer(200, {"properties": {"disableLocalAuth": no_keys}})
    preflight.preflight(stage.outside(), TODAY)
    assert any("lets the app list them" in line for line in stage.said) == warned


def with_live(**changed: str) -> Stage:
    """A subscription with GPT-Live and a model that it delegates to, in versions of their own."""
    chosen = {
        "ENABLE_GPT_LIVE": "true",
        "GPT_LIVE_MODEL_VERSION": "1",
        "ENABLE_DELEGATION_MODEL": "true",
        "DELEGATION_MODEL_VERSION": "2",
    }
    stage = azure(**chosen | changed)
    cognitive = f"{M}/providers/Microsoft.CognitiveServices/locations/eastus2"
    models = json.loads(catalogue(VERSION).body)["value"]
    names = [{"value": f"OpenAI.GlobalStandard.{MODEL}"}]
    for name, version in (("gpt-live-1", "1"), ("gpt-5.6-sol", "2")):
        skus = [{"name": "GlobalStandard"}]
        models.append({"model": {"name": name, "version": version, "skus": skus}})
        names.append({"value": f"OpenAI.GlobalStandard.{name}"})
    quotas = [{"name": name, "limit": 10, "currentValue": 0} for name in names]
    stage.routes[f"{cognitive}/models"] = answer(200, {"value": models})
    stage.routes[f"{cognitive}/usages"] = answer(200, {"value": quotas})
    return stage


def test_gpt_live_and_the_model_it_delegates_to_are_checked_like_the_others() -> None:
    stage = with_live()
    preflight.preflight(stage.outside(), TODAY)
    assert stage.said == ["Preflight: no errors found"]
    said = refused(with_live(GPT_LIVE_CAPACITY="11"))
    assert "gpt-live-1 needs 11 units of GlobalStandard quota in eastus2, 10 are free." in said
    said = refused(with_live(GPT_LIVE_SKU="Standard"))
    assert said.startswith("error: eastus2 does not offer gpt-live-1 1 as Standard. Run: azd env")


@pytest.mark.parametrize(
    ("variable", "model", "there"),
    [("GPT_LIVE", "gpt-live-1", "1"), ("DELEGATION", "gpt-5.6-sol", "2")],
)
def test_a_model_without_a_version_stops_and_those_of_the_region_are_named(
    variable: str, model: str, there: str
) -> None:
    said = refused(with_live(**{f"{variable}_MODEL_VERSION": ""}))
    assert said == (
        f"error: eastus2 does not offer {model} (no version is set) as GlobalStandard; versions "
        f"there: {there}. Run: azd env set MODEL_LOCATION …, or azd env set "
        f"{variable}_MODEL_VERSION …"
    )


def test_a_model_without_a_version_on_an_existing_account_stops_too() -> None:
    stage = with_live(EXISTING_AI_ACCOUNT_NAME="mine", GPT_LIVE_MODEL_VERSION="")
    account = f"{M}/resourceGroups/rg-talk/providers/Microsoft.CognitiveServices/accounts/mine"
    properties = {"customSubDomainName": "mine"}
    stage.routes[account] = answer(200, {"properties": properties})
    said = refused(stage)
    assert said.startswith("error: gpt-live-1 has no version.")
    assert said.endswith("azd env set GPT_LIVE_MODEL_VERSION …")


def test_every_region_of_the_model_is_looked_at() -> None:
    """Each has its own catalogue and quota, and a message names the variable to change."""
    stage = azure(MODEL_LOCATIONS="swedencentral:20,francecentral")
    for region, free in (("swedencentral", 10), ("francecentral", 100)):
        place = f"{M}/providers/Microsoft.CognitiveServices/locations/{region}"
        stage.routes[f"{place}/models"] = catalogue(VERSION)
        stage.routes[f"{place}/usages"] = usages(free, 0)
    assert "needs 20 units of GlobalStandard quota in swedencentral, 10 are free" in refused(stage)
    assert any(
        line.startswith("warning: francecentral is not among")
        and line.endswith("azd env set MODEL_LOCATIONS eastus2")
        for line in stage.said
    )


def test_every_existing_account_is_looked_at() -> None:
    stage = azure(
        EXISTING_AI_ACCOUNT_NAME="first",
        EXISTING_AI_ACCOUNTS="rg-other/second@centralus",
        MODEL_ROLE="Cognitive Services User",
        ENABLE_MODEL_DEPLOYMENT="false",
    )
    preflight.preflight(stage.outside(), TODAY)
    for place in ("rg-talk/providers/Microsoft.CognitiveServices/accounts/first",
                  "rg-other/providers/Microsoft.CognitiveServices/accounts/second"):  # fmt: skip
        assert any(f"/resourceGroups/{place}?" in each for each in stage.requests)
        assert any(f"/resourceGroups/{place}/deployments/" in each for each in stage.requests)
