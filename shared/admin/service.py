"""What admins may do: find calls, follow transcripts, read reports, send an event to a call."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.admin.refusal_counts import RefusalCounts
from shared.calls.call_record import CallRecord
from shared.calls.records import Records
from shared.calls.termination import CallTerminator
from shared.config.settings import ObserverSettings
from shared.config.voice_api import LIVE, VoiceApi
from shared.core import logs
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.sideband.admin_events import EventRefused
from shared.sideband.sideband import Connect, NoSuchCall, SidebandUnavailable
from shared.storage.interfaces import Log, StorageError

if TYPE_CHECKING:
    from shared.calls.call_search import FoundCalls
    from shared.recordings.stored_recording import StoredRecording
    from shared.sideband.events import ServerEvent
    from shared.transcripts.record_lines import RecordLine

CALLS_PER_PAGE = 50
CALLS_PER_PAGE_AT_MOST = 200
CALLS_PER_FILE = 1000
CALLS_PER_FILE_AT_MOST = 2000


@dataclass(frozen=True, slots=True)
class AdminService:
    """The admins' side of the broker. `connects` open a call's sideband, by its endpoint and
    its API."""

    records: Records
    terminator: CallTerminator
    transcripts: Log
    connects: Callable[[str], Mapping[VoiceApi, Connect]]
    clock: Clock
    refusals: RefusalCounts
    settings: ObserverSettings

    def list_calls(self, query: Mapping[str, str]) -> dict[str, Any]:
        """One page of the calls that match, newest first. `limit` is the page's size; `before` is
        `next` of the page before. Raises Problem invalid_query."""
        found = self.find_calls(query, CALLS_PER_PAGE, CALLS_PER_PAGE_AT_MOST)
        for record in found.calls:
            self.terminator.resend_end_message(record)
        return {"calls": [record.public() for record in found.calls], "next": found.following}

    def export_calls(self, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], str | None]:
        """As `list_calls`, as rows of a file. Raises Problem invalid_query."""
        from shared.admin.call_list import csv_row

        found = self.find_calls(query, CALLS_PER_FILE, CALLS_PER_FILE_AT_MOST)
        return [csv_row(record.public()) for record in found.calls], found.following

    def find_calls(self, query: Mapping[str, str], size: int, most: int) -> FoundCalls:
        """The page of calls that a query asks for."""
        from shared.admin.call_list import read_search
        from shared.calls.call_search import find_calls

        limit = parse_number(query.get("limit", ""), size, most)
        before = query.get("before", "")
        search = read_search(query)
        return find_calls(self.records, search, self.clock(), before=before, limit=limit)

    def show_transcript(self, name: str, after: str = "") -> dict[str, Any]:
        """The record and the transcript of the call with that id; of the transcript what is new
        since the response whose `next` is `after`. Raises Problem call_not_found,
        invalid_query."""
        from shared.recordings import recording_report
        from shared.transcripts.following import Cursor, read_record
        from shared.transcripts.writer import log_name

        record = self.records.get(name)
        shown: dict[str, Any] = {"call": record.public()}
        try:
            cursor = Cursor.parse(after) if after else None
        except ValueError:
            raise Problem("invalid_query", "after: expected `next` of a transcript.") from None
        found = read_record(self.transcripts, log_name(files_of(record)), cursor)
        if found is None:
            return {**shown, "next": after}
        shown |= {"transcript": found.transcript, "next": str(found.cursor)}
        if recording := recording_report.report(self.transcripts, files_of(record), found.lines):
            shown["recording"] = recording
        return shown

    def find_recording(self, name: str) -> StoredRecording:
        """The recording of the call with that id, as far as it is written. Raises Problem
        call_not_found, recording_not_found."""
        from shared.recordings import stored_recording

        record = self.records.get(name)
        found = stored_recording.find_recording(self.transcripts, files_of(record))
        if found is None:
            raise Problem("recording_not_found")
        logs.event("recording read", call=name)
        return found

    def delete_transcript(self, name: str) -> None:
        """Deletes what was said in the call with that id, and its recording. Idempotent.

        The call's record, which has no words in it, stays. In a live call, what is said from now on
        is kept as a transcript, and not recorded. Raises Problem call_not_found.
        """
        from shared.recordings.recording_file import delete_recording
        from shared.transcripts.writer import log_name

        record = self.records.get(name)
        # The voices first: if this breaks off, what is left says so.
        delete_recording(self.transcripts, files_of(record), for_good=not record.settled_by)
        self.transcripts.delete(log_name(files_of(record)))
        logs.event("transcript deleted", call=name)

    def report_usage(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """What calls used from the day `from` to the day `to` (UTC, both included, today by
        default), grouped by `by`: some of day, caller, profile, model, endpoint, separated by
        commas; by the first four if it names none.

        Raises Problem invalid_query.
        """
        from shared.admin import usage_report

        days, groups = self.read_query(query, usage_report.GROUPS, usage_report.ON_REQUEST)
        return usage_report.sum_usage(self.records_of(days), groups)

    def report_latency(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """How fast turns were answered in the calls of those days. Raises Problem
        invalid_query."""
        from shared.admin import latency_report, usage_report

        days, groups = self.read_query(query, latency_report.GROUPS, usage_report.ON_REQUEST)
        return latency_report.latency_rows(
            self.records_of(days), groups, self.settings.slow_turn_ms
        )

    def report_failures(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What was refused and what failed on those days, by code. Raises Problem invalid_query."""
        from shared.admin import failure_report

        days, groups = self.read_query(query, failure_report.GROUPS)
        counted: Counter[failure_report.Row] = Counter()
        for day in days:
            counted += failure_report.refusals_of(day, self.refusals.of_day(day))
            counted += failure_report.failures_of(day, self.records.of_day(day))
        shown = {"failures": failure_report.failure_rows(counted, groups)}
        return {**shown, "problems": failure_report.problems_in(counted)}

    def read_query(
        self, query: Mapping[str, str], groups: Sequence[str], on_request: Sequence[str] = ()
    ) -> tuple[list[date], Sequence[str]]:
        """The days and the groups of a report. Raises Problem invalid_query."""
        from shared.admin import report_query

        today = self.clock().astimezone(UTC).date()
        return report_query.read_query(query, today, groups, on_request)

    def records_of(self, days: Iterable[date]) -> Iterator[CallRecord]:
        """The calls of those days."""
        return (record for day in days for record in self.records.of_day(day))

    def send_event(self, name: str, event: Any) -> dict[str, Any]:
        """Sends one allow-listed client event to a live call; returns the type of its answer.

        Raises Problem call_not_found, invalid_event, event_refused or upstream_unreachable.
        """
        from shared.admin import own_lines

        record = self.records.get(name)
        if record.ended_at is not None:
            raise Problem("call_not_found", "The call is over.")
        if not isinstance(event, dict):
            raise Problem("invalid_event", "Expected a JSON object.")
        if record.api == LIVE and event.get("type") == "session.close":
            # Like a hang-up: the page may not go on in another call.
            self.terminator.end_conversation(record.id)
        try:
            answer = asyncio.run(self.event_sent(record, event))
        except ValueError as wrong:
            raise Problem("invalid_event", f"{wrong}.") from None
        except EventRefused as refused:
            where = f" ({refused.param})" if refused.param else ""
            raise Problem("event_refused", f"Refused as {refused.code}{where}.") from None
        except NoSuchCall:
            raise Problem("call_not_found", "The call is over.") from None
        except SidebandUnavailable as unavailable:
            raise Problem(unavailable.problem) from None
        if record.api == LIVE and answer and self.settings.transcripts:
            self.record_line(record, own_lines.line_of_append(event, self.clock()))
        logs.event("event sent", call=record.id, type=event["type"])
        return {"answered_by": answer.type if answer else None}

    def event_sent(
        self, record: CallRecord, event: Mapping[str, Any]
    ) -> Coroutine[Any, Any, ServerEvent | None]:
        """Sends an event as the call's API has them."""
        connect = self.connects(record.endpoint)[record.api]
        # Imported here because a cold start should not wait for the classes of server events.
        if record.api == LIVE:
            from shared.live.admin_event_sender import send_live_event

            return send_live_event(connect, record.call_id, event)
        from shared.realtime.admin_event_sender import send_admin_event

        before = partial(self.record_own_item, record)
        return send_admin_event(connect, record.call_id, event, before_sending=before)

    def record_own_item(self, record: CallRecord, event: Mapping[str, Any]) -> None:
        """Says in the transcript, if there is one, that an item is the server's, not the page's."""
        from shared.admin import own_lines

        self.record_line(record, own_lines.line_of_item(event, self.clock()))

    def record_line(self, record: CallRecord, line: RecordLine | None) -> None:
        """Adds a line to a call's transcript, if there is one."""
        from shared.transcripts.redaction import redaction
        from shared.transcripts.writer import append_line

        try:
            if line is not None:
                append_line(
                    self.transcripts, record.call_id, line, redaction(self.settings.redaction)
                )
        except StorageError as error:
            logs.event("transcript record not written", logging.WARNING, reason=str(error))


def files_of(record: CallRecord) -> str:
    """What the files of a call's transcript and recording are named by. A call whose id is not
    known (calls/unanswered.py) has none, under its record's id as well."""
    return record.call_id or record.id


def parse_number(text: str, default: int, most: int) -> int:
    """A whole number of a query. Raises Problem invalid_query."""
    if not text:
        return default
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not digits or not 1 <= int(text) <= most:
        raise Problem("invalid_query", f"limit: expected 1 to {most}.")
    return int(text)
