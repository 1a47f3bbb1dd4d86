"""What a network of browsers has to let through, as a security group and as a firewall's rules."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.infra.expansion import expand, expand_template, needs_compiler, template
from tests.infra.rules.network import rules_by_name

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
DENIED = {
    "clientDenyInternet": True,
    "clientSubnetId": (
        "/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-desks"
        "/providers/Microsoft.Network/virtualNetworks/vnet-desks/subnets/browsers"
    ),
    "firewallPolicyName": "corporate",
    "firewallPolicyResourceGroup": "rg-hub",
}


@pytest.mark.parametrize("location", LOCATIONS)
def test_the_rule_for_3478_names_a_service_tag_that_exists(location: str) -> None:
    """A region's tag is not always its name, and one unknown tag fails the whole deployment."""
    made = expand(location=location, firewallPolicyName="corporate")
    clients = rules_by_name(made.the("Network/networkSecurityGroups"))
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
    rule = rules_by_name(made.the("Network/networkSecurityGroups"))["allow-realtime-udp-3478"]
    assert rule["destinationAddressPrefix"] == "AzureCloud.centralfrance"
    assert made.the("Web/sites")["location"] == "eastus2"
    assert made.the("CognitiveServices/accounts")["location"] == "francecentral"


def test_a_rule_for_3478_names_one_tag_and_each_region_has_its_own() -> None:
    """A security rule takes one service tag; a firewall's takes a list."""
    made = expand_template(
        template(ROOT / "infra" / "modules" / "turn-rule.bicep"),
        {"modelRegions": "eastus2, France Central,eastus2", "firewallPolicyName": "corporate"},
    )
    clients = rules_by_name(made.the("Network/networkSecurityGroups"))
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
    made = rules_by_name(expand(**DENIED).the("Network/networkSecurityGroups"))
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
    by_default = rules_by_name(expand().the("Network/networkSecurityGroups"))
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


def test_a_firewall_allows_every_endpoint_though_the_first_has_a_gateway() -> None:
    made = expand(
        **DENIED,
        modelLocations="swedencentral",
        realtimeGatewayEndpoint="https://gateway.example.com/openai",
    )
    group = made.the("Network/firewallPolicies/ruleCollectionGroups")["properties"]
    page = json.dumps(group["ruleCollections"][1]["rules"][0]["targetFqdns"])
    assert "https://gateway.example.com" in page
    # The addresses of all, which only Azure knows.
    assert "outputs.endpointAddresses" in page


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
