"""Rules for who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.infra.product import ROLES
from tests.infra.rules.deployment import Deployment, type_of

MODEL_ROLES = {name for name in ROLES.values() if name.startswith("Cognitive Services")}
APP_ROLES = {
    "Storage Blob Data Owner": "Microsoft.Storage/storageAccounts",
    "Storage Queue Data Contributor": "Microsoft.Storage/storageAccounts",
    "Storage Table Data Contributor": "Microsoft.Storage/storageAccounts",
    "Monitoring Metrics Publisher": "Microsoft.Insights/components",
    **dict.fromkeys(MODEL_ROLES, "Microsoft.CognitiveServices/accounts"),
}


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
