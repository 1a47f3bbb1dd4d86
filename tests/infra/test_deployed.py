"""Every switch, and the pairs that meet, deploys what it should; and the rules find mistakes."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.infra.cases import CASES, SWITCHES
from tests.infra.deployed import findings
from tests.infra.expansion import GIVEN, compiler, expand, expand_template, needs_compiler

pytestmark = needs_compiler
ROOT = Path(__file__).parent.parent.parent
MAIN = (ROOT / "infra" / "main.bicep").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_what_is_deployed_keeps_its_rules(name: str) -> None:
    assert [*findings(expand(**CASES[name]), CASES[name])] == []


def test_every_switch_is_tried() -> None:
    """Of the parameters that decide what is made: those that are on or off, or name what exists."""
    switches = set(
        re.findall(
            r"^param (enable\w+|existing\w+|closeLast|observeElsewhere) ", MAIN, re.MULTILINE
        )
    )
    tried = {name for given in CASES.values() for name in given}
    assert switches - tried == set()


def test_every_switch_changes_what_is_deployed() -> None:
    plain = expand().resources
    same = [
        name
        for name, given in SWITCHES.items()
        if name not in ("defaults", "no secret", "principal of a pipeline")
        and expand(**given).resources == plain
    ]
    # Without a network there is nothing for them to be in, and a deployer of no name gets no role.
    assert same == ["no developer access", "private endpoints without a network"]


def test_a_tag_of_a_type_is_on_that_type_alone() -> None:
    everything = {
        **{"enableVirtualNetwork": True, "enablePrivateEndpoints": True, "enableNatGateway": True},
        **{"alertEmail": "operator@example.com", "enableWebTest": True},
    }
    kinds = sorted({each["type"] for each in expand(**everything).resources if "tags" in each})
    assert len(kinds) > 15
    line = ",".join(f"{kind}:only={number}" for number, kind in enumerate(kinds))
    for each in expand(**everything, tagLine=line).resources:
        if "tags" in each:
            assert each["tags"]["only"] == str(kinds.index(each["type"])), each["id"]
    typed = {kind: {"only": str(number)} for number, kind in enumerate(kinds)}
    assert (
        expand(**everything, typeTags=typed).resources
        == expand(**everything, tagLine=line).resources
    )


@dataclass(frozen=True)
class Mistake:
    """A replacement in a file of infra/, and what is found of the deployment that it spoils."""

    file: str
    old: str
    new: str
    found: str
    case: str = "defaults"


MISTAKES = {
    "a service tag like the region's name": Mistake(
        "modules/turn-rule.bicep", "  francecentral: 'centralfrance'\n", "",
        "port 3478 is open to ['AzureCloud.francecentral']", "location francecentral",
    ),
    "relays of the first region alone": Mistake(
        "main.bicep", "    modelRegions: join(modelRegions, ',')\n    location: location\n    tags",
        "    modelRegions: modelRegions[0]\n    location: location\n    tags",
        "port 3478 is open to ['AzureCloud.eastus2'] over Tcp", "regions",
    ),
    "two rules of one priority": Mistake(
        "modules/turn-rule.bicep", "priority: 200 + 10 * i", "priority: 200 + i - i",
        "have one priority",
    ),
    "a rule for UDP that says TCP": Mistake(
        "modules/turn-rule.bicep", "protocol: way.protocol",
        "protocol: way.protocol == 'Udp' ? 'Tcp' : 'Tcp'", "over Udp, not", "model location",
    ),
    "the package open to the app": Mistake(
        "modules/access.bicep", "StringNotEquals \\'${packageContainer}\\'",
        "StringNotEquals \\'transcripts\\'", "the app's package included",
    ),
    "every secret of somebody's vault": Mistake(
        "modules/vault-access.bicep", "scope: named[i]", "scope: vault",
        "has the role Key Vault Secrets User on Microsoft.KeyVault/vaults shared-vault",
        "existing vault",
    ),
    "the keys of somebody's account": Mistake(
        "main.bicep", "existingAccount: each.existing", "existingAccount: false",
        "may list the keys of shared-account", "existing account",
    ),
    "a role for the deployer who wanted none": Mistake(
        "main.bicep", "enableDeveloperAccess ? principalId : ''",
        "enableDeveloperAccess ? principalId : '${principalId}'", "someone has the role",
        "no developer access",
    ),
    "a role that is too much": Mistake(
        "modules/access.bicep", "3913510d-42f4-4e42-8a64-420c390055eb",
        "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
        "has the role 749f88d5-cbae-40b8-bcfc-e573ddc772fa",
    ),
    "a role for a principal of unknown kind": Mistake(
        "modules/model-access.bicep", "    principalType: 'ServicePrincipal'\n", "",
        "does not say the type of its principal",
    ),
    "a secret in the wrong group": Mistake(
        "main.bicep", "module vaultSecret 'modules/vault-secret.bicep' = {\n"
        "  scope: resourceGroup(vaultGroup)", "module vaultSecret 'modules/vault-secret.bicep' = {"
        "\n  scope: resourceGroup(accountGroup)", "is made in the resource group rg-shared",
        "existing account and vault",
    ),
    "models in new accounts alone": Mistake(
        "main.bicep", "enableModelDeployment ? accounts : []",
        "enableModelDeployment ? newAccounts : []",
        "the model is deployed exactly where it should not be", "existing account",
    ),
    "a model that changes by itself": Mistake(
        "modules/model.bicep", "'OnceCurrentVersionExpired'", "'OnceNewDefaultVersionAvailable'",
        "gpt-realtime-1.5 changes its version by itself",
    ),
    "an endpoint that loses its calls": Mistake(
        "main.bicep", "  endpoint: 'default'", "  endpoint: accountLocation",
        "the endpoints are called ['eastus2'", "regions",
    ),
    "storage that is closed and open": Mistake(
        "modules/storage.bicep", "publicNetworkAccess == 'Enabled' ? 'Allow' : 'Deny'",
        "publicNetworkAccess == 'Enabled' ? 'Allow' : 'Allow'", "('Disabled', 'Allow')",
        "private endpoints",
    ),
    "a part of storage that nobody reaches": Mistake(
        "main.bicep",
        "  { part: 'queue', target: storageId, zone: 'privatelink.queue.${suffix}' }\n", "",
        "private endpoints reach ['blob', 'table', 'vault'] alone", "private endpoints",
    ),
    "an app outside its network": Mistake(
        "modules/api.bicep", "empty(subnetId) ? null : subnetId", "empty(subnetId) ? null : null",
        "the app is not in the network", "private endpoints",
    ),
    "a subnet that leaves it to the version": Mistake(
        "modules/network.bicep", "          defaultOutboundAccess: false\n", "",
        "the subnet private-endpoints does not say", "network",
    ),
    "a second backend": Mistake(
        "modules/web-link.bicep", "name: 'api'", "name: 'backend'", "its name is",
    ),
    "a link to another region": Mistake(
        "main.bicep", "backendRegion: location", "backendRegion: accountLocation",
        "in another region than the app", "model location",
    ),
    "an app that believes in a link": Mistake(
        "main.bicep", "STATIC_WEB_APP_LINKED: linked ? 'on' : 'off'",
        "STATIC_WEB_APP_LINKED: enableLinkedBackend ? 'on' : 'off'",
        "the app has 0 links and believes on", "no site, and nothing said of the link",
    ),
    "a page that may not call": Mistake(
        "main.bicep", "concat(hasSite ? [pageUri]", "concat(ownSite ? [pageUri]",
        "the page is not among the allowed origins", "existing site",
    ),
    "a service that azd cannot find": Mistake(
        "modules/web.bicep", "'azd-service-name': 'web'", "'azd-service-name': 'site'",
        "0 resources are the service web, not 1",
    ),
    "a site without its environment's tag": Mistake(
        "main.bicep", "    location: siteLocation\n    tags: allTags",
        "    location: siteLocation\n    tags: tags",
        "its tag azd-env-name is None",
    ),
    "a lock that stops the next deployment": Mistake(
        "modules/vault.bicep", "level: 'CanNotDelete'", "level: 'ReadOnly'",
        "properties.level is ReadOnly", "locks",
    ),
    "an account that is not locked": Mistake(
        "modules/account.bicep", "if (enableDeleteLock)", "if (enableDeleteLock && kind == 'x')",
        "locked: ['Microsoft.CognitiveServices/accounts']", "locks",
    ),
    "a zonal plan that cannot be": Mistake(
        "modules/api.bicep", "max(alwaysReadyObserver, leastWarm)", "max(alwaysReadyObserver, 0)",
        "a zonal plan keeps", "zones",
    ),
    "an alert that looks at nothing": Mistake(
        "modules/alerts.bicep", "scopes: [workspaceId]", "scopes: ['${workspaceId}/tables']",
        "does not look at the workspace",
    ),
    "an alert that tells nobody": Mistake(
        "modules/alerts.bicep", "actions: { actionGroups: actionGroups }",
        "actions: { actionGroups: [] }", "alert-poison tells nobody", "mail",
    ),
    "a queue without its poison queue": Mistake(
        "modules/storage.bicep", "'end-call-poison', ", "", "queue end-call has no poison queue",
    ),
    "transcripts that are never deleted": Mistake(
        "modules/storage.bicep", "'appendBlob', ", "", "are never deleted",
    ),
    "transcripts that are kept too long": Mistake(
        "modules/storage.bicep", "GreaterThan: transcriptRetentionDays",
        "GreaterThan: transcriptRetentionDays + 300", "after another time than was chosen",
        "transcripts for a week",
    ),
    "a name that Azure does not take": Mistake(
        "abbreviations.json", '"storage": "st"', '"storage": "st-"', "does not take the name st-",
    ),
    "storage with keys": Mistake(
        "modules/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true",
        "properties.allowSharedKeyAccess is True, not False",
    ),
    "storage that says nothing of transport": Mistake(
        "modules/storage.bicep", "    minimumTlsVersion: 'TLS1_2'\n", "",
        "properties.minimumTlsVersion is None, not TLS1_2",
    ),
    "an account with keys": Mistake(
        "modules/account.bicep", "disableLocalAuth: true", "disableLocalAuth: false",
        "CognitiveServices/accounts: properties.disableLocalAuth is False",
    ),
    "passwords for publishing over FTP": Mistake(
        "modules/api.bicep", "name: 'ftp'\n  properties: { allow: false }",
        "name: 'ftp'\n  properties: { allow: true }", "properties.allow is True, not False",
    ),
    "purge protection sent as false": Mistake(
        "modules/vault.bicep", "enablePurgeProtection ? true : null", "enablePurgeProtection",
        "purge protection is sent as false",
    ),
    "callers bound to an instance": Mistake(
        "modules/api.bicep", "clientAffinityEnabled: false", "clientAffinityEnabled: true",
        "properties.clientAffinityEnabled is True",
    ),
}  # fmt: skip


@cache
def spoiled_template() -> str:
    """The template with every mistake in it: compiling takes most of the time, so once."""
    with TemporaryDirectory() as folder:
        copy = Path(folder, "infra")
        shutil.copytree(ROOT / "infra", copy, ignore=shutil.ignore_patterns("hooks", "snapshots"))
        for name, mistake in MISTAKES.items():
            file = copy / mistake.file
            text = file.read_text(encoding="utf-8")
            assert mistake.old in text, f"{name}: the text to replace is no longer in the file"
            file.write_text(text.replace(mistake.old, mistake.new, 1), encoding="utf-8")
        return compiler().compile(copy / "main.bicep")


@cache
def spoiled(case: str) -> list[str]:
    """What is found of a deployment with every mistake in it."""
    given = CASES[case]
    return [*findings(expand_template(spoiled_template(), GIVEN | given), given)]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_in_what_it_deploys(name: str) -> None:
    mistake = MISTAKES[name]
    found = spoiled(mistake.case)
    assert any(mistake.found in each for each in found), json.dumps(found, indent=1)
