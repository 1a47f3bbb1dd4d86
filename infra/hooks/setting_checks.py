"""preflight's checks of settings, which need no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from azd_tools import INFRA, PLACEHOLDER
from findings import Finding, error, warning

# How azd notes a secret that `azd env set-secret` has put into a vault.
IN_VAULT = "akvs://"
SUBNET = re.compile(
    r"/subscriptions/[\w-]+/resourceGroups/[\w.()-]+/providers/Microsoft\.Network"
    r"/virtualNetworks/[\w.-]+/subnets/[\w.-]+",
    re.IGNORECASE,
)
ZONE_REDUNDANT = ("Standard_ZRS", "Standard_GZRS")
ZONES_GROUP = re.compile(r"/subscriptions/[\w-]+/resourceGroups/[\w.()-]+", re.IGNORECASE)


def check_values(
    env: Mapping[str, str], file: Path = INFRA / "main.parameters.json"
) -> Iterator[Finding]:
    """Values that would break the parameters file: azd writes variables into it as they are."""
    text = file.read_text(encoding="utf-8")
    for name in dict.fromkeys(match[1] for match in PLACEHOLDER.finditer(text)):
        value = env.get(name, "")
        if value and json.dumps(value, ensure_ascii=False) != f'"{value}"':
            yield error(
                f"{name} has a quotation mark, a backslash or a line break in it, which azd cannot "
                f"hand over. Run: azd env set {name} …, without them"
            )


def check_settings(chosen: Mapping[str, str]) -> Iterator[Finding]:
    """Settings that conflict with each other."""
    methods = {method.strip() for method in chosen["callerAuth"].split(",")}
    linked = chosen["enableLinkedBackend"] == "true"
    if "anonymous" in methods:
        yield warning(
            'CALLER_AUTH has "anonymous": anyone on the internet may start calls at your expense. '
            "Set at least LIMIT_LIVE_CALLS_TOTAL."
        )
    elif "static-web-apps" in methods and not chosen["signInClientId"]:
        yield warning(
            "Anyone with a Microsoft account can sign in and call. To allow one tenant only: "
            "azd env set SIGN_IN_CLIENT_ID … (docs/deploy.md, Who may call)."
        )
    if "static-web-apps" in methods and not linked:
        yield error(
            "CALLER_AUTH=static-web-apps needs the linked backend. Run: azd env set "
            "ENABLE_LINKED_BACKEND true, or azd env set CALLER_AUTH entra"
        )
    whose = chosen["entraTenantId"] or chosen["entraIssuer"]
    entra = (whose, chosen["entraAudience"], chosen["entraRequiredScope"])
    if "entra" in methods and not all(entra):
        yield error(
            "CALLER_AUTH=entra needs ENTRA_TENANT_ID (or ENTRA_ISSUER), ENTRA_AUDIENCE and "
            "ENTRA_REQUIRED_SCOPE. Set each with: azd env set NAME value"
        )
    if chosen["enablePrivateEndpoints"] == "true" and chosen["enableVirtualNetwork"] != "true":
        yield error(
            "ENABLE_PRIVATE_ENDPOINTS needs a virtual network. Run: azd env set "
            "ENABLE_VIRTUAL_NETWORK true"
        )
    if chosen["enableNatGateway"] == "true" and chosen["enableVirtualNetwork"] != "true":
        yield error(
            "ENABLE_NAT_GATEWAY belongs to a virtual network of this deployment. Run: azd env set "
            "ENABLE_VIRTUAL_NETWORK true, or give the subnet in EXISTING_SUBNET_ID a gateway itself"
        )
    zones = chosen["privateDnsZones"]
    if zones and zones != "none" and not ZONES_GROUP.fullmatch(zones):
        yield error(
            "PRIVATE_DNS_ZONES is the resource id of a resource group, or none. Run: azd env set "
            "PRIVATE_DNS_ZONES /subscriptions/…/resourceGroups/…"
        )
    if chosen["enableVirtualNetwork"] == "true" and chosen["existingSubnetId"]:
        yield error(
            "Choose one: ENABLE_VIRTUAL_NETWORK creates a network, EXISTING_SUBNET_ID uses one."
        )
    yield from check_site(chosen, methods)


def check_clients(chosen: Mapping[str, str]) -> Iterator[Finding]:
    """The security group for subnets with browsers, and the subnet that it is attached to."""
    subnet = chosen["clientSubnetId"]
    if subnet and not SUBNET.fullmatch(subnet):
        yield error(
            "CLIENT_SUBNET_ID is the resource id of a subnet. Run: azd env set CLIENT_SUBNET_ID "
            "/subscriptions/…/virtualNetworks/…/subnets/…"
        )
    if (subnet or chosen["clientDenyInternet"] == "true") and chosen["enableTurnRule"] != "true":
        yield error(
            "CLIENT_SUBNET_ID and CLIENT_DENY_INTERNET are about the group that ENABLE_TURN_RULE "
            "creates. Run: azd env set ENABLE_TURN_RULE true"
        )


def check_zones(chosen: Mapping[str, str]) -> Iterator[Finding]:
    """A plan in several zones whose storage is in one loses calls with that one."""
    if chosen["enableZoneRedundancy"] == "true" and chosen["storageSku"] not in ZONE_REDUNDANT:
        yield error(
            f"ENABLE_ZONE_REDUNDANCY with STORAGE_SKU={chosen['storageSku']}: storage would be in "
            "one zone. Run: azd env set STORAGE_SKU Standard_ZRS"
        )


def check_secrets(env: Mapping[str, str]) -> Iterator[Finding]:
    """A secret of others that lies in the azd environment as plain text."""
    secret = env.get("SIGN_IN_CLIENT_SECRET", "")
    if secret and not secret.startswith(IN_VAULT) and not env.get("CI"):
        yield warning(
            "SIGN_IN_CLIENT_SECRET lies in .azure/<environment>/.env as plain text. To keep it in "
            "a key vault: azd env set-secret SIGN_IN_CLIENT_SECRET (docs/deploy.md, Secrets)"
        )


def check_site(chosen: Mapping[str, str], methods: set[str]) -> Iterator[Finding]:
    """Settings that conflict with a deployment without a Static Web App."""
    existing = chosen["existingStaticWebAppName"]
    if chosen["enableStaticWebApp"] == "true":
        if existing:
            yield error(
                f"The page would be deployed to a site of its own beside {existing}, which keeps "
                "its own. Run: azd env set ENABLE_STATIC_WEB_APP false"
            )
        return
    if existing and chosen["enableLinkedBackend"] == "true":
        return
    if "static-web-apps" in methods:
        yield error(
            "ENABLE_STATIC_WEB_APP=false leaves nobody to sign callers in. Run: azd env set "
            "CALLER_AUTH entra (docs/existing-site.md)"
        )
    if not existing and not chosen["allowedOrigins"].strip():
        yield error(
            "ENABLE_STATIC_WEB_APP=false needs the origin of the page that calls. Run: azd env set "
            "ALLOWED_ORIGINS https://…"
        )


def check_notifications(chosen: Mapping[str, str]) -> Iterator[Finding]:
    """Whether anybody is told what happens and what it costs."""
    if chosen["enableAlerts"] == "true" and not chosen["alertEmail"].strip():
        yield warning(
            "The alerts reach nobody: they only show in the portal. Run: azd env set ALERT_EMAIL "
            "you@example.com, or, to pay for none: azd env set ENABLE_ALERTS false"
        )
    if int(chosen["monthlyBudget"] or 0) <= 0:
        yield warning("No budget is set. Run: azd env set MONTHLY_BUDGET 100")
