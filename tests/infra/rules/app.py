"""Rules for the function app: its settings, its page and its plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.config.settings_loader import NAMES
from tests.infra.rules.deployment import EXISTING_SITE, Deployment


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


OBSERVERS = "alwaysReadyObserver"


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
