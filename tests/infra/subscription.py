"""A subscription for preflight to look at, as Azure answers for it."""

from __future__ import annotations

from datetime import date

import preflight
import pytest
from azd_tools import Answer, Stop

from tests.infra.outside import Stage, answer

M = "GET https://management.azure.com/subscriptions/s"
MODEL, VERSION = "gpt-realtime-1.5", "2026-02-23"
TODAY = date(2026, 11, 26)
AZURE = {
    "AZURE_ENV_NAME": "talk",
    "AZURE_SUBSCRIPTION_ID": "s",
    "AZURE_LOCATION": "eastus2",
    "MONTHLY_BUDGET": "100",
    "ALERT_EMAIL": "you@example.com",
    "BUDGET_START_DATE": "2026-11-01",
    "SIGN_IN_CLIENT_ID": "c",
}


def usages(limit: int, used: int) -> Answer:
    name = {"value": f"OpenAI.GlobalStandard.{MODEL}"}
    return answer(200, {"value": [{"name": name, "limit": limit, "currentValue": used}]})


def catalogue(version: str, **sku: str) -> Answer:
    skus = [{"name": "GlobalStandard", **sku}]
    model = {"name": MODEL, "version": version, "skus": skus}
    return answer(200, {"value": [{"model": model}, {"model": {"name": "other"}}]})


def azure(**changed: str) -> Stage:
    """A subscription in which every check passes."""
    cognitive = f"{M}/providers/Microsoft.CognitiveServices/locations/"
    owner = {"actions": ["*"], "notActions": []}
    return Stage(
        {
            f"{M}/providers/": answer(200, {"registrationState": "Registered"}),
            f"{M}/providers/Microsoft.Authorization/permissions": answer(200, {"value": [owner]}),
            f"{cognitive}eastus2/models": catalogue(VERSION),
            f"{cognitive}eastus2/usages": usages(100, 0),
            f"{M}/resourceGroups/": answer(404),
        },
        AZURE | changed,
    )


def refused(stage: Stage) -> str:
    with pytest.raises(Stop):
        preflight.preflight(stage.outside(), TODAY)
    [said] = [line for line in stage.said if line.startswith("error: ")]
    return said
