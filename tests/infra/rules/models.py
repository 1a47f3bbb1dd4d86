"""Rules for the deployments of models."""

from __future__ import annotations

from collections.abc import Iterator

from tests.infra.rules.deployment import Deployment


def models(deployment: Deployment) -> Iterator[str]:
    """Every account has the same deployments, each with a version and units."""
    by_account: dict[str, set[str]] = {}
    for each in deployment.made.of("CognitiveServices/accounts/deployments"):
        account = each["id"].rpartition("/deployments/")[0]
        by_account.setdefault(account, set()).add(each["name"].rpartition("/")[2])
        model = each["properties"]["model"]
        if not model["version"] or each["sku"]["capacity"] < 1:
            yield f"{model['name']} has no version or no units"
        if each["properties"]["versionUpgradeOption"] == "OnceNewDefaultVersionAvailable":
            yield f"{model['name']} changes its version by itself"
    if len({frozenset(each) for each in by_account.values()}) > 1:
        yield f"the accounts have different deployments: {by_account}"
    switched = deployment.is_on("enableModelDeployment", default=True)
    if switched != bool(by_account):
        yield "the model is deployed exactly where it should not be"
    realtime = deployment.made.app_settings["REALTIME_MODEL"]
    for account, found in by_account.items():
        if realtime not in found:
            yield f"{account.rpartition('/')[2]} has no deployment {realtime}"
