"""What is deployed: assertions on the resources that the deployment engine would make."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from azd_tools import PLACEHOLDER

from tests.infra.expansion import expand, needs_compiler, template

ROOT = Path(__file__).parent.parent.parent
pytestmark = needs_compiler
MAIN = (ROOT / "infra" / "main.bicep").read_text(encoding="utf-8")


def test_no_module_has_a_fixed_name() -> None:
    """A module in somebody else's resource group would be one deployment for all environments that
    share the account: two at once stop with DeploymentActive."""
    modules = [
        each["name"]
        for each in json.loads(template())["resources"].values()
        if each["type"] == "Microsoft.Resources/deployments"
    ]
    assert modules
    assert [name for name in modules if "deployment().name)" not in name] == []


def test_two_environments_share_no_name() -> None:
    one, other = (expand(environmentName=name) for name in ("one", "other"))
    shared = {
        name
        for name in one.names & other.names
        if not name.startswith(
            (
                # In the environment's own resource group.
                "Microsoft.Insights/metricAlerts",
                "Microsoft.Insights/scheduledQueryRules",
                "Microsoft.Insights/diagnosticSettings",
            )
        )
    }
    assert shared == set()


def test_an_existing_account_and_vault_are_not_made() -> None:
    made = expand(
        existingAiAccountName="shared-account",
        existingAiAccountResourceGroup="rg-shared",
        existingKeyVaultName="shared-vault",
        existingKeyVaultResourceGroup="rg-shared",
        enableModelDeployment=False,
    )
    for absent in (
        "CognitiveServices/accounts",
        "CognitiveServices/accounts/deployments",
        "KeyVault/vaults",
    ):
        assert made.of(absent) == []
    secret = made.the("KeyVault/vaults/secrets")
    assert "/resourceGroups/rg-shared/" in secret["id"]
    grants = [each["id"] for each in made.of("Authorization/roleAssignments")]
    assert sum("shared-account" in each for each in grants) == 1
    assert sum("shared-vault" in each for each in grants) == 1


def test_another_host_may_observe_the_calls() -> None:
    name = "AzureWebJobs.observe_call.Disabled"
    assert expand(observeElsewhere=True).app_settings[name] == "true"
    assert not [each for each in expand().app_settings if each.startswith("AzureWebJobs.")]


@pytest.mark.parametrize("capacity", [1, 100, 300])
def test_a_full_instance_takes_no_messages(capacity: int) -> None:
    settings = expand(observerCapacity=capacity).app_settings
    threshold = settings["AzureFunctionsJobHost__extensions__queues__newBatchThreshold"]
    assert int(settings["OBSERVER_CAPACITY"]) == capacity == int(threshold) + 1


def test_azds_parameters_with_nothing_set_deploy_the_templates_defaults() -> None:
    file = json.loads((ROOT / "infra" / "main.parameters.json").read_text(encoding="utf-8"))
    given = {"environmentName": "demo", "location": "eastus2", "brokerSecret": "x"}
    for name, entry in file["parameters"].items():
        if name not in given:
            text = PLACEHOLDER.sub(lambda match: match[2] or "", str(entry["value"]))
            given[name] = typed(name, text)
    by_azd, by_default = expand(**given), expand()
    assert by_azd.resources == by_default.resources


def typed(name: str, text: str) -> Any:
    """A value as Azure takes it from a parameters file: by the type of its parameter."""
    declared = re.search(rf"^param {name} (\w+)", MAIN, re.MULTILINE)
    assert declared, name
    if declared[1] in ("int", "bool", "object"):
        return json.loads(text.lower() if declared[1] == "bool" else text or "{}")
    return text


def test_no_output_has_the_name_of_a_setting() -> None:
    """`azd down` deletes the variables of the outputs, and with them what a user had set."""
    file = (ROOT / "infra" / "main.parameters.json").read_text(encoding="utf-8")
    settings = {match[1] for match in PLACEHOLDER.finditer(file)}
    hooks = {"SIGN_IN_TENANT_ID", "WEB_CALLER_ROLES", "REALTIME_INSTRUCTIONS", "PREFLIGHT"}
    assert expand().outputs.keys() & (settings | hooks) == set()


def test_the_outputs_name_the_tenant_and_who_may_use_the_model() -> None:
    outputs = expand(principalId="someone").outputs
    assert outputs["MODEL_USER_ID"] == "someone"
    assert "tenant" in outputs["AZURE_TENANT_ID"]
    assert "'identity-{0}'" in outputs["APP_PRINCIPAL_ID"]


def test_the_deploying_user_gets_no_role_where_that_is_switched_off() -> None:
    def on_the_model(**given: Any) -> int:
        grants = expand(principalId="someone", **given).of("Authorization/roleAssignments")
        return sum(each["properties"]["principalId"] == "someone" for each in grants)

    assert on_the_model() == 1
    assert on_the_model(enableDeveloperAccess=False) == 0


def test_instructions_reach_the_app_as_they_were_written() -> None:
    text = 'Say "hello".\nThen — ask: ¿qué tal? It\'s ${fine}.'
    encoded = base64.b64encode(text.encode()).decode()
    for given in ({"realtimeInstructions": text}, {"realtimeInstructionsBase64": encoded}):
        assert expand(**given).app_settings["REALTIME_INSTRUCTIONS"] == text


def test_a_page_that_calls_the_app_directly_has_no_linked_backend() -> None:
    made = expand(enableLinkedBackend=False, callerAuth="entra")
    assert made.of("Web/staticSites/linkedBackends") == []
    assert made.app_settings["STATIC_WEB_APP_LINKED"] == "off"
    assert "reference(" in made.app_settings["ALLOWED_ORIGINS"]
    alone = expand(enableStaticWebApp=False)
    assert alone.of("Web/staticSites") == alone.of("Web/staticSites/linkedBackends") == []
    assert alone.app_settings["ALLOWED_ORIGINS"] == ""


@pytest.mark.parametrize(
    ("given", "absent"),
    [
        ({"enableAlerts": False}, "Insights/scheduledQueryRules"),
        ({"enableDiagnostics": False}, "Insights/diagnosticSettings"),
        ({"enableTurnRule": False}, "Network/networkSecurityGroups"),
        ({"enableModelDeployment": False}, "CognitiveServices/accounts/deployments"),
        ({"existingWorkspaceId": "/subscriptions/s/w"}, "OperationalInsights/workspaces"),
    ],
)
def test_what_is_switched_off_is_not_deployed(given: dict[str, Any], absent: str) -> None:
    assert expand().of(absent)
    assert expand(**given).of(absent) == []


def test_the_queue_that_tells_of_calls_is_made_where_it_is_wanted_and_for_whom() -> None:
    told = {"call-ended", "call-ended-poison"}
    service = "Storage/storageAccounts/queueServices/queues"
    without, role = expand(), "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
    assert not told & {each["name"].rpartition("/")[2] for each in without.of(service)}
    assert without.app_settings["CALL_ENDED_EVENTS"] == "off"
    reader = "11111111-1111-4111-8111-111111111111"
    made = expand(callEndedEvents="on", callEndedPrincipalId=reader)
    assert told <= {each["name"].rpartition("/")[2] for each in made.of(service)}
    assert made.app_settings["CALL_ENDED_EVENTS"] == "on"
    grants = [
        each
        for each in made.of("Authorization/roleAssignments")
        if each["properties"]["principalId"] == reader
    ]
    assert len(grants) == 2
    assert all(role in each["properties"]["roleDefinitionId"] for each in grants)
    scopes = {each["id"].partition("/providers/Microsoft.Authorization")[0] for each in grants}
    assert {scope.rpartition("/queues/")[2] for scope in scopes} == told, "that, and nothing else"
    nobody = expand(callEndedEvents="on")
    assert told <= {each["name"].rpartition("/")[2] for each in nobody.of(service)}
    assert len(nobody.of("Authorization/roleAssignments")) == len(
        without.of("Authorization/roleAssignments")
    )
