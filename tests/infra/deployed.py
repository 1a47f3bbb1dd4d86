"""Rules for what is deployed, whichever parameters are given. They judge the resources that the
deployment engine would make, not the text that they are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.infra.expansion import GIVEN, Expansion
from tests.infra.rules import alerts, app, grants, models, network, resources, storage
from tests.infra.rules.deployment import Deployment

RULES = (
    resources.names,
    resources.musts,
    resources.groups,
    resources.tags,
    grants.grants,
    grants.model_grants,
    app.settings,
    app.origins,
    models.models,
    network.port_3478,
    network.private,
    resources.services,
    storage.queues,
    resources.locks,
    app.zones,
    alerts.alerts,
    resources.previews,
    app.sites,
)


def findings(made: Expansion, given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a deployment."""
    deployment = Deployment(made, {**GIVEN, **given})
    for rule in RULES:
        yield from rule(deployment)
