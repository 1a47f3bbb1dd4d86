"""What the deployment engine makes of infra/main.bicep, by the compiler's `snapshot`: no account.

Values that only Azure knows stay expressions (`[reference(…)]`). A test that asserts on resources
holds for what is deployed, however the template is written.
"""

from __future__ import annotations

import atexit
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from local import lint
from local.compiler import Compiler
from tests.infra.shared_answers import ANSWERS, content

ROOT = Path(__file__).parent.parent.parent
INFRA = ROOT / "infra"
COMPILER = lint.find_bicep() or ""
REQUIRED = os.environ.get("BICEP_REQUIRED") == "1"
needs_compiler = pytest.mark.skipif(not (COMPILER or REQUIRED), reason=lint.NO_COMPILER)
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GIVEN = {"environmentName": "demo", "location": "eastus2", "brokerSecret": "x"}


@dataclass(frozen=True, order=True)
class Grant:
    """A role assignment: to whom, which role (its id) and on what (its resource id)."""

    principal: str
    role: str
    scope: str
    condition: str = ""

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Grant:
        """From an assignment. An identity of the deployment is called by its module's name."""
        properties = resource["properties"]
        whose = re.search(r"format\('(\w+)-\{0}'", properties["principalId"])
        scope = re.search(r"/subscriptions/.+?(?='|/providers/Microsoft.Auth)", resource["id"])
        assert scope
        return cls(
            whose[1] if whose else properties["principalId"],
            properties["roleDefinitionId"].rpartition("/")[2],
            scope[0],
            properties.get("condition", ""),
        )


@dataclass(frozen=True)
class Expansion:
    """The resources and outputs of one deployment."""

    resources: tuple[dict[str, Any], ...]
    outputs: Mapping[str, Any]

    def of(self, resource_type: str) -> list[dict[str, Any]]:
        """The resources of a type, which may leave out `Microsoft.`."""
        wanted = f"Microsoft.{resource_type.removeprefix('Microsoft.')}"
        return [each for each in self.resources if each["type"] == wanted]

    def the(self, resource_type: str) -> dict[str, Any]:
        """The only resource of a type."""
        (found,) = self.of(resource_type)
        return found

    @property
    def app_settings(self) -> dict[str, str]:
        """The function app's settings."""
        settings: dict[str, str] = self.the("Web/sites/config")["properties"]
        return settings

    @property
    def grants(self) -> list[Grant]:
        """Who may do what."""
        return sorted(map(Grant.of, self.of("Authorization/roleAssignments")))

    @property
    def names(self) -> set[str]:
        """`type name` of every resource, without grants, whose names only Azure knows."""
        return {
            f"{each['type']} {each['name']}"
            for each in self.resources
            if each["type"] != "Microsoft.Authorization/roleAssignments"
        }


def expand(**given: Any) -> Expansion:
    """The deployment with these parameters beside those that have no default."""
    return expand_cached(json.dumps({**GIVEN, **given}, sort_keys=True))


@cache
def expand_cached(given: str) -> Expansion:
    return expand_template(template(), json.loads(given))


def expand_template(compiled: str, given: Mapping[str, Any], group: str = "") -> Expansion:
    """The deployment that a compiled template makes of these parameters, in a resource group if it
    is one for that."""
    question = json.dumps([compiled, given, group], sort_keys=True)
    made = json.loads(ANSWERS.answer(question, partial(snapshot, compiled, given, group)))
    assert made["diagnostics"] == []
    return Expansion(tuple(made["predictedResources"]), made["outputs"])


def snapshot(compiled: str, given: Mapping[str, Any], group: str) -> str:
    """The compiler's snapshot of a compiled template."""
    with TemporaryDirectory() as folder:
        Path(folder, "main.json").write_text(compiled, encoding="utf-8")
        values = {name: bicep_literal(value) for name, value in given.items()}
        lines = [f"param {name} = {value}" for name, value in values.items()]
        asked = Path(folder, "asked.bicepparam")
        asked.write_text("\n".join(["using 'main.json'", *lines]), encoding="utf-8")
        return compiler().snapshot(asked, SUBSCRIPTION, "eastus2", group)


@cache
def template(path: Path = INFRA / "main.bicep") -> str:
    """The compiled template of a file of infra/: compiling takes most of the time, so it is done
    once."""
    question = f"{path.relative_to(INFRA)} of {content(INFRA)}"
    return ANSWERS.answer(question, lambda: compiler().compile(path))


@cache
def compiler() -> Compiler:
    """The one process of the compiler that a process of tests has."""
    started = Compiler(COMPILER)
    atexit.register(started.close)
    return started


def bicep_literal(value: Any) -> str:
    """A value of JSON in Bicep's syntax."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
        return "'" + escaped.replace("\n", "\\n") + "'"
    if isinstance(value, Mapping):
        members = "\n".join(
            f"{bicep_literal(name)}: {bicep_literal(each)}" for name, each in value.items()
        )
        return f"{{\n{members}\n}}"
    if isinstance(value, list | tuple):
        return "[\n" + "\n".join(bicep_literal(each) for each in value) + "\n]"
    return json.dumps(value)
