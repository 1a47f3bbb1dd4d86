"""The events of one run that were not understood, for the record. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.realtime.server_events import NotUnderstood
from shared.transcripts.record_lines import RecordLine, format_time

UNREAD_LINES = 50


class UnreadEvents:
    """The events of one run that were not understood."""

    def __init__(self) -> None:
        self.count = 0

    def lines_of(self, event: NotUnderstood, at: datetime) -> list[RecordLine]:
        """States that there was such an event. Nothing of it is on record; the last line that is
        written says that there may be more."""
        self.count += 1
        if self.count > UNREAD_LINES:
            return []
        fields: dict[str, Any] = {"type": event.type, "reason": event.reason}
        if self.count == UNREAD_LINES:
            fields["more"] = True
        return [RecordLine("unread", f"{format_time(at)} {self.count}", at, fields)]
