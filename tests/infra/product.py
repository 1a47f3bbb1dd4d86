"""Rules for this product that only its text shows: the app's settings, queues and log events, and
what no deployment may use. What is deployed: deployed.py."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

import yaml

from shared.config.settings_loader import NAMES
from tests.infra.bicep import Declaration, expressions
from tests.infra.language import Project

# Settings of the app that Bicep does not set, and why.
NOT_SET_BY_BICEP = {
    "AZURE_RESOURCE": "REALTIME_ENDPOINT is set, which is more specific",
    "REALTIME_API_KEY": "the app uses its identity, not a key",
    "REALTIME_API_KEY_SECRET": "the app uses its identity, not a key",
    "REALTIME_GATEWAY_KEY": "it is in the key vault, under the name in REALTIME_GATEWAY_KEY_SECRET",
    "BROKER_SECRET": "it is in the key vault, under the name in BROKER_SECRET_NAME",
    "AzureWebJobsStorage": "the three service URIs are set instead, which need no key",
}
ROLES = {
    "a97b65f3-24c7-4388-baec-2e87135dc908": "Cognitive Services User",
    "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd": "Cognitive Services OpenAI User",
    "19c28022-e58e-450d-a464-0b2a53034789": "Cognitive Services Data Contributor (Preview)",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
MADE_BY_HOOKS = {"CLOSE_LAST", "REALTIME_INSTRUCTIONS_BASE64", "REALTIME_ENDPOINTS_BASE64"}
"""Variables that no user sets, so that no pipeline is told them."""
MADE_BY_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID", "AZURE_PRINCIPAL_TYPE"}
"""Variables that azd knows without being told."""
REFUSED_BY_FLEX = re.compile(
    r"\b(FUNCTIONS_WORKER_\w+|FUNCTIONS_EXTENSION_VERSION|WEBSITE_\w+|ENABLE_ORYX_BUILD|"
    r"SCM_DO_BUILD_DURING_DEPLOYMENT|linuxFxVersion|alwaysOn|instanceMemoryMb)\b"
)
# Each of these changes with every deployment or exposes a key.
NEVER = re.compile(r"\b(newGuid|utcNow|listKeys|listAccountSas|listSecrets|AccountKey)\b")


def findings(project: Project) -> Iterator[str]:
    yield from queues(project)
    yield from functions(project)
    yield from settings(project)
    yield from deployments(project)
    yield from alerts(project)
    yield from pipeline(project)
    for name, file in project.files.items():
        for match in NEVER.finditer(file.text):
            yield f"infra/{name}: {match[0]} is used"
        for match in REFUSED_BY_FLEX.finditer(file.text):
            yield f"infra/{name}: Flex Consumption refuses {match[0]}"


def used(project: Project, pattern: str) -> set[str]:
    """All matches of a pattern in the app's code."""
    files = [project.root / "function_app.py", *(project.root / "shared").rglob("*.py")]
    return {
        name
        for file in files
        if file.is_file()
        for name in re.findall(pattern, file.read_text(encoding="utf-8"))
    }


def queues(project: Project) -> Iterator[str]:
    """The app's queues and tables exist."""
    made = project.files["modules/storage.bicep"].of("var")
    told = project.files["modules/call-ended.bicep"].of("var")
    found = strings(made["queues"]) + strings(told["queues"])
    for name in sorted(used(project, r'(?:_QUEUE = |queue_name=)"([a-z-]+)"') - set(found)):
        yield f"infra/modules/storage.bicep: the app uses the queue {name}, which is not created"
    for name in sorted(used(project, r'_TABLE = "(\w+)"') - set(strings(made["tables"]))):
        yield f"infra/modules/storage.bicep: the app uses the table {name}, which is not created"


def functions(project: Project) -> Iterator[str]:
    """The function that instances are kept warm for exists in the app."""
    [name] = strings(project.main.of("var")["observerFunction"])
    if name not in used(project, r"async def (\w+)\(message: func\.QueueMessage"):
        yield f"infra/main.bicep: the app has no queue function {name}"


def strings(declaration: Declaration) -> list[str]:
    return [each.strip("'") for each in expressions(declaration.value)]


def settings(project: Project) -> Iterator[str]:
    """Each setting of the app is set by Bicep or listed in NOT_SET_BY_BICEP."""
    api = project.main.of("module")["api"]
    given = set(api.at("params.brokerSettings") or {})
    given |= set(project.files["modules/api.bicep"].of("var")["endpointSettings"].value or ())
    for name in sorted(set(NAMES) - given - set(NOT_SET_BY_BICEP)):
        yield f"infra/main.bicep: the app setting {name} is not set"
    for name in sorted(given - set(NAMES)):
        yield f"infra/main.bicep: the app has no setting {name}"
    for name in sorted(given & set(NOT_SET_BY_BICEP)):
        yield f"infra/main.bicep: {name} is set, although {NOT_SET_BY_BICEP[name]}"
    platform = set(project.files["modules/api.bicep"].of("var")["platformSettings"].value or ())
    for service in ("blob", "queue", "table"):
        if f"AzureWebJobsStorage__{service}ServiceUri" not in platform:
            yield f"infra/modules/api.bicep: the {service} service of storage is not set"


def deployments(project: Project) -> Iterator[str]:
    """Deployments wait for each other: an account accepts one change at a time."""
    found = project.resources("Microsoft.CognitiveServices/accounts/deployments")
    for before, each in itertools.pairwise(found):
        if before.name not in (each.at("dependsOn") or []):
            yield f"deployment {each.name} does not wait for {before.name}"


def pipeline(project: Project) -> Iterator[str]:
    """The pipeline is told every variable that a user may set."""
    azure = yaml.safe_load((project.root / "azure.yaml").read_text(encoding="utf-8"))
    given = json.loads(
        (project.root / "infra" / "main.parameters.json").read_text(encoding="utf-8")
    )["parameters"]
    told = {*azure["pipeline"]["variables"], *azure["pipeline"]["secrets"], *MADE_BY_HOOKS}
    for entry in given.values():
        variable = re.match(r"\$\{(\w+)", entry["value"])
        if variable and not variable[1].startswith("AZURE_") and variable[1] not in told:
            yield f"azure.yaml: {variable[1]} is not passed to a pipeline"


def alerts(project: Project) -> Iterator[str]:
    """The app logs all events that alerts and the workbook query, and each alert is documented."""
    logged = used(project, r'logs\.(?:event|failure)\(\s*"([a-z ]+)"')
    folder = project.root / "infra" / "monitoring"
    for file in sorted(folder.glob("*.json")):
        text = file.read_text(encoding="utf-8")
        for name in sorted(set(re.findall(r"startswith '([a-z ]+) \{'", text)) - logged):
            yield f"infra/monitoring/{file.name}: the app never logs {name}"
    page = project.root / "docs" / "operations.md"
    headings = re.findall(r"^### (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    for alert in json.loads((folder / "alerts.json").read_text(encoding="utf-8")):
        if alert["title"] not in headings:
            yield f"docs/operations.md: no section for the alert {alert['title']}"
