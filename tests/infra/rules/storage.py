"""Rules for what storage keeps."""

from __future__ import annotations

from collections.abc import Iterator

from tests.infra.rules.deployment import Deployment, at


def queues(deployment: Deployment) -> Iterator[str]:
    """Each queue has its poison queue from the start, and transcripts end."""
    found = {
        each["name"].rpartition("/")[2]
        for each in deployment.made.of("Storage/storageAccounts/queueServices/queues")
    }
    for name in sorted(found):
        if not name.endswith("-poison") and f"{name}-poison" not in found:
            yield f"queue {name} has no poison queue"
    days = deployment.given.get("transcriptRetentionDays", 30)
    policies = deployment.made.of("Storage/storageAccounts/managementPolicies")
    if bool(policies) != (days > 0):
        yield "transcripts are deleted exactly where they should not be"
    for each in policies:
        for rule in each["properties"]["policy"]["rules"]:
            definition = rule["definition"]
            if "appendBlob" not in definition["filters"]["blobTypes"]:
                yield "transcripts (append blobs) are never deleted"
            if at(definition, "actions.baseBlob.delete.daysAfterModificationGreaterThan") != days:
                yield "transcripts are deleted after another time than was chosen"
