"""Rules for any Bicep: names are declared, modules get their parameters, nothing is unused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.bicep import Declaration, File, expressions, names_in, read

# One API version per type: the newest that Microsoft's verified modules deploy (November 2026), or
# a newer one if that is more than two years old, which the nightly workflow refuses.
VERSIONS = {
    "Microsoft.Authorization/locks": "2020-05-01",
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.CognitiveServices/accounts": "2025-06-01",
    "Microsoft.CognitiveServices/accounts/deployments": "2025-06-01",
    "Microsoft.Consumption/budgets": "2026-06-01",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.Insights/metricAlerts": "2026-01-01",
    "Microsoft.Insights/scheduledQueryRules": "2026-03-01",
    "Microsoft.Insights/webtests": "2022-06-15",
    "Microsoft.Insights/workbooks": "2023-06-01",
    "Microsoft.KeyVault/vaults": "2025-05-01",
    "Microsoft.KeyVault/vaults/secrets": "2025-05-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Network/firewallPolicies": "2025-05-01",
    "Microsoft.Network/firewallPolicies/ruleCollectionGroups": "2025-05-01",
    "Microsoft.Network/natGateways": "2025-05-01",
    "Microsoft.Network/publicIPAddresses": "2025-05-01",
    "Microsoft.Network/networkSecurityGroups": "2025-05-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "2024-06-01",
    "Microsoft.Network/privateEndpoints": "2025-05-01",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "2025-05-01",
    "Microsoft.Network/virtualNetworks": "2025-05-01",
    "Microsoft.Network/virtualNetworks/subnets": "2025-05-01",
    "Microsoft.OperationalInsights/workspaces": "2025-07-01",
    "Microsoft.Resources/resourceGroups": "2025-04-01",
    "Microsoft.Storage/storageAccounts": "2025-06-01",
    "Microsoft.Storage/storageAccounts/blobServices": "2025-06-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "2025-06-01",
    "Microsoft.Storage/storageAccounts/managementPolicies": "2025-06-01",
    "Microsoft.Storage/storageAccounts/queueServices": "2025-06-01",
    "Microsoft.Storage/storageAccounts/queueServices/queues": "2025-06-01",
    "Microsoft.Storage/storageAccounts/tableServices": "2025-06-01",
    "Microsoft.Storage/storageAccounts/tableServices/tables": "2025-06-01",
    "Microsoft.Web/serverfarms": "2025-03-01",
    "Microsoft.Web/sites": "2025-03-01",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "2025-03-01",
    "Microsoft.Web/sites/config": "2025-03-01",
    "Microsoft.Web/staticSites": "2025-03-01",
    "Microsoft.Web/staticSites/config": "2025-03-01",
    "Microsoft.Web/staticSites/linkedBackends": "2025-03-01",
}
PLACE = re.compile(r"\$\{(\w+)(=[^}]*)?\}")
FROM_AZD = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID"}
MODULE_MEMBERS = {"name", "scope", "dependsOn", "params"}


@dataclass(frozen=True)
class Project:
    """The project's parsed infrastructure."""

    root: Path
    files: Mapping[str, File]

    @classmethod
    def at(cls, root: Path) -> Project:
        infra = root / "infra"
        paths = sorted(infra.rglob("*.bicep"))
        return cls(root, {path.relative_to(infra).as_posix(): read(path) for path in paths})

    @property
    def main(self) -> File:
        return self.files["main.bicep"]

    def resources(self, resource_type: str) -> list[Declaration]:
        """All resources of a type that are deployed, in any file."""
        return [
            each
            for file in self.files.values()
            for each in file.of("resource").values()
            if each.resource_type == resource_type and not each.existing
        ]


def findings(project: Project) -> Iterator[str]:
    for name, file in project.files.items():
        yield from (f"infra/{name}: {words}" for words in symbols(file))
        yield from (f"infra/{name}: {words}" for words in described(file))
        yield from (f"infra/{name}: {words}" for words in versions(file))
        yield from (f"infra/{name}: {words}" for words in modules(project, file))
    yield from (f"infra/main.bicep: {words}" for words in abbreviations(project))
    yield from parameters(project)
    yield from outputs(project)


def read_by(declaration: Declaration) -> set[str]:
    """The symbols that a declaration reads, except those of its own loop."""
    found = set[str]()
    for expression in [
        *expressions(declaration.value),
        declaration.condition,
        declaration.over,
    ]:
        found |= names_in(expression)
    return found - set(declaration.loop)


def symbols(file: File) -> Iterator[str]:
    # An output may have the name of another symbol.
    declared = [each.name for each in file.declarations if each.kind != "output"]
    for name in {name for name in declared if declared.count(name) > 1}:
        yield f"{name} is declared twice"
    read_names = set[str]()
    for each in file.declarations:
        names = read_by(each)
        read_names |= names
        for name in sorted(names - set(declared)):
            yield f"{each.kind} {each.name} reads {name}, which is not declared"
    for kind in ("param", "var"):
        for name in sorted(set(file.of(kind)) - read_names):
            yield f"{kind} {name} is unused"


def described(file: File) -> Iterator[str]:
    for kind in ("param", "output"):
        for each in file.of(kind).values():
            if not any(line.startswith("@description(") for line in each.decorators):
                yield f"{kind} {each.name} has no description"
    secret = re.compile(r"(Secret|Password|Key)$")
    for each in file.of("param").values():
        if (
            secret.search(each.name)
            and each.type == "string"
            and "@secure()" not in each.decorators
        ):
            yield f"param {each.name} is not secure"


def versions(file: File) -> Iterator[str]:
    for each in file.of("resource").values():
        wanted = VERSIONS.get(each.resource_type)
        if each.version != wanted:
            yield f"resource {each.name} is {each.type}, not {each.resource_type}@{wanted}"


def modules(project: Project, file: File) -> Iterator[str]:
    base = file.path.parent
    targets: dict[str, File] = {}
    for module in file.of("module").values():
        path = (base / module.type).resolve()
        target = next(
            (each for each in project.files.values() if each.path.resolve() == path), None
        )
        if target is None:
            yield f"module {module.name}: {module.type} does not exist"
            continue
        targets[module.name] = target
        body = module.value if isinstance(module.value, dict) else {}
        for name in sorted(set(body) - MODULE_MEMBERS):
            yield f"module {module.name} has no property {name}"
        given, taken = set(body.get("params", {})), target.of("param")
        for name in sorted(given - set(taken)):
            yield f"module {module.name} has no parameter {name}"
        for name, param in taken.items():
            if param.value is None and name not in given:
                yield f"module {module.name} needs the parameter {name}"
    for module, output in re.findall(r"\b(\w+)!?(?:\[\w+\])?\.outputs\.(\w+)", file.text):
        if module in targets and output not in targets[module].of("output"):
            yield f"module {module} has no output {output}"


def abbreviations(project: Project) -> Iterator[str]:
    known = json.loads((project.root / "infra" / "abbreviations.json").read_text(encoding="utf-8"))
    used = set(re.findall(r"\bshort\.(\w+)", project.main.text))
    for name in sorted(used - set(known)):
        yield f"abbreviations.json has no {name}"
    for name in sorted(set(known) - used):
        yield f"abbreviations.json has {name}, which is unused"


def parameters(project: Project) -> Iterator[str]:
    """Each parameter of main.bicep has a default or comes from azd, and both defaults agree."""
    file = project.root / "infra" / "main.parameters.json"
    given: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["parameters"]
    params = project.main.of("param")
    for name in sorted(set(given) - set(params)):
        yield f"infra/main.parameters.json: main.bicep has no parameter {name}"
    seen = dict[str, str]()
    for name, param in params.items():
        if name not in given:
            if param.value is None:
                yield f"infra/main.parameters.json: {name} has no default and no value"
            continue
        match = PLACE.fullmatch(str(given[name].get("value")))
        if not match:
            yield f"infra/main.parameters.json: {name} is not ${{NAME=default}}"
            continue
        variable, default = match[1], match[2]
        if variable in seen:
            yield f"infra/main.parameters.json: {name} and {seen[variable]} both use {variable}"
        seen[variable] = name
        if default is None:
            if variable not in FROM_AZD:
                yield f"infra/main.parameters.json: {name} has no default and azd has no {variable}"
        elif isinstance(param.value, str) and default[1:] != param.value.strip("'"):
            own = param.value
            yield f"infra/main.parameters.json: {name} is {default[1:]}, but {own} in main.bicep"


def outputs(project: Project) -> Iterator[str]:
    """Each output is used: a module's by main.bicep, main.bicep's by a hook."""
    read_by_main = set(re.findall(r"\b(\w+)!?(?:\[\w+\])?\.outputs\.(\w+)", project.main.text))
    for module in project.main.of("module").values():
        target = project.files.get(module.type)
        for name in target.of("output") if target else ():
            used = {
                each.name
                for each in project.main.of("module").values()
                if each.type == module.type and (each.name, name) in read_by_main
            }
            if not used:
                yield f"infra/{module.type}: output {name} is unused"
    hooks = "".join(
        path.read_text(encoding="utf-8") for path in (project.root / "infra/hooks").glob("*.py")
    )
    for name in project.main.of("output"):
        # AZURE_RESOURCE_GROUP is for azd itself and for users at a shell.
        if f'"{name}"' not in hooks and name != "AZURE_RESOURCE_GROUP":
            yield f"infra/main.bicep: output {name} is not used by any hook"
