"""preflight's checks of models: whether the region has them, for how long, and quota for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from azd_tools import Outside
from findings import Finding, error, warning

from shared.config.retirements import NOTICE, read_retirements, retirement_of

COGNITIVE_SERVICES = "2025-06-01"


@dataclass(frozen=True)
class ChosenModel:
    """A model to deploy, and the variables of azd that choose it."""

    name: str
    version: str
    sku: str
    units: int
    version_variable: str
    capacity_variable: str


OPTIONAL_MODELS = (
    ("enableTranscription", "transcription", "TRANSCRIPTION", "modelSku"),
    ("enableGptLive", "gptLive", "GPT_LIVE", "gptLiveSku"),
    ("enableDelegationModel", "delegation", "DELEGATION", "delegationSku"),
)
"""The parameter that turns each on, the prefixes of its parameters and variables, and its kind of
deployment."""


def chosen_models(chosen: Mapping[str, str]) -> list[ChosenModel]:
    """The models to deploy."""
    found = [
        ChosenModel(
            chosen["modelName"],
            chosen["modelVersion"],
            chosen["modelSku"],
            int(chosen["modelCapacity"]),
            "MODEL_VERSION",
            "MODEL_CAPACITY",
        )
    ]
    for switch, parameter, variable, sku in OPTIONAL_MODELS:
        if chosen[switch] == "true":
            model = ChosenModel(
                chosen[f"{parameter}ModelName"],
                chosen[f"{parameter}ModelVersion"],
                chosen[sku],
                int(chosen[f"{parameter}Capacity"]),
                f"{variable}_MODEL_VERSION",
                f"{variable}_CAPACITY",
            )
            found.append(model)
    return found


def check_versions(chosen: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each model that would be deployed has a version, where no catalogue is asked."""
    for model in chosen_models(chosen):
        if not model.version:
            yield error(
                f"{model.name} has no version. List those of the account's region: az "
                f"cognitiveservices model list -l REGION --query \"[?model.name=='{model.name}']"
                f'.model.version". Then run: azd env set {model.version_variable} …'
            )


def check_retirement(model: str, version: str | None, today: date) -> Iterator[Finding]:
    """Warns of a model that ends within NOTICE, or has ended."""
    found = retirement_of(read_retirements(), "azure", model, version)
    if found and found.is_near(today):
        yield warning(found.sentence(f"The model {model} {version or ''}".rstrip(), today))


def check_existing_deployments(
    outside: Outside, scope: str, chosen: Mapping[str, str], today: date
) -> Iterator[Finding]:
    """Warns of the models behind deployments that exist already, whatever those are called."""
    _, *others = chosen_models(chosen)
    names = [chosen["modelDeploymentName"] or chosen["modelName"]]
    for name in (*names, *(model.name for model in others)):
        place = f"{scope}/{account_path(chosen)}/deployments/{name}"
        answer = outside.manage("GET", place, COGNITIVE_SERVICES)
        model = answer.json().get("properties", {}).get("model", {})
        yield from check_retirement(model.get("name", name), model.get("version"), today)


def account_path(chosen: Mapping[str, str]) -> str:
    group = chosen["existingAiAccountResourceGroup"] or deployment_group(chosen)
    name = chosen["existingAiAccountName"]
    return f"resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts/{name}"


def deployment_group(chosen: Mapping[str, str]) -> str:
    return chosen["resourceGroupName"] or f"rg-{chosen['environmentName']}"


def check_models(
    outside: Outside, scope: str, region: str, chosen: Mapping[str, str], today: date
) -> Iterator[Finding]:
    """Checks that the region has the models and the subscription has quota for them."""
    place = f"{scope}/providers/Microsoft.CognitiveServices/locations/{region}"
    catalogue = outside.manage("GET", f"{place}/models", COGNITIVE_SERVICES)
    usages = outside.manage("GET", f"{place}/usages", COGNITIVE_SERVICES)
    if catalogue.status != 200 or usages.status != 200:
        yield warning(f"The models and quota of {region} cannot be read and were not checked.")
        return
    for model in chosen_models(chosen):
        name, sku = model.name, model.sku
        yield from check_catalogued_retirement(catalogue.json(), region, name, model.version, today)
        versions = offered_versions(catalogue.json(), name, sku)
        if model.version not in versions:
            yield error(
                f"{region} does not offer {name} {model.version or '(no version is set)'} as {sku}"
                + (f"; versions there: {', '.join(sorted(versions))}. " if versions else ". ")
                + "Run: azd env set MODEL_LOCATION …, or "
                + f"azd env set {model.version_variable} …"
            )
            continue
        quota = usage_name(catalogue.json(), model) or f"OpenAI.{sku}.{name}"
        free = free_quota(usages.json(), quota)
        if free is None:
            yield warning(f"The quota of {name} in {region} is not listed and was not checked.")
        elif free < model.units:
            less = (
                f"Run: azd env set {model.capacity_variable} {free}. Or request" if free > 0 else ""
            )
            message = (
                f"{name} needs {model.units} units of {sku} quota in {region}, {max(free, 0)} are "
                f"free. {less or 'Request'} more at https://aka.ms/oai/stuquotarequest, or choose "
                "another region: azd env set MODEL_LOCATION …"
            )
            yield Finding(not deployed_before(outside, scope, chosen), message)


def usage_name(
    catalogue: Mapping[str, list[dict[str, dict[str, Any]]]], model: ChosenModel
) -> str | None:
    """What the quota of a model's kind of deployment is called, as the region's catalogue says."""
    for entry in catalogue.get("value", []):
        found = entry.get("model", {})
        if (found.get("name"), found.get("version")) != (model.name, model.version):
            continue
        for sku in found.get("skus") or []:
            if isinstance(sku, dict) and sku.get("name") == model.sku and sku.get("usageName"):
                return str(sku["usageName"])
    return None


def deployed_before(outside: Outside, scope: str, chosen: Mapping[str, str]) -> bool:
    """Whether the environment already has an account, whose units may be the ones in use."""
    group = deployment_group(chosen)
    place = f"{scope}/resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts"
    return bool(outside.manage("GET", place, COGNITIVE_SERVICES).json().get("value"))


def check_catalogued_retirement(
    catalogue: Mapping[str, list[dict[str, dict[str, Any]]]],
    region: str,
    model: str,
    version: str,
    today: date,
) -> Iterator[Finding]:
    """Warns of the date that the region's own catalogue gives, which may be later news than the
    table's."""
    for entry in catalogue.get("value", []):
        found = entry.get("model", {})
        if (found.get("name"), found.get("version")) != (model, version):
            continue
        ends = (found.get("deprecation") or {}).get("inference")
        try:
            ending = datetime.fromisoformat(str(ends)).date()
        except ValueError:
            continue
        if today >= ending - NOTICE:
            yield warning(
                f"The catalogue of {region} ends {model} {version} on {ending}. Choose another "
                "model: azd env set MODEL_NAME …, azd env set MODEL_VERSION …"
            )
            return


def offered_versions(
    catalogue: Mapping[str, list[dict[str, dict[str, object]]]], model: str, sku: str
) -> set[str]:
    """The versions of a model that the region offers with this SKU."""
    versions = set()
    for entry in catalogue.get("value", []):
        found = entry.get("model", {})
        skus = found.get("skus") or []
        if found.get("name") == model and any(
            isinstance(each, dict) and each.get("name") == sku
            for each in (skus if isinstance(skus, list) else [])
        ):
            versions.add(str(found.get("version")))
    return versions


def free_quota(usages: Mapping[str, list[dict[str, object]]], name: str) -> int | None:
    """The unused units of a quota; None if there is no such quota."""
    for entry in usages.get("value", []):
        title = entry.get("name")
        if isinstance(title, dict) and str(title.get("value", "")).lower() == name.lower():
            return int(float(str(entry.get("limit", 0))) - float(str(entry.get("currentValue", 0))))
    return None
