"""preflight's checks of models: whether the region has them, for how long, and quota for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from azd_tools import Outside
from findings import Finding, error, warning

from shared.config.retirements import NOTICE, read_retirements, retirement_of

COGNITIVE_SERVICES = "2025-06-01"


def chosen_models(chosen: Mapping[str, str]) -> list[tuple[str, str, int, str]]:
    """The models to deploy: name, version, units, and the prefix of their variables."""
    names = [("model", "MODEL")]
    if chosen["enableTranscription"] == "true":
        names.append(("transcription", "TRANSCRIPTION"))
    found = []
    for parameter, prefix in names:
        model = "model" if parameter == "model" else "transcriptionModel"
        units = int(chosen[f"{parameter}Capacity"])
        found.append((chosen[f"{model}Name"], chosen[f"{model}Version"], units, prefix))
    return found


def check_retirement(model: str, version: str | None, today: date) -> Iterator[Finding]:
    """Warns of a model that ends within NOTICE, or has ended."""
    found = retirement_of(read_retirements(), "azure", model, version)
    if found and found.is_near(today):
        yield warning(found.sentence(f"The model {model} {version or ''}".rstrip(), today))


def check_existing_deployments(
    outside: Outside, scope: str, chosen: Mapping[str, str], today: date
) -> Iterator[Finding]:
    """Warns of the models behind deployments that exist already, whatever those are called."""
    names = [chosen["modelDeploymentName"] or chosen["modelName"]]
    if chosen["enableTranscription"] == "true":
        names.append(chosen["transcriptionModelName"])
    for name in names:
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
    for model, version, units, prefix in chosen_models(chosen):
        setting = f"{prefix}_VERSION" if prefix == "MODEL" else f"{prefix}_MODEL_VERSION"
        yield from check_catalogued_retirement(catalogue.json(), region, model, version, today)
        versions = offered_versions(catalogue.json(), model, chosen["modelSku"])
        if version not in versions:
            yield error(
                f"{region} does not offer {model} {version} as {chosen['modelSku']}"
                + (f"; versions there: {', '.join(sorted(versions))}. " if versions else ". ")
                + "Run: azd env set MODEL_LOCATION …, or "
                + f"azd env set {setting} …"
            )
            continue
        free = free_quota(usages.json(), f"OpenAI.{chosen['modelSku']}.{model}")
        if free is None:
            yield warning(f"The quota of {model} in {region} is not listed and was not checked.")
        elif free < units:
            message = (
                f"{model} needs {units} units of {chosen['modelSku']} quota in {region}, {free} "
                f"are free. Run: azd env set {prefix}_CAPACITY {max(free, 1)}, or request more at "
                "https://aka.ms/oai/stuquotarequest, or choose another region"
            )
            yield Finding(not deployed_before(outside, scope, chosen), message)


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
