"""What is deployed: assertions on the resources that the deployment engine would make."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from azd_tools import PLACEHOLDER

from tests.infra.arm import evaluate
from tests.infra.expansion import expand, expand_template, needs_compiler, template

ROOT = Path(__file__).parent.parent.parent
pytestmark = needs_compiler
MAIN = (ROOT / "infra" / "main.bicep").read_text(encoding="utf-8")
LOCATIONS = re.findall(
    r"'(\w+)'",
    re.search(r"@allowed\(\[([^]]*)]\)\n@metadata.*\nparam location", MAIN)[1],  # type: ignore[index]
)
# Microsoft's list of service tags (November 2026), for the regions that may be chosen.
RELAYS = {
    "eastus2": "AzureCloud.eastus2",
    "swedencentral": "AzureCloud.swedencentral",
    "centralus": "AzureCloud.centralus",
    "canadacentral": "AzureCloud.canadacentral",
    "francecentral": "AzureCloud.centralfrance",
}
EVERYTHING = {
    "enableTranscription": True,
    "enablePurgeProtection": True,
    "enableVirtualNetwork": True,
    "enablePrivateEndpoints": True,
    "alertEmail": "operator@example.com",
    "monthlyBudget": 100,
    "budgetStartDate": "2026-11-01",
    "firewallPolicyName": "corporate",
    "firewallPolicyResourceGroup": "rg-hub",
}

DENIED = {
    "clientDenyInternet": True,
    "clientSubnetId": (
        "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-desks"
        "/providers/Microsoft.Network/virtualNetworks/vnet-desks/subnets/browsers"
    ),
    "firewallPolicyName": "corporate",
    "firewallPolicyResourceGroup": "rg-hub",
}


def rules(group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rules of a network security group, by name."""
    return {each["name"]: each["properties"] for each in group["properties"]["securityRules"]}


def subnets(**given: Any) -> dict[str, dict[str, Any]]:
    network = expand(**EVERYTHING | given).the("Network/virtualNetworks")
    return {each["name"]: each["properties"] for each in network["properties"]["subnets"]}


@pytest.mark.parametrize("location", LOCATIONS)
def test_the_rule_for_3478_names_a_service_tag_that_exists(location: str) -> None:
    """A region's tag is not always its name, and one unknown tag fails the whole deployment."""
    made = expand(location=location, firewallPolicyName="corporate")
    clients = rules(made.the("Network/networkSecurityGroups"))
    for protocol in ("udp", "tcp"):
        rule = clients[f"allow-realtime-{protocol}-3478"]
        assert rule["destinationAddressPrefix"] == RELAYS[location]
        assert (rule["protocol"].lower(), rule["direction"]) == (protocol, "Outbound")
    group = made.the("Network/firewallPolicies/ruleCollectionGroups")["properties"]
    collection, _ = group["ruleCollections"]
    [rule] = [each for each in collection["rules"] if "3478" in each["destinationPorts"]]
    assert rule["destinationAddresses"] == [RELAYS[location]]


def test_the_rule_follows_the_models_region_and_not_the_apps() -> None:
    made = expand(location="eastus2", modelLocation="francecentral")
    rule = rules(made.the("Network/networkSecurityGroups"))["allow-realtime-udp-3478"]
    assert rule["destinationAddressPrefix"] == "AzureCloud.centralfrance"
    assert made.the("Web/sites")["location"] == "eastus2"
    assert made.the("CognitiveServices/accounts")["location"] == "francecentral"


def test_a_rule_for_3478_names_one_tag_and_each_region_has_its_own() -> None:
    """A security rule takes one service tag; a firewall's takes a list."""
    made = expand_template(
        template(ROOT / "infra" / "modules" / "turn-rule.bicep"),
        {"modelRegions": "eastus2, France Central,eastus2", "firewallPolicyName": "corporate"},
    )
    clients = rules(made.the("Network/networkSecurityGroups"))
    to = {name: each["destinationAddressPrefix"] for name, each in clients.items()}
    assert to == {
        "allow-realtime-udp-3478": "AzureCloud.eastus2",
        "allow-realtime-tcp-3478": "AzureCloud.eastus2",
        "allow-realtime-tcp-443": "AzureCloud",
        "allow-realtime-udp-3478-francecentral": "AzureCloud.centralfrance",
        "allow-realtime-tcp-3478-francecentral": "AzureCloud.centralfrance",
        "allow-realtime-tcp-443-sign-in": "AzureActiveDirectory",
        "allow-realtime-tcp-443-sign-in-pages": "AzureFrontDoor.FirstParty",
    }
    priorities = [each["priority"] for each in clients.values()]
    assert len(set(priorities)) == len(priorities)
    group = made.the("Network/firewallPolicies/ruleCollectionGroups")["properties"]
    [relays] = [
        each["destinationAddresses"]
        for each in group["ruleCollections"][0]["rules"]
        if "3478" in each.get("destinationPorts", [])
    ]
    assert relays == ["AzureCloud.eastus2", "AzureCloud.centralfrance"]


def test_where_all_else_is_denied_calls_and_sign_in_are_allowed() -> None:
    """Azure denies what no rule before has allowed: the last rule is the one that denies."""
    made = rules(expand(**DENIED).the("Network/networkSecurityGroups"))
    order = sorted(made, key=lambda name: int(made[name]["priority"]))
    assert len({each["priority"] for each in made.values()}) == len(made)
    last = made[order[-1]]
    assert (last["access"], last["direction"], last["protocol"]) == ("Deny", "Outbound", "*")
    assert last["destinationAddressPrefix"] == "Internet"
    allowed = {
        (each["protocol"].lower(), each["destinationPortRange"], each["destinationAddressPrefix"])
        for each in made.values()
        if each["access"] == "Allow"
    }
    assert allowed == {
        ("udp", "3478", "AzureCloud.eastus2"),
        ("tcp", "3478", "AzureCloud.eastus2"),
        ("tcp", "443", "AzureCloud"),
        ("tcp", "443", "AzureActiveDirectory"),
        ("tcp", "443", "AzureFrontDoor.FirstParty"),
    }
    by_default = rules(expand().the("Network/networkSecurityGroups"))
    assert {each["access"] for each in by_default.values()} == {"Allow"}


def test_a_firewall_allows_names_and_not_all_of_azure() -> None:
    group = expand(**DENIED).the("Network/firewallPolicies/ruleCollectionGroups")["properties"]
    relays, web = group["ruleCollections"]
    # Azure Firewall takes no mixture of both kinds in a collection.
    assert {each["ruleType"] for each in relays["rules"]} == {"NetworkRule"}
    assert {each["ruleType"] for each in web["rules"]} == {"ApplicationRule"}
    for rule in web["rules"]:
        assert rule["protocols"] == [{"protocolType": "Https", "port": 443}]
    page, sign_in = (json.dumps(each["targetFqdns"]) for each in web["rules"])
    # Of the page, the app and the model, whose names only Azure knows.
    for part in ("'web-{0}'", "'api-{0}'", "'oai-"):
        assert part in page
    for host in ("loginEndpoint", "aadcdn.msauth.net", "logincdn.msauth.net", "login.live.com"):
        assert host in sign_in
    without_tokens = expand(**DENIED, tokenEndpoint="off")
    group = without_tokens.the("Network/firewallPolicies/ruleCollectionGroups")["properties"]
    assert "'oai-" not in json.dumps(group["ruleCollections"][1]["rules"][0])


def test_the_group_is_attached_to_a_subnet_of_others_and_leaves_the_rest_of_it() -> None:
    made = expand(**DENIED)
    subnet = made.the("Network/virtualNetworks/subnets")
    group = made.the("Network/networkSecurityGroups")["id"]
    assert subnet["id"] == DENIED["clientSubnetId"]
    said = subnet["properties"]
    assert f"createObject('networkSecurityGroup', createObject('id', '{group}'))" in said
    # Azure replaces a subnet whole: what it has is written back, but for what cannot be written.
    assert f"reference('{DENIED['clientSubnetId']}'" in said
    file = ROOT / "infra" / "modules" / "subnet-security-group.bicep"
    listed = re.search(r"var writable = \[(.*?)\]", file.read_text(encoding="utf-8"), re.S)
    assert listed
    kept = set(re.findall(r"'(\w+)'", listed[1]))
    assert {"addressPrefix", "addressPrefixes", "delegations", "routeTable", "natGateway"} <= kept
    assert not kept & {"provisioningState", "ipConfigurations", "purpose", "networkSecurityGroup"}
    assert expand().of("Network/virtualNetworks/subnets") == []


def test_every_subnet_says_whether_it_reaches_the_internet() -> None:
    said = {name: each["defaultOutboundAccess"] for name, each in subnets().items()}
    assert said == {"app": True, "private-endpoints": False}


def test_nothing_in_the_network_signs_in_to_other_machines() -> None:
    groups = expand(**EVERYTHING).of("Network/networkSecurityGroups")
    [own] = [each for each in groups if "clients" not in each["name"]]
    denied = [
        port
        for rule in rules(own).values()
        if (rule["access"], rule["direction"]) == ("Deny", "Outbound")
        for port in rule["destinationPortRanges"]
    ]
    assert denied == ["22", "3389"]


def test_private_endpoints_close_storage_and_the_vault() -> None:
    made = expand(**EVERYTHING)
    for closed in ("Storage/storageAccounts", "KeyVault/vaults"):
        assert made.the(closed)["properties"]["publicNetworkAccess"] == "Disabled"
    targets = {
        link["properties"]["groupIds"][0]: link["properties"]["privateLinkServiceId"]
        for endpoint in made.of("Network/privateEndpoints")
        for link in endpoint["properties"]["privateLinkServiceConnections"]
    }
    assert {*targets} == {"blob", "queue", "table", "vault"}
    assert made.the("KeyVault/vaults")["id"] == targets["vault"]
    assert {targets[part] for part in ("blob", "queue", "table")} == {
        made.the("Storage/storageAccounts")["id"]
    }
    open_to_all = expand(enablePrivateEndpoints=True)
    assert open_to_all.of("Network/privateEndpoints") == []
    assert (
        open_to_all.the("Storage/storageAccounts")["properties"]["publicNetworkAccess"] == "Enabled"
    )


def test_storage_in_use_is_closed_only_once_the_app_has_its_endpoints() -> None:
    made = expand(**EVERYTHING, closeLast=True)
    for kind in ("Storage/storageAccounts", "KeyVault/vaults"):
        first, last = made.of(kind)
        opened = [each["properties"]["publicNetworkAccess"] for each in (first, last)]
        assert opened == ["Enabled", "Disabled"]
        assert first["id"] == last["id"]
    modules = json.loads(template())["resources"]
    for name in ("closedStorage", "closedVault"):
        assert {"api", "privateEndpoint"} <= set(modules[name]["dependsOn"])
    # Nothing is waited for where nothing is closed.
    assert len(expand(closeLast=True).of("Storage/storageAccounts")) == 1


def test_the_apps_traffic_may_have_an_address_of_its_own() -> None:
    assert expand(**EVERYTHING).of("Network/natGateways") == []
    given = EVERYTHING | {"enableNatGateway": True}
    made = expand(**given)
    gateway, address = made.the("Network/natGateways"), made.the("Network/publicIPAddresses")
    assert gateway["properties"]["publicIpAddresses"] == [{"id": address["id"]}]
    assert address["sku"]["name"] == gateway["sku"]["name"] == "Standard"
    assert address["zones"] == ["1", "2", "3"]
    app = subnets(**given)["app"]
    assert (app["natGateway"]["id"], app["defaultOutboundAccess"]) == (gateway["id"], False)


def test_private_names_may_be_in_zones_of_others_or_left_to_a_policy() -> None:
    hub = "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-dns"
    made = expand(**EVERYTHING | {"privateDnsZones": hub})
    assert made.of("Network/privateDnsZones") == []
    assert made.of("Network/privateDnsZones/virtualNetworkLinks") == []
    zones = {
        each["properties"]["privateDnsZoneConfigs"][0]["properties"]["privateDnsZoneId"]
        for each in made.of("Network/privateEndpoints/privateDnsZoneGroups")
    }
    assert len(zones) == 4
    assert all(hub in each and "/privateDnsZones/" in each for each in zones)
    alone = expand(**EVERYTHING | {"privateDnsZones": "none"})
    assert len(alone.of("Network/privateEndpoints")) == 4
    assert alone.of("Network/privateDnsZones") == []
    assert alone.of("Network/privateEndpoints/privateDnsZoneGroups") == []


@pytest.mark.parametrize(
    ("cloud", "storage", "vault"),
    [
        ("AzureCloud", "core.windows.net", "azure.net"),
        ("AzureUSGovernment", "core.usgovcloudapi.net", "usgovcloudapi.net"),
        ("AzureChinaCloud", "core.chinacloudapi.cn", "azure.cn"),
    ],
)
def test_private_names_are_in_the_zones_of_their_cloud(
    cloud: str, storage: str, vault: str
) -> None:
    zones = expand(**EVERYTHING).of("Network/privateDnsZones")
    assert {evaluate(each["name"], cloud) for each in zones} == {
        *(f"privatelink.{part}.{storage}" for part in ("blob", "queue", "table")),
        f"privatelink.vaultcore.{vault}",
    }


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
