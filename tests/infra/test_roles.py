"""What the identities may do, read from the resources that the compiler says would be deployed."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

import pytest
from azd_tools import MODEL_ROLES, model_role, parameters

from tests.infra.expansion import expand, needs_compiler
from tests.infra.product import ROLES

pytestmark = needs_compiler

EXISTING = {
    "existingAiAccountName": "shared-account",
    "existingAiAccountResourceGroup": "rg-shared",
    "existingKeyVaultName": "shared-vault",
    "existingKeyVaultResourceGroup": "rg-shared",
}
# What Storage Blob Data Owner may do to blobs, as Azure's documentation lists it for conditions on
# a container's name ("Scale the management of Azure role assignments by using conditions").
BLOB_ACTIONS = {
    "read", "write", "delete", "add/action", "deleteBlobVersion/action",
    "manageOwnership/action", "modifyPermissions/action", "move/action",
    "permanentDelete/action", "runAsSuperUser/action", "tags/read", "tags/write",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Assignment:
    """A role assignment: whose, which role and on what, by their short names."""

    principal: str
    role: str
    scope: str
    condition: str = ""


def assignments(**given: str) -> list[Assignment]:
    return sorted(
        Assignment(
            {"identity": "app", "deploymentIdentity": "deployment"}[each.principal],
            ROLES[each.role],
            re.sub(r"[0-9a-z]{13}\b", "*", "/".join(each.scope.split("/")[7:])),
            each.condition,
        )
        for each in expand(**given).grants
    )


def of_the_app(*types: str, **given: str) -> list[tuple[str, str]]:
    return [
        (each.role, each.scope)
        for each in assignments(**given)
        if each.principal == "app" and each.scope.startswith(types)
    ]


def allows(condition: str, action: str, container: str) -> bool:
    """What Azure makes of a condition of the one form that is used here."""
    prefix = "Microsoft.Storage/storageAccounts/blobServices/containers"
    form = re.fullmatch(
        rf"\(\((?P<actions>(?:!\(ActionMatches\{{'{prefix}/blobs/[\w/]+'\}}\)(?: AND )?)+)\)"
        rf" OR \(@Resource\[{prefix}:name\] StringNotEquals '(?P<container>[\w-]+)'\)\)",
        condition,
    )
    assert form, condition
    named = set(re.findall(r"/blobs/([\w/]+)'", form["actions"]))
    return action not in named or container != form["container"]


def test_every_role_that_is_assigned_is_meant_to_be() -> None:
    assert [(each.principal, each.role, each.scope) for each in assignments()] == [
        ("app", "Cognitive Services User", "accounts/oai-*"),
        ("app", "Key Vault Secrets User", "vaults/kv-*"),
        ("app", "Monitoring Metrics Publisher", "components/appi-*"),
        ("app", "Storage Blob Data Owner", "storageAccounts/st*"),
        ("app", "Storage Queue Data Contributor", "storageAccounts/st*"),
        ("app", "Storage Table Data Contributor", "storageAccounts/st*"),
        (
            "deployment",
            "Storage Blob Data Contributor",
            "storageAccounts/st*/blobServices/default/containers/app-package",
        ),
    ]


def test_the_apps_identity_does_not_reach_its_own_package() -> None:
    [owner] = [each for each in assignments() if each.role == "Storage Blob Data Owner"]
    for action in BLOB_ACTIONS:
        assert not allows(owner.condition, action, "app-package"), action
        for container in ("transcripts", "azure-webjobs-hosts", "azure-webjobs-secrets"):
            assert allows(owner.condition, action, container), action


def test_the_package_is_stored_with_the_identity_that_reaches_it() -> None:
    app = expand().the("Web/sites")
    storage = app["properties"]["functionAppConfig"]["deployment"]["storage"]
    identity = storage["authentication"]["userAssignedIdentityResourceId"]
    assert "/id-deployment-" in identity
    assert identity in app["identity"]["userAssignedIdentities"]
    assert storage["value"].endswith("'app-package')]")
    # What the app and its host sign in with is named, and is the other identity.
    for name in ("AZURE_CLIENT_ID", "AzureWebJobsStorage__clientId"):
        assert "format('identity-{0}'" in expand().app_settings[name]


def test_an_account_of_others_is_not_given_away_with_its_keys() -> None:
    assert of_the_app("accounts", **EXISTING) == [
        ("Cognitive Services OpenAI User", "accounts/shared-account")
    ]


def test_of_a_vault_of_others_the_app_reads_one_secret() -> None:
    assert of_the_app("vaults", **EXISTING) == [
        ("Key Vault Secrets User", "vaults/shared-vault/secrets/broker-secret")
    ]


def test_of_a_vault_of_others_the_app_reads_what_its_settings_name() -> None:
    given = EXISTING | {"realtimeGatewayKeyInVault": "gateway-key"}
    assert of_the_app("vaults", **given) == [
        ("Key Vault Secrets User", "vaults/shared-vault/secrets/broker-secret"),
        ("Key Vault Secrets User", "vaults/shared-vault/secrets/gateway-key"),
    ]


def test_of_a_vault_of_others_the_app_reads_the_keys_of_its_endpoints_too() -> None:
    further = [{"name": "openai", "provider": "openai", "key_secret": "openai-key"}]
    encoded = base64.b64encode(json.dumps(further).encode()).decode()
    assert of_the_app("vaults", **EXISTING, realtimeEndpointsBase64=encoded) == [
        ("Key Vault Secrets User", "vaults/shared-vault/secrets/broker-secret"),
        ("Key Vault Secrets User", "vaults/shared-vault/secrets/openai-key"),
    ]


@pytest.mark.parametrize("role", MODEL_ROLES)
def test_the_role_on_the_account_can_be_chosen(role: str) -> None:
    assert of_the_app("accounts", modelRole=role) == [(role, "accounts/oai-*")]


@pytest.mark.parametrize("given", [{}, EXISTING], ids=["new", "existing"])
def test_the_hooks_know_which_role_is_assigned(given: dict[str, str]) -> None:
    chosen = parameters({}) | given
    [(role, _)] = of_the_app("accounts", **given)
    assert role == model_role(chosen)
