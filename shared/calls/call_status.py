"""What a caller sees of their own call."""

from __future__ import annotations

from typing import Any

from shared.calls.call_record import CallRecord

FIELDS = (
    *("id", "status", "started_at", "ends_at", "ended_at", "ended_by"),
    *("usage", "transcription", "failures", "api"),
)


def status_for_caller(record: CallRecord) -> dict[str, Any]:
    """The call as its own caller may see it: nothing that joins or books it, and no cost.
    Its id opens nothing: messages, the log and admins know the call by it."""
    shown = record.public()
    until = record.conversation_end.isoformat(timespec="milliseconds")
    own = {name: shown[name] for name in FIELDS if name in shown}
    return {**own, "conversation_ends_at": until}
