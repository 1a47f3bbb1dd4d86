"""Rules for the alerts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.infra.rules.deployment import Deployment


def alerts(deployment: Deployment) -> Iterator[str]:
    """Every alert looks at the workspace and tells who is to be told."""
    workspace = deployment.given.get("existingWorkspaceId") or ""
    own = deployment.made.of("OperationalInsights/workspaces")
    workspace = workspace or own[0]["id"]
    people = {each["id"] for each in deployment.made.of("Insights/actionGroups")}
    if bool(people) != bool(
        deployment.given.get("alertEmail") and deployment.is_on("enableAlerts", default=True)
    ):
        yield "an action group is there exactly where it should not be"
    for each in deployment.made.of("Insights/scheduledQueryRules"):
        if each["properties"]["scopes"] != [workspace]:
            yield f"{each['name']} does not look at the workspace"
        if set(each["properties"]["actions"]["actionGroups"]) != people:
            yield f"{each['name']} tells nobody"
        for criterion in each["properties"]["criteria"]["allOf"]:
            if re.search(r"\{(app|storage)\}", criterion["query"]):
                yield f"{each['name']} asks for no app"
    for each in deployment.made.of("Insights/diagnosticSettings"):
        if each["properties"]["workspaceId"] != workspace:
            yield f"{each['id']} does not go to the workspace"
