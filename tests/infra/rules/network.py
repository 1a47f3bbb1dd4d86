"""Rules for what the network lets through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.infra.rules.deployment import Deployment

# Microsoft's list of service tags (November 2026), where they are not called like their region.
TAGS = {"francecentral": "AzureCloud.centralfrance"}


def model_regions(deployment: Deployment) -> list[str]:
    """The region of each account that calls go to."""
    given = deployment.given
    first = given.get("modelLocation") or given["location"]
    return [first, *(each["region"] for each in deployment.endpoints if each.get("region"))]


def port_3478(deployment: Deployment) -> Iterator[str]:
    """Browsers reach the relays of every region that has an account, over UDP and TCP."""
    wanted = {TAGS.get(each, f"AzureCloud.{each}") for each in model_regions(deployment)}
    for group in deployment.made.of("Network/networkSecurityGroups"):
        rules = [each["properties"] for each in group["properties"]["securityRules"]]
        taken = Counter((each["direction"], each["priority"]) for each in rules)
        if any(times > 1 for times in taken.values()):
            yield f"two rules of {group['name']} have one priority"
        if any("*" in each for each in opened(rules)):
            yield f"{group['name']} opens every port"
        if "clients" not in group["name"]:
            continue
        for protocol in ("Udp", "Tcp"):
            found = {
                each["destinationAddressPrefix"]
                for each in rules
                if each["protocol"] == protocol and each["destinationPortRange"] == "3478"
                if (each["access"], each["direction"]) == ("Allow", "Outbound")
            }
            if found != wanted:
                yield f"port 3478 is open to {sorted(found)} over {protocol}, not {sorted(wanted)}"
    for group in deployment.made.of("Network/firewallPolicies/ruleCollectionGroups"):
        found = {
            address
            for collection in group["properties"]["ruleCollections"]
            for rule in collection["rules"]
            if "3478" in rule.get("destinationPorts", [])
            for address in rule["destinationAddresses"]
        }
        if found != wanted:
            yield f"the firewall opens port 3478 to {sorted(found)}, not {sorted(wanted)}"


def opened(rules: list[dict[str, Any]]) -> Iterator[str]:
    for rule in rules:
        if rule["access"] == "Allow":
            yield str(rule.get("destinationPortRange", rule.get("destinationPortRanges")))


def private(deployment: Deployment) -> Iterator[str]:
    """Storage and the vault are closed to the public exactly where private endpoints reach them."""
    targets = {
        part: link["properties"]["privateLinkServiceId"]
        for endpoint in deployment.made.of("Network/privateEndpoints")
        for link in endpoint["properties"]["privateLinkServiceConnections"]
        for part in link["properties"]["groupIds"]
    }
    if targets and set(targets) != {"blob", "queue", "table", "vault"}:
        yield f"private endpoints reach {sorted(targets)} alone"
    for kind in ("Storage/storageAccounts", "KeyVault/vaults"):
        # Where it is closed last, the last one counts.
        for each in deployment.made.of(kind)[-1:]:
            properties = each["properties"]
            closed = each["id"] in targets.values()
            wanted = ("Disabled", "Deny") if closed else ("Enabled", "Allow")
            found = (properties["publicNetworkAccess"], properties["networkAcls"]["defaultAction"])
            if found != wanted:
                yield f"{kind}: public access is {found}, not {wanted}"
    for network in deployment.made.of("Network/virtualNetworks"):
        for subnet in network["properties"]["subnets"]:
            if "defaultOutboundAccess" not in subnet["properties"]:
                yield f"the subnet {subnet['name']} does not say whether it reaches the internet"
    subnet = deployment.made.the("Web/sites")["properties"].get("virtualNetworkSubnetId")
    if targets and not subnet:
        yield "the app is not in the network that storage and vault are closed to"


def rules_by_name(group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rules of a network security group, by name."""
    return {each["name"]: each["properties"] for each in group["properties"]["securityRules"]}
