"""Rules for what is deployed, whichever parameters are given. They judge the resources that the
deployment engine would make, not the text that they are made from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.config.settings_loader import NAMES
from tests.infra.arm import evaluate
from tests.infra.expansion import GIVEN, Expansion
from tests.infra.product import ROLES

# Microsoft's list of service tags (November 2026), where they are not called like their region.
TAGS = {"francecentral": "AzureCloud.centralfrance"}
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
MODEL_ROLES = {name for name in ROLES.values() if name.startswith("Cognitive Services")}
APP_ROLES = {
    "Storage Blob Data Owner": "Microsoft.Storage/storageAccounts",
    "Storage Queue Data Contributor": "Microsoft.Storage/storageAccounts",
    "Storage Table Data Contributor": "Microsoft.Storage/storageAccounts",
    "Monitoring Metrics Publisher": "Microsoft.Insights/components",
    **dict.fromkeys(MODEL_ROLES, "Microsoft.CognitiveServices/accounts"),
}
LOCKED = (
    "Storage/storageAccounts",
    "KeyVault/vaults",
    "CognitiveServices/accounts",
    "OperationalInsights/workspaces",
)


@dataclass(frozen=True)
class Deployment:
    """What is deployed, and the parameters that were given."""

    made: Expansion
    given: Mapping[str, Any]

    def is_on(self, name: str, default: bool = False) -> bool:
        return bool(self.given.get(name, default))

    @cached_property
    def group(self) -> str:
        """The resource group that is created."""
        return str(self.made.the("Resources/resourceGroups")["name"])

    @cached_property
    def endpoints(self) -> list[dict[str, Any]]:
        """The list that the app gets; empty if it has one endpoint."""
        found: list[dict[str, Any]] = json.loads(
            evaluate(self.made.app_settings["REALTIME_ENDPOINTS"]) or "[]"
        )
        return found


def findings(made: Expansion, given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a deployment."""
    deployment = Deployment(made, {**GIVEN, **given})
    for rule in (
        *(names, musts, groups, tags, grants, model_grants, settings, origins, models),
        *(port_3478, private, services, queues, locks, zones, alerts, previews, sites),
    ):
        yield from rule(deployment)


def at(resource: Mapping[str, Any], path: str) -> Any:
    found: Any = resource
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def type_of(scope: str) -> str:
    """The type of a resource by its id."""
    provider, *rest = scope.split("/providers/")[-1].split("/")
    return "/".join([provider, *rest[::2]])


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


def grants(deployment: Deployment) -> Iterator[str]:
    """Who may do what: the roles that the product needs, each where it is needed."""
    for assignment in deployment.made.of("Authorization/roleAssignments"):
        if not assignment["properties"].get("principalType"):
            yield "a role assignment does not say the type of its principal"
    for each in deployment.made.grants:
        role, kind = ROLES.get(each.role, each.role), type_of(each.scope)
        said = f"{each.principal} has the role {role} on {kind} {each.scope.rpartition('/')[2]}"
        if each.principal == "identity":
            if role == "Key Vault Secrets User":
                shared = bool(deployment.given.get("existingKeyVaultName"))
                wanted = "Microsoft.KeyVault/vaults" + ("/secrets" if shared else "")
            else:
                wanted = APP_ROLES.get(role, "")
            if kind != wanted:
                yield said
            if role == "Storage Blob Data Owner" and "'app-package'" not in each.condition:
                yield f"{said}, the app's package included"
        elif each.principal == "deploymentIdentity":
            package = each.scope.endswith("/containers/app-package")
            if role != "Storage Blob Data Contributor" or not package:
                yield said
        elif each.principal == deployment.given.get("callEndedPrincipalId"):
            if role != "Storage Queue Data Contributor" or "/queues/call-ended" not in each.scope:
                yield said
        elif (
            each.principal != deployment.given.get("principalId")
            or not deployment.is_on("enableDeveloperAccess", default=True)
            or kind != "Microsoft.CognitiveServices/accounts"
            or role not in MODEL_ROLES
        ):
            yield said


def model_grants(deployment: Deployment) -> Iterator[str]:
    """The app may use each account, and of others' does not get to read the keys by default."""
    own = {each["id"] for each in deployment.made.of("CognitiveServices/accounts")}
    usable = {}
    for each in deployment.made.grants:
        if each.principal == "identity" and type_of(each.scope).startswith("Microsoft.Cognitive"):
            usable[each.scope] = ROLES.get(each.role, each.role)
    for missing in sorted(own - set(usable)):
        yield f"the app may not use {missing.rpartition('/')[2]}"
    for scope, role in usable.items():
        named = bool(deployment.given.get("modelRole"))
        if scope not in own and not named and role == "Cognitive Services User":
            yield f"the app may list the keys of {scope.rpartition('/')[2]}"
    wanted = max(1, len(deployment.endpoints))
    bicep_made = wanted - len(further_endpoints(deployment))
    if len(usable) != bicep_made:
        yield f"the app may use {len(usable)} accounts and is told of {bicep_made}"


def further_endpoints(deployment: Deployment) -> list[dict[str, Any]]:
    """The endpoints that are in no account of this deployment."""
    return [each for each in deployment.endpoints if each["provider"] != "azure"]


def settings(deployment: Deployment) -> Iterator[str]:
    """Each setting is text that the app knows and a page of the portal may show."""
    found: Mapping[str, Any] = deployment.made.app_settings
    platform = (
        *("AzureWebJobsStorage__", "APPLICATIONINSIGHTS_", "AzureFunctionsJobHost__"),
        # The host's switch of one function.
        "AzureWebJobs.observe_call.Disabled",
    )
    for name, value in found.items():
        if not isinstance(value, str):
            yield f"the setting {name} is not text"
        elif re.search(r"listKeys|AccountKey", value) or name.endswith(("PASSWORD", "_API_KEY")):
            yield f"the setting {name} holds a key"
        if name not in NAMES and not name.startswith((*platform, "AZURE_CLIENT_ID")):
            yield f"the app has no setting {name}"
    for service in ("blob", "queue", "table"):
        if f"AzureWebJobsStorage__{service}ServiceUri" not in found:
            yield f"the app is not told where the {service} service is"
    if found.get("AzureWebJobsStorage__credential") != "managedidentity":
        yield "the app does not reach storage with its identity"
    named = [each["name"] for each in deployment.endpoints]
    if named and (named[0] != "default" or len(named) != len(set(named))):
        yield f"the endpoints are called {named}"


def origins(deployment: Deployment) -> Iterator[str]:
    """The page of the deployment may call, and every origin that was given."""
    allowed = [each for each in deployment.made.app_settings["ALLOWED_ORIGINS"].split(",") if each]
    page = bool(deployment.made.of("Web/staticSites") or deployment.given.get(EXISTING_SITE))
    given = str(deployment.given.get("allowedOrigins", ""))
    if page and not any("reference(" in each for each in allowed):
        yield "the page is not among the allowed origins"
    if not page and "reference(" in ",".join(allowed):
        yield "a page that is not there is among the allowed origins"
    for each in filter(None, given.split(",")):
        if each not in deployment.made.app_settings["ALLOWED_ORIGINS"]:
            yield f"{each} is not among the allowed origins"


EXISTING_SITE = "existingStaticWebAppName"


def models(deployment: Deployment) -> Iterator[str]:
    """Every account has the same deployments, each with a version and units."""
    by_account: dict[str, set[str]] = {}
    for each in deployment.made.of("CognitiveServices/accounts/deployments"):
        account = each["id"].rpartition("/deployments/")[0]
        by_account.setdefault(account, set()).add(each["name"].rpartition("/")[2])
        model = each["properties"]["model"]
        if not model["version"] or each["sku"]["capacity"] < 1:
            yield f"{model['name']} has no version or no units"
        if each["properties"]["versionUpgradeOption"] == "OnceNewDefaultVersionAvailable":
            yield f"{model['name']} changes its version by itself"
    if len({frozenset(each) for each in by_account.values()}) > 1:
        yield f"the accounts have different deployments: {by_account}"
    switched = deployment.is_on("enableModelDeployment", default=True)
    if switched != bool(by_account):
        yield "the model is deployed exactly where it should not be"
    realtime = deployment.made.app_settings["REALTIME_MODEL"]
    for account, found in by_account.items():
        if realtime not in found:
            yield f"{account.rpartition('/')[2]} has no deployment {realtime}"


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


def sites(deployment: Deployment) -> Iterator[str]:
    """The app is linked to one site exactly where it believes that."""
    links = deployment.made.of("Web/staticSites/linkedBackends")
    said = deployment.made.app_settings["STATIC_WEB_APP_LINKED"]
    if said != ("on" if links else "off") or len(links) > 1:
        yield f"the app has {len(links)} links and believes {said}"
    for link in links:
        # Only Azure knows it: an output of the module that makes the app.
        if "format('api-{0}'" not in link["properties"]["backendResourceId"]:
            yield "the site is linked to another app"
        if link["properties"]["region"] != deployment.given["location"]:
            yield "the link is in another region than the app"


def queues(deployment: Deployment) -> Iterator[str]:
    """Each queue has its poison queue from the start, and transcripts end."""
    found = {
        each["name"].rpartition("/")[2]
        for each in deployment.made.of("Storage/storageAccounts/queueServices/queues")
    }
    for name in sorted(found):
        if not name.endswith("-poison") and f"{name}-poison" not in found:
            yield f"queue {name} has no poison queue"
    days = deployment.given.get("transcriptRetentionDays", 30)
    policies = deployment.made.of("Storage/storageAccounts/managementPolicies")
    if bool(policies) != (days > 0):
        yield "transcripts are deleted exactly where they should not be"
    for each in policies:
        for rule in each["properties"]["policy"]["rules"]:
            definition = rule["definition"]
            if "appendBlob" not in definition["filters"]["blobTypes"]:
                yield "transcripts (append blobs) are never deleted"
            if at(definition, "actions.baseBlob.delete.daysAfterModificationGreaterThan") != days:
                yield "transcripts are deleted after another time than was chosen"


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


def zones(deployment: Deployment) -> Iterator[str]:
    """A zonal plan keeps two instances of each group warm; no other is zonal."""
    zonal = deployment.made.the("Web/serverfarms")["properties"].get("zoneRedundant", False)
    if zonal != deployment.is_on("enableZoneRedundancy"):
        yield f"the plan's zone redundancy is {zonal}"
    config = deployment.made.the("Web/sites")["properties"]["functionAppConfig"]
    warm = {
        each["name"]: each["instanceCount"] for each in config["scaleAndConcurrency"]["alwaysReady"]
    }
    if zonal and not (set(warm) == {"http", "function:observe_call"} and min(warm.values()) >= 2):
        yield f"a zonal plan keeps {warm} warm"
    for name, parameter in (("http", "alwaysReadyHttp"), ("function:observe_call", OBSERVERS)):
        if warm.get(name, 0) < deployment.given.get(parameter, 0):
            yield f"{warm.get(name, 0)} instances are kept warm for {name}"


OBSERVERS = "alwaysReadyObserver"


def alerts(deployment: Deployment) -> Iterator[str]:
    """Every alert looks at the workspace and tells who is to be told."""
    workspace = deployment.given.get("existingWorkspaceId") or ""
    own = deployment.made.of("OperationalInsights/workspaces")
    workspace = workspace or own[0]["id"]
    people = {each["id"] for each in deployment.made.of("Insights/actionGroups")}
    if bool(people) != bool(
        deployment.given.get("alertEmail") and deployment.is_on("enableAlerts", default=True)
    ):
        yield "an action group is there exactly where it should not be"
    for each in deployment.made.of("Insights/scheduledQueryRules"):
        if each["properties"]["scopes"] != [workspace]:
            yield f"{each['name']} does not look at the workspace"
        if set(each["properties"]["actions"]["actionGroups"]) != people:
            yield f"{each['name']} tells nobody"
        for criterion in each["properties"]["criteria"]["allOf"]:
            if re.search(r"\{(app|storage)\}", criterion["query"]):
                yield f"{each['name']} asks for no app"
    for each in deployment.made.of("Insights/diagnosticSettings"):
        if each["properties"]["workspaceId"] != workspace:
            yield f"{each['id']} does not go to the workspace"


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
