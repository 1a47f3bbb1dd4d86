"""The events of one run that were not understood, for the record. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.sideband.events import NotUnderstood
from shared.transcripts.record_lines import RecordLine, format_time

UNREAD_LINES = 50
"""Of one event each. Further ones are of more and more, so that a page cannot fill the record."""


class UnreadEvents:
    """The events of one run that were not understood."""

    def __init__(self) -> None:
        self.count = 0
        self.stated = 0

    def lines_of(self, event: NotUnderstood, at: datetime) -> list[RecordLine]:
        """States that there were such events, and how many since the line before where that is more
        than one. Nothing else of them is on record."""
        self.count += 1
        new = self.count - self.stated
        if self.count > UNREAD_LINES and new <= self.stated // 10:
            return []
        self.stated = self.count
        fields: dict[str, Any] = {"type": event.type, "reason": event.reason}
        if new > 1:
            fields["events"] = new
        return [RecordLine("unread", f"{format_time(at)} {self.count}", at, fields)]
