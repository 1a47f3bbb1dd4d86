"""The network of the app: its subnets, private endpoints and their names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.infra.arm import evaluate
from tests.infra.cases import EVERYTHING
from tests.infra.expansion import expand, needs_compiler, template
from tests.infra.rules.network import rules_by_name

pytestmark = needs_compiler


def subnets(**given: Any) -> dict[str, dict[str, Any]]:
    network = expand(**EVERYTHING | given).the("Network/virtualNetworks")
    return {each["name"]: each["properties"] for each in network["properties"]["subnets"]}


def test_every_subnet_says_whether_it_reaches_the_internet() -> None:
    said = {name: each["defaultOutboundAccess"] for name, each in subnets().items()}
    assert said == {"app": True, "private-endpoints": False}


def test_nothing_in_the_network_signs_in_to_other_machines() -> None:
    groups = expand(**EVERYTHING).of("Network/networkSecurityGroups")
    [own] = [each for each in groups if "clients" not in each["name"]]
    denied = [
        port
        for rule in rules_by_name(own).values()
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
