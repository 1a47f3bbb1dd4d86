"""Rules for every resource: its name, place, tags, locks, and the properties that it must have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.infra.rules.deployment import EXISTING_SITE, Deployment, at, type_of

OTHER_GROUPS = {
    "existingAiAccountResourceGroup": {
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.CognitiveServices/accounts/deployments",
    },
    "existingKeyVaultResourceGroup": {
        "Microsoft.Authorization/roleAssignments",
        "Microsoft.KeyVault/vaults/secrets",
    },
    "firewallPolicyResourceGroup": {"Microsoft.Network/firewallPolicies/ruleCollectionGroups"},
    "existingStaticWebAppResourceGroup": {"Microsoft.Web/staticSites/linkedBackends"},
}
"""What is made in the resource groups of others, by the parameter that names the group."""
UNTAGGED = {
    "Microsoft.Authorization/locks",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Consumption/budgets",
    "Microsoft.Insights/diagnosticSettings",
}
NAMED = {
    "Microsoft.Storage/storageAccounts": r"[a-z0-9]{3,24}",
    "Microsoft.Storage/storageAccounts/queueServices/queues": r"[a-z0-9]([a-z0-9-]{1,61})[a-z0-9]",
    "Microsoft.Storage/storageAccounts/tableServices/tables": r"[A-Za-z][A-Za-z0-9]{2,62}",
    "Microsoft.KeyVault/vaults": r"[a-zA-Z](?!.*--)[a-zA-Z0-9-]{1,22}[a-zA-Z0-9]",
    "Microsoft.CognitiveServices/accounts": r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}",
    "Microsoft.Web/sites": r"[a-zA-Z0-9-]{2,60}",
    "Microsoft.Web/staticSites": r"[a-zA-Z0-9-]{2,60}",
    "Microsoft.OperationalInsights/workspaces": r"[a-zA-Z0-9-]{4,63}",
    "Microsoft.Insights/actionGroups": r"[\w. -]{1,260}",
    "Microsoft.Network/privateEndpoints": r"[a-zA-Z0-9][\w.-]{0,62}\w",
}
MUSTS: dict[str, dict[str, Any]] = {
    "Storage/storageAccounts": {
        "properties.allowSharedKeyAccess": False,
        "properties.allowBlobPublicAccess": False,
        "properties.allowCrossTenantReplication": False,
        "properties.defaultToOAuthAuthentication": True,
        "properties.minimumTlsVersion": "TLS1_2",
        "properties.supportsHttpsTrafficOnly": True,
    },
    "Storage/storageAccounts/blobServices/containers": {"properties.publicAccess": "None"},
    "CognitiveServices/accounts": {"properties.disableLocalAuth": True},
    "Insights/components": {
        "properties.DisableLocalAuth": True,
        "properties.DisableIpMasking": False,
    },
    "OperationalInsights/workspaces": {"properties.features.disableLocalAuth": True},
    "KeyVault/vaults": {
        "properties.enableRbacAuthorization": True,
        "properties.enableSoftDelete": True,
    },
    "Web/serverfarms": {"sku.name": "FC1", "properties.reserved": True},
    "Web/sites": {
        "identity.type": "UserAssigned",
        "properties.httpsOnly": True,
        "properties.clientAffinityEnabled": False,
        "properties.siteConfig.minTlsVersion": "1.2",
        "properties.siteConfig.scmMinTlsVersion": "1.2",
        "properties.siteConfig.ftpsState": "Disabled",
        "properties.siteConfig.cors.allowedOrigins": [],
        "properties.functionAppConfig.runtime.name": "python",
        "properties.functionAppConfig.runtime.version": "3.12",
        "properties.functionAppConfig.deployment.storage.authentication.type": (
            "UserAssignedIdentity"
        ),
    },
    "Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
    "Web/staticSites": {"sku.name": "Standard"},
    # Another name would add a second backend, which a Static Web App cannot have.
    "Web/staticSites/linkedBackends": {"name": r"[\w-]+/api"},
    # Read-only, it would stop the next deployment.
    "Authorization/locks": {"properties.level": "CanNotDelete"},
}
LOCKED = (
    "Storage/storageAccounts",
    "KeyVault/vaults",
    "CognitiveServices/accounts",
    "OperationalInsights/workspaces",
)


def names(deployment: Deployment) -> Iterator[str]:
    """Azure takes every name, and no two resources are one."""
    counted = Counter(each["id"] for each in deployment.made.resources)
    for found, times in counted.items():
        if times > 1 and not deployment.is_on("closeLast"):
            yield f"{found} is made {times} times"
    for each in deployment.made.resources:
        name = str(each["name"]).rpartition("/")[2]
        if not re.fullmatch(NAMED.get(each["type"], ".+"), name):
            yield f"{each['type']}: Azure does not take the name {name}"
    for each in deployment.made.of("Insights/actionGroups"):
        if len(each["properties"]["groupShortName"]) > 12:
            yield "the short name of the action group is too long"


def musts(deployment: Deployment) -> Iterator[str]:
    for kind, wanted in MUSTS.items():
        for each in deployment.made.of(kind):
            for path, value in wanted.items():
                found = at(each, path)
                if path == "name":
                    if not re.fullmatch(value, str(found)):
                        yield f"{kind}: its name is {found}"
                elif found != value:
                    yield f"{kind}: {path} is {found}, not {value}"
    published = {
        each["name"].rpartition("/")[2]
        for each in deployment.made.of("Web/sites/basicPublishingCredentialsPolicies")
    }
    for name in sorted({"scm", "ftp"} - published):
        yield f"basic authentication for publishing over {name} is not disabled"
    for each in deployment.made.of("KeyVault/vaults"):
        # Once true, it may not be sent as false.
        if each["properties"].get("enablePurgeProtection") is False:
            yield "purge protection is sent as false"


def groups(deployment: Deployment) -> Iterator[str]:
    """In the resource groups of others only what has to be there."""
    allowed: dict[str, set[str]] = {}
    for parameter, types in OTHER_GROUPS.items():
        if name := deployment.given.get(parameter):
            allowed.setdefault(name, set()).update(types)
    for word in str(deployment.given.get("existingAiAccounts", "")).split(","):
        if "/" in word:
            name = word.partition("/")[0].strip()
            types = OTHER_GROUPS["existingAiAccountResourceGroup"]
            allowed.setdefault(name, set()).update(types)
    for each in deployment.made.resources:
        match = re.search(r"/resourceGroups/([\w.()-]+)", each["id"])
        if not match or match[1] == deployment.group:
            continue
        if each["type"] not in allowed.get(match[1], set()):
            yield f"{each['type']} {each['name']} is made in the resource group {match[1]}"


def tags(deployment: Deployment) -> Iterator[str]:
    """All that can be tagged is tagged with the environment and with what was asked for."""
    line = str(deployment.given.get("tagLine", ""))
    common = [word for word in line.split(",") if word and "/" not in word.partition("=")[0]]
    for each in deployment.made.resources:
        if each["type"].count("/") > 1 or each["type"] in UNTAGGED:
            continue
        found = each.get("tags") or {}
        wanted = {"azd-env-name": deployment.given["environmentName"]}
        wanted |= dict(word.strip().split("=", 1) for word in common)
        for name, value in wanted.items():
            if found.get(name) != value:
                yield f"{each['type']} {each['name']}: its tag {name} is {found.get(name)}"


def services(deployment: Deployment) -> Iterator[str]:
    """azd finds each service by one tag, and no page where there is none."""
    tagged = Counter(
        (each.get("tags") or {}).get("azd-service-name") for each in deployment.made.resources
    )
    page = deployment.is_on("enableStaticWebApp", default=True)
    page = page and not deployment.given.get(EXISTING_SITE)
    for name, wanted in (("api", 1), ("web", int(page))):
        if tagged[name] != wanted:
            yield f"{tagged[name]} resources are the service {name}, not {wanted}"


def locks(deployment: Deployment) -> Iterator[str]:
    """With locks, all that cannot be made again is locked; without, nothing is."""
    locked = {
        each["id"].partition("/providers/Microsoft.Authorization/")[0]
        for each in deployment.made.of("Authorization/locks")
    }
    wanted = {
        each["id"]
        for kind in LOCKED
        for each in deployment.made.of(kind)
        if deployment.is_on("enableDeleteLocks")
    }
    if locked != wanted:
        yield f"locked: {sorted(type_of(each) for each in locked ^ wanted)} too many or too few"


def previews(deployment: Deployment) -> Iterator[str]:
    """A preview (what-if) shows everything but grants: it leaves out a resource whose name or
    condition depends on an output."""
    for each in deployment.made.resources:
        if each["type"] == "Microsoft.Authorization/roleAssignments":
            continue
        if "reference(" in each["id"]:
            yield f"a preview does not show {each['type']} {each['name']}"
        # Whether there is a secret depends on a secure parameter, which no preview shows.
        if "condition" in each and not each["type"].endswith("/secrets"):
            yield f"whether there is a {each['type']} depends on what a preview does not know"
