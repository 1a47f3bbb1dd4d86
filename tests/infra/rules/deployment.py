"""What a rule judges: the resources that would be made, and the parameters that were given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.infra.arm import evaluate
from tests.infra.expansion import Expansion


@dataclass(frozen=True)
class Deployment:
    """What is deployed, and the parameters that were given."""

    made: Expansion
    given: Mapping[str, Any]

    def is_on(self, name: str, default: bool = False) -> bool:
        return bool(self.given.get(name, default))

    @cached_property
    def group(self) -> str:
        """The resource group that is created."""
        return str(self.made.the("Resources/resourceGroups")["name"])

    @cached_property
    def endpoints(self) -> list[dict[str, Any]]:
        """The list that the app gets; empty if it has one endpoint."""
        found: list[dict[str, Any]] = json.loads(
            evaluate(self.made.app_settings["REALTIME_ENDPOINTS"]) or "[]"
        )
        return found


def at(resource: Mapping[str, Any], path: str) -> Any:
    found: Any = resource
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def type_of(scope: str) -> str:
    """The type of a resource by its id."""
    provider, *rest = scope.split("/providers/")[-1].split("/")
    return "/".join([provider, *rest[::2]])


EXISTING_SITE = "existingStaticWebAppName"
