"""What a record says of responses: a line each, up to a bound. Pure.

A page can begin any number of responses outside the conversation. Beyond the bound what they used
is summed up, so that it still counts.
"""

from __future__ import annotations

from datetime import datetime

from shared.core.bounded import BoundedSet
from shared.realtime.failures import failure_code
from shared.realtime.known_names import known_status
from shared.realtime.server_events import ResponseDone
from shared.transcripts.record_lines import CARRIED_OVER, RecordLine, StoredLine
from shared.usage.tokens import ZERO

RESPONSE_LINES = 5_000
"""An hour of talk has hundreds."""
SUMMED_AT_LEAST = 100
SUMMED_PART = 50
"""Of all responses, one in so many may be summed up and not written yet."""


class ResponseLines:
    """The responses of one call."""

    def __init__(self) -> None:
        self.seen: BoundedSet[str] = BoundedSet(RESPONSE_LINES)
        self.count = 0
        self.start_over()

    def start_over(self) -> None:
        """What has been summed up is on record elsewhere."""
        self.summed, self.usage, self.latest = 0, ZERO, ""

    def resume(self, line: StoredLine) -> None:
        """Takes over a line of the record."""
        number = line.fields.get("responses", 1)
        self.count += number if isinstance(number, int) else 1
        self.seen.add(line.key)

    def lines_of(self, event: ResponseDone, model: str | None, at: datetime) -> list[RecordLine]:
        if event.response_id in self.seen:
            return []
        self.seen.add(event.response_id)
        self.count += 1
        if self.count <= RESPONSE_LINES:
            not_told = event.reason in (None, "")
            fields = {
                "status": known_status(event.status),
                "reason": None if not_told else failure_code(event.reason),
                "model": model,
                "usage": event.usage.counts(),
            }
            return [RecordLine("response", event.response_id, at, fields)]
        self.summed, self.latest = self.summed + 1, event.response_id
        self.usage += event.usage
        is_due = self.summed >= max(SUMMED_AT_LEAST, self.count // SUMMED_PART)
        return self.sum_up(model, at) if is_due else []

    def sum_up(self, model: str | None, at: datetime) -> list[RecordLine]:
        """What has no line yet, in one line, by the latest of these responses."""
        if not self.summed:
            return []
        fields = {
            "status": CARRIED_OVER,
            "model": model,
            "responses": self.summed,
            "usage": self.usage.counts(),
        }
        line = RecordLine("response", self.latest, at, fields)
        self.start_over()
        return [line]
