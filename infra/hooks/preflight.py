"""preprovision: finds in seconds what would make the deployment fail after minutes.

Errors stop the deployment and name the remedy; choices that may be intended are warnings.
`PREFLIGHT=off` skips all checks.
"""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from azd_tools import MODEL_ROLES, Outside, Stop, main, model_role, parameters
from endpoint_checks import check_endpoints, model_places
from findings import Finding, error, warning
from model_checks import (
    COGNITIVE_SERVICES,
    account_path,
    check_existing_deployments,
    check_models,
    check_retirement,
    check_versions,
    chosen_models,
    deployment_group,
)
from setting_checks import (
    check_clients,
    check_notifications,
    check_secrets,
    check_settings,
    check_values,
    check_zones,
)

# The regions listed in the documentation of realtime over WebRTC (November 2026).
REALTIME_REGIONS = ("eastus2", "swedencentral")
PROVIDERS = (
    "Microsoft.Web",
    "Microsoft.App",
    "Microsoft.Storage",
    "Microsoft.KeyVault",
    "Microsoft.CognitiveServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.Insights",
    "Microsoft.AlertsManagement",
)
NETWORK = "Microsoft.Network"
ASSIGN_ROLES = "Microsoft.Authorization/roleAssignments/write"
MAX_REGISTRATION = timedelta(minutes=3)
RETRY_INTERVAL = timedelta(seconds=10)


def preflight(outside: Outside, today: date | None = None) -> None:
    """Prints the findings. Raises `Stop` if the deployment would fail."""
    today = today or datetime.now(UTC).date()
    if outside.env.get("PREFLIGHT", "").lower() == "off":
        outside.say("Preflight: skipped (PREFLIGHT=off)")
        return
    found = list(findings(outside, today))
    for finding in found:
        outside.say(("error: " if finding.stops else "warning: ") + finding.message)
    if any(finding.stops for finding in found):
        raise Stop("Preflight: fix the errors above, then run the command again.")
    outside.say("Preflight: no errors found")


def findings(outside: Outside, today: date) -> Iterator[Finding]:
    """All findings; the settings first, because checking them needs no network."""
    chosen = parameters(outside.env)
    yield from check_values(outside.env)
    yield from check_settings(chosen)
    yield from check_clients(chosen)
    yield from check_secrets(outside.env)
    yield from check_endpoints(chosen)
    yield from check_zones(chosen)
    yield from check_notifications(chosen)
    if chosen["enableModelDeployment"] == "true":
        for model in chosen_models(chosen):
            yield from check_retirement(model.name, model.version, today)
    subscription = outside.env.get("AZURE_SUBSCRIPTION_ID", "")
    region = chosen["modelLocation"] or chosen["location"]
    if not subscription or not region:
        yield warning("The subscription and the region are not chosen yet and were not checked.")
        return
    scope = f"/subscriptions/{subscription}"
    yield from check_role_assignment(outside, scope)
    yield from check_group(outside, scope, chosen)
    yield from register_providers(outside, scope, chosen)
    yield from check_accounts(outside, scope, chosen, today)


def check_accounts(
    outside: Outside, scope: str, chosen: Mapping[str, str], today: date
) -> Iterator[Finding]:
    """Every account that calls go to: those that exist, and what the regions of new ones have."""
    deploys = chosen["enableModelDeployment"] == "true"
    places = model_places(chosen)
    if deploys and any(place.existing for place in places):
        yield from check_versions(chosen)
    for place in places:
        if place.existing:
            group, name = place.existing
            names = {"existingAiAccountResourceGroup": group, "existingAiAccountName": name}
            yield from check_account(outside, scope, {**chosen, **names})
            if not deploys:
                yield from check_existing_deployments(outside, scope, {**chosen, **names}, today)
            continue
        if place.region not in REALTIME_REGIONS:
            variable = "MODEL_LOCATION" if place is places[0] else "MODEL_LOCATIONS"
            yield warning(
                f"{place.region} is not among the regions documented for realtime "
                f"({', '.join(REALTIME_REGIONS)}); calls may fail with 403. "
                f"To change it: azd env set {variable} eastus2"
            )
        if deploys:
            there = {**chosen, "modelCapacity": place.units}
            yield from check_models(outside, scope, place.region, there, today)


def check_role_assignment(outside: Outside, scope: str) -> Iterator[Finding]:
    """Checks that the deploying user may assign the app's roles."""
    answer = outside.manage(
        "GET", f"{scope}/providers/Microsoft.Authorization/permissions", "2022-04-01"
    )
    if answer.status != 200:
        yield error(
            f"The subscription cannot be read (status {answer.status}). Check it with: azd env "
            "get-value AZURE_SUBSCRIPTION_ID, and your sign-in with: azd auth login --check-status"
        )
        return
    if not any(allows(permission, ASSIGN_ROLES) for permission in answer.json().get("value", [])):
        yield error(
            "You may not assign roles in this subscription, which the app's access depends on. "
            "Ask for Owner, or Contributor with Role Based Access Control Administrator."
        )


def check_group(outside: Outside, scope: str, chosen: Mapping[str, str]) -> Iterator[Finding]:
    """A resource group that exists is this environment's, or it would be taken over: its tags
    replaced, and all that is in it deleted by `azd down`."""
    name = deployment_group(chosen)
    answer = outside.manage("GET", f"{scope}/resourceGroups/{name}", "2021-04-01")
    if answer.status == 404:
        return
    if answer.status != 200:
        yield warning(f"The resource group {name} cannot be read and was not checked.")
    elif (answer.json().get("tags") or {}).get("azd-env-name") != chosen["environmentName"]:
        yield error(
            f"The resource group {name} exists and is not of this environment: `azd down` would "
            "delete everything in it. Run: azd env set AZURE_RESOURCE_GROUP_NAME …, with a name "
            "that nothing has; or give the group the tag azd-env-name="
            f"{chosen['environmentName']}, if it is yours to delete"
        )


def check_account(outside: Outside, scope: str, chosen: Mapping[str, str]) -> Iterator[Finding]:
    """Warns if the app will be able to list the keys of an account that accepts keys."""
    if model_role(chosen) != "Cognitive Services User":
        return
    name = chosen["existingAiAccountName"]
    answer = outside.manage("GET", f"{scope}/{account_path(chosen)}", COGNITIVE_SERVICES)
    if answer.status == 200 and answer.json()["properties"].get("disableLocalAuth") is not True:
        yield warning(
            f"{name} accepts keys, and MODEL_ROLE lets the app list them. A role that does not: "
            f'azd env set MODEL_ROLE "{MODEL_ROLES[1]}"'
        )


def allows(permission: Mapping[str, list[str]], action: str) -> bool:
    """Whether an Azure permission allows an action; `*` is a wildcard."""

    def named(patterns: list[str]) -> bool:
        return any(fnmatch.fnmatchcase(action.lower(), each.lower()) for each in patterns)

    return named(permission.get("actions", [])) and not named(permission.get("notActions", []))


def register_providers(
    outside: Outside, scope: str, chosen: Mapping[str, str]
) -> Iterator[Finding]:
    """Registers missing resource providers and waits for them."""
    network = any(
        chosen[name] == "true" for name in ("enableTurnRule", "enableVirtualNetwork")
    ) or bool(chosen["existingSubnetId"] or chosen["firewallPolicyName"])
    wanted = [*PROVIDERS, NETWORK] if network else [*PROVIDERS]
    waiting = []
    for name in wanted:
        if registration_state(outside, scope, name) == "Registered":
            continue
        answer = outside.manage("POST", f"{scope}/providers/{name}/register", "2021-04-01")
        if answer.status in (200, 202):
            waiting.append(name)
        else:
            yield error(
                f"The resource provider {name} is not registered and you may not register it. "
                f"Ask the subscription's owner to run: az provider register --namespace {name}"
            )
    left = MAX_REGISTRATION
    while waiting and left > timedelta(0):
        outside.say(f"Registering {', '.join(waiting)} …")
        outside.sleep(RETRY_INTERVAL.total_seconds())
        left -= RETRY_INTERVAL
        waiting = [
            name for name in waiting if registration_state(outside, scope, name) != "Registered"
        ]
    for name in waiting:
        yield warning(f"{name} is still registering; if the deployment fails, run it again.")


def registration_state(outside: Outside, scope: str, provider: str) -> str:
    """The registration state: Registered, NotRegistered, Registering, … or "" if unknown."""
    answer = outside.manage("GET", f"{scope}/providers/{provider}", "2021-04-01")
    return str(answer.json().get("registrationState", ""))


if __name__ == "__main__":
    sys.exit(main(preflight))
