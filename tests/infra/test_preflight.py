"""preflight: what stops a deployment, and what it does for one."""

from __future__ import annotations

import preflight
import pytest
from azd_tools import Stop

from tests.infra.outside import Stage, answer
from tests.infra.subscription import (
    TODAY,
    M,
    azure,
    refused,
)


def test_preflight_lets_through_what_is_fine() -> None:
    stage = azure()
    preflight.preflight(stage.outside(), TODAY)
    assert stage.said == ["Preflight: no errors found"]


def test_preflight_can_be_turned_off() -> None:
    stage = Stage(env={"PREFLIGHT": "off"})
    preflight.preflight(stage.outside(), TODAY)
    assert stage.requests == []


@pytest.mark.parametrize(
    ("tags", "stops"),
    [({"azd-env-name": "talk"}, False), ({"azd-env-name": "other"}, True), (None, True)],
)
def test_a_resource_group_of_others_is_not_taken_over(
    tags: dict[str, str] | None, stops: bool
) -> None:
    stage = azure(AZURE_RESOURCE_GROUP_NAME="rg-shared")
    stage.routes[f"{M}/resourceGroups/rg-shared?"] = answer(200, {"tags": tags})
    if stops:
        assert "rg-shared exists and is not of this environment" in refused(stage)
    else:
        preflight.preflight(stage.outside(), TODAY)


@pytest.mark.parametrize(
    "permission",
    [
        {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]},
        {"actions": ["Microsoft.Web/*"], "notActions": []},
    ],
)
def test_who_may_not_assign_roles_is_told_whom_to_ask(permission: dict[str, list[str]]) -> None:
    stage = azure()
    place = f"{M}/providers/Microsoft.Authorization/permissions"
    stage.routes[place] = answer(200, {"value": [permission]})
    assert "Role Based Access Control Administrator" in refused(stage)


def test_a_provider_is_registered_and_waited_for() -> None:
    stage = azure()
    states = [answer(200, {"registrationState": s}) for s in ("NotRegistered", "Registering")]
    stage.routes[f"{M}/providers/Microsoft.App?"] = [
        *states,
        answer(200, {"registrationState": "Registered"}),
    ]
    register = "POST https://management.azure.com/subscriptions/s/providers/Microsoft.App/register"
    stage.routes[register] = answer(202)
    preflight.preflight(stage.outside(), TODAY)
    assert len(stage.slept) == 2


def test_a_provider_that_may_not_be_registered_stops() -> None:
    stage = azure()
    stage.routes[f"{M}/providers/Microsoft.App?"] = answer(
        200, {"registrationState": "NotRegistered"}
    )
    stage.routes["POST "] = answer(403)
    assert "az provider register --namespace Microsoft.App" in refused(stage)


def test_nobody_signed_in_is_said_so() -> None:
    stage = azure()
    stage.signed_in = False
    with pytest.raises(Stop, match="azd auth login"):
        preflight.preflight(stage.outside(), TODAY)
