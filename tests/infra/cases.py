"""Deployments to expand: every switch, and the pairs of them that meet."""

from __future__ import annotations

import base64
import json
from typing import Any

ACCOUNT = {
    "existingAiAccountName": "shared-account",
    "existingAiAccountResourceGroup": "rg-shared",
}
VAULT = {
    "existingKeyVaultName": "shared-vault",
    "existingKeyVaultResourceGroup": "rg-vaults",
}
SITE = {
    "enableStaticWebApp": False,
    "existingStaticWebAppName": "shop",
    "existingStaticWebAppResourceGroup": "rg-shop",
}
NETWORK = {"enableVirtualNetwork": True}
PRIVATE = {**NETWORK, "enablePrivateEndpoints": True}
FIREWALL = {"firewallPolicyName": "corporate", "firewallPolicyResourceGroup": "rg-hub"}
REGIONS = {"modelLocations": "swedencentral:20,francecentral"}
BROUGHT = {"existingAiAccounts": "rg-shared/shared-account@northcentralus:3"}
DIRECT = {
    "enableLinkedBackend": False,
    "callerAuth": "entra",
    "allowedOrigins": "https://a.example.com,https://b.example.com",
}
MAIL = {"alertEmail": "operator@example.com"}
LIVE = {"enableGptLive": True, "gptLiveModelVersion": "2026-09-01"}
OPENAI = {
    "realtimeEndpointsBase64": base64.b64encode(
        json.dumps([{"name": "openai", "provider": "openai", "key_secret": "k"}]).encode()
    ).decode()
}
TAG_LINE = {"tagLine": "team=voice, cost=a=b,Microsoft.Web/sites:tier=front"}
SWITCHES: dict[str, dict[str, Any]] = {
    "defaults": {},
    **{
        f"location {each}": {"location": each}
        for each in ("swedencentral", "centralus", "canadacentral", "francecentral")
    },
    "web location": {"webLocation": "eastasia"},
    "tags": TAG_LINE,
    "names": {
        "resourceGroupName": "rg-own",
        "functionAppName": "app-own",
        "storageAccountName": "stown",
        "keyVaultName": "kv-own",
        "aiAccountName": "OAI-own",
        "staticWebAppName": "web-own",
    },
    "principal": {"principalId": "someone"},
    "principal of a pipeline": {"principalId": "someone", "principalType": "ServicePrincipal"},
    "no developer access": {"principalId": "someone", "enableDeveloperAccess": False},
    "model location": {"modelLocation": "francecentral"},
    "AIServices": {"aiAccountKind": "AIServices"},
    "existing account": ACCOUNT,
    "no model deployment": {"enableModelDeployment": False},
    "deployment name": {"modelDeploymentName": "talk"},
    "data zone": {"modelSku": "DataZoneStandard"},
    "narrow role": {"modelRole": "Cognitive Services OpenAI User"},
    "transcription": {"enableTranscription": True},
    "live": LIVE,
    "delegation": {"enableDelegationModel": True, "delegationModelVersion": "2026-09-01"},
    "no site": {"enableStaticWebApp": False, **DIRECT},
    "no site, and nothing said of the link": {
        "enableStaticWebApp": False,
        "allowedOrigins": "https://a.example.com",
    },
    "direct page": DIRECT,
    "existing site": SITE,
    "warm": {"alwaysReadyHttp": 1, "alwaysReadyObserver": 3},
    "zones": {"enableZoneRedundancy": True},
    "one zone": {"storageSku": "Standard_LRS"},
    "no secret": {"brokerSecret": ""},
    "existing vault": VAULT,
    "purge protection": {"enablePurgeProtection": True},
    "sign-in": {"signInClientId": "c", "signInClientSecret": "s"},
    "call-ended events": {"callEndedEvents": "on", "callEndedPrincipalId": "theirs"},
    "observed elsewhere": {"observeElsewhere": True},
    "transcripts for a week": {"transcripts": "on", "transcriptRetentionDays": 7},
    "transcripts kept": {"transcripts": "on", "transcriptRetentionDays": 0},
    "existing workspace": {
        "existingWorkspaceId": "/subscriptions/s/resourceGroups/rg-logs/providers/"
        "Microsoft.OperationalInsights/workspaces/log"
    },
    "no diagnostics": {"enableDiagnostics": False},
    "site diagnostics": {"enableSiteDiagnostics": True},
    "locks": {"enableDeleteLocks": True},
    "no alerts": {"enableAlerts": False, **MAIL},
    "mail": MAIL,
    "web test": {"enableWebTest": True},
    "budget": {"monthlyBudget": 100, "budgetStartDate": "2026-11-01"},
    "network": NETWORK,
    "private endpoints": PRIVATE,
    "private endpoints without a network": {"enablePrivateEndpoints": True},
    "existing subnet": {"existingSubnetId": "/subscriptions/s/subnets/own"},
    "no rule for 3478": {"enableTurnRule": False},
    "firewall": FIREWALL,
    "gateway": {"realtimeGatewayEndpoint": "https://gateway.example.com"},
    "regions": REGIONS,
    "existing accounts": BROUGHT,
    "OpenAI too": OPENAI,
    "drained": {**REGIONS, "drainedEndpoints": "default"},
}
PAIRS: dict[str, dict[str, Any]] = {
    "existing account and vault": {**ACCOUNT, **VAULT},
    "existing account, role named": {**ACCOUNT, "modelRole": "Cognitive Services User"},
    "existing account and regions": {**ACCOUNT, **REGIONS, "modelLocation": "centralus"},
    "existing account, developer": {**ACCOUNT, "principalId": "someone"},
    "existing account without its deployment": {**ACCOUNT, "enableModelDeployment": False},
    "existing vault and private endpoints": {**VAULT, **PRIVATE},
    "existing vault and OpenAI": {**VAULT, **OPENAI},
    "existing vault and locks": {**VAULT, "enableDeleteLocks": True},
    "existing workspace and locks": {
        "existingWorkspaceId": "/subscriptions/s/resourceGroups/rg-logs/providers/"
        "Microsoft.OperationalInsights/workspaces/log",
        "enableDeleteLocks": True,
    },
    "private endpoints, closed last": {**PRIVATE, "closeLast": True},
    "private endpoints and firewall": {**PRIVATE, **FIREWALL},
    "network and NAT": {**NETWORK, "enableNatGateway": True},
    "regions and firewall": {**REGIONS, **FIREWALL},
    "regions and existing accounts": {**REGIONS, **BROUGHT},
    "regions and developer": {**REGIONS, "principalId": "someone"},
    "regions and locks": {**REGIONS, "enableDeleteLocks": True},
    "regions and every model": {**REGIONS, **LIVE, "enableTranscription": True},
    "regions without deployments": {**REGIONS, "enableModelDeployment": False},
    "regions and gateway": {
        **REGIONS,
        "realtimeGatewayEndpoint": "https://gateway.example.com",
    },
    "regions and OpenAI": {**REGIONS, **OPENAI},
    "existing site, direct": {**SITE, **DIRECT},
    "existing site and regions": {**SITE, **REGIONS},
    "zones and warm": {"enableZoneRedundancy": True, "alwaysReadyObserver": 5},
    "France and regions": {"location": "francecentral", "modelLocations": "eastus2"},
}
CASES = SWITCHES | PAIRS
# What belongs to a careful deployment, all at once.
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
