"""What admins may see and do: the list of calls, what was said, what it cost; send an event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.calls.records import Records
from shared.calls.termination import CallTerminator
from shared.core import logs
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.realtime.sideband import (
    Connect,
    EventRefused,
    NoSuchCall,
    SidebandUnavailable,
    send_event,
)
from shared.storage.interfaces import Log

PAGE = 50
LONGEST_PAGE = 200
LONGEST_REPORT = 92  # days


@dataclass(frozen=True, slots=True)
class AdminService:
    """The admins' side of the broker."""

    records: Records
    endings: CallTerminator
    transcripts: Log
    connect: Connect
    clock: Clock

    def calls(self, query: Mapping[str, str]) -> dict[str, Any]:
        """One page of calls, newest first: `?limit=`; `?before=`, the `next` of the last page."""
        limit = number(query.get("limit", ""), PAGE, LONGEST_PAGE)
        found = self.records.newest(self.clock(), before=query.get("before", ""), limit=limit)
        for record in found:
            self.endings.remind(record)
        following = found[-1].id if len(found) == limit else None
        return {"calls": [record.public() for record in found], "next": following}

    def transcript(self, name: str) -> dict[str, Any]:
        """What is on the record of the call with that id. Raises Problem call_not_found."""
        from shared.transcripts import transcript
        from shared.transcripts.writer import log_name

        record = self.records.get(name)
        written = self.transcripts.read(log_name(record.call_id))
        return {"call": record.public(), "transcript": transcript.read(written).shown()}

    def delete_transcript(self, name: str) -> None:
        """Deletes what was said in the call with that id; again is fine. Its record stays: it has
        no words. Of a call that is still on, what is said from now on is kept."""
        from shared.transcripts.writer import log_name

        self.transcripts.delete(log_name(self.records.get(name).call_id))
        logs.event("transcript deleted", call=name)

    def usage(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """What calls used: `?from=` and `?to=` (days, UTC, both included; default today), `?by=`
        some of day, caller, profile, model, comma-separated."""
        from shared.admin import usage_report

        today = self.clock().astimezone(UTC).date()
        first, last = day(query, "from", today), day(query, "to", today)
        if not 0 <= (last - first).days < LONGEST_REPORT:
            raise Problem("invalid_query", f"from, to: expected up to {LONGEST_REPORT} days.")
        by = [word.strip() for word in query.get("by", "").split(",") if word.strip()]
        if not set(by) <= set(usage_report.GROUPS):
            raise Problem(
                "invalid_query", f"by: expected some of {', '.join(usage_report.GROUPS)}."
            )
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return usage_report.summed(
            (record for each in days for record in self.records.of_day(each)),
            by or usage_report.GROUPS,
        )

    def send(self, name: str, event: Any) -> dict[str, Any]:
        """Sends one allow-listed client event to a running call; says what answered it."""
        record = self.records.get(name)
        if record.ended_at is not None:
            raise Problem("call_not_found", "The call is over.")
        if not isinstance(event, dict):
            raise Problem("invalid_event", "Expected a JSON object.")
        try:
            told = asyncio.run(send_event(self.connect, record.call_id, event))
        except ValueError as wrong:
            raise Problem("invalid_event", f"{wrong}.") from None
        except EventRefused as refused:
            where = f" ({refused.param})" if refused.param else ""
            raise Problem("event_refused", f"Refused as {refused.code}{where}.") from None
        except NoSuchCall:
            raise Problem("call_not_found", "The call is over.") from None
        except SidebandUnavailable:
            raise Problem("upstream_unreachable") from None
        logs.event("event sent", call=record.id, type=event["type"])
        return {"answered_by": told.get("type") if told else None}


def number(text: str, default: int, most: int) -> int:
    """A whole number of a query. Raises Problem invalid_query."""
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise Problem("invalid_query", f"limit: expected 1 to {most}.")
    return int(text)


def day(query: Mapping[str, str], name: str, default: date) -> date:
    """A day of a query. Raises Problem invalid_query."""
    text = query.get(name, "")
    if not text:
        return default
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise Problem("invalid_query", f"{name}: expected a day like 2026-01-31.") from None
