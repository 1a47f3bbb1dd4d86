"""What an admin is told of a call's recording, beside its transcript."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.recordings.stored_recording import find_recording
from shared.storage.interfaces import Log
from shared.transcripts.record_lines import StoredLine

TOLD = ("side", "from_ms", "to_ms", "reason")


def report(log: Log, call_id: str, lines: Iterable[StoredLine]) -> dict[str, Any] | None:
    """How long the recording plays, what is missing in it, and why it stopped if it did; None if
    the call was not recorded. Raises StorageUnavailable."""
    found = find_recording(log, call_id)
    missing, stopped = [], None
    for line in lines:
        if line.kind == "unrecorded":
            missing.append({name: line.fields.get(name) for name in TOLD})
        elif line.kind == "recording" and line.key == "stopped":
            stopped = line.fields.get("reason")
    if found is None and stopped is None:
        return None
    told: dict[str, Any] = {"duration_ms": found.duration_ms if found else 0, "missing": missing}
    return {**told, "stopped": stopped} if stopped else told
