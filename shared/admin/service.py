"""What admins may do: list calls, read transcripts, sum up usage, send an event to a call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.calls.records import CallRecord, Records
from shared.calls.termination import CallTerminator
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core import logs
from shared.core.clock import Clock
from shared.core.problems import Problem
from shared.sideband.admin_events import EventRefused
from shared.sideband.sideband import Connect, NoSuchCall, SidebandUnavailable
from shared.storage.interfaces import Log, StorageError

if TYPE_CHECKING:
    from shared.recordings.stored_recording import StoredRecording
    from shared.sideband.events import ServerEvent

CALLS_PER_PAGE = 50
CALLS_PER_PAGE_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class AdminService:
    """The admins' side of the broker. `connects` open a call's sideband, by its API."""

    records: Records
    terminator: CallTerminator
    transcripts: Log
    connects: Mapping[VoiceApi, Connect]
    clock: Clock

    def list_calls(self, query: Mapping[str, str]) -> dict[str, Any]:
        """One page of calls, newest first. `limit` is the page's size; `before` is `next` of the
        page before. Raises Problem invalid_query."""
        limit = parse_number(query.get("limit", ""), CALLS_PER_PAGE, CALLS_PER_PAGE_AT_MOST)
        found = self.records.newest(self.clock(), before=query.get("before", ""), limit=limit)
        for record in found:
            self.terminator.resend_end_message(record)
        following = found[-1].id if len(found) == limit else None
        return {"calls": [record.public() for record in found], "next": following}

    def show_transcript(self, name: str) -> dict[str, Any]:
        """The record and the transcript of the call with that id. Raises Problem call_not_found."""
        from shared.recordings import recording_report
        from shared.transcripts import transcript
        from shared.transcripts.record_lines import decode_lines
        from shared.transcripts.writer import log_name

        record = self.records.get(name)
        lines = decode_lines(self.transcripts.read(log_name(files_of(record))))
        shown = {
            "call": record.public(),
            "transcript": transcript.build_transcript(lines).to_json(),
        }
        if recording := recording_report.report(self.transcripts, files_of(record), lines):
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
        default), grouped by `by`: some of day, caller, profile, model, separated by commas.

        Raises Problem invalid_query.
        """
        from shared.admin import usage_report

        today = self.clock().astimezone(UTC).date()
        days, groups = usage_report.read_query(query, today)
        return usage_report.sum_usage(
            (record for day in days for record in self.records.of_day(day)), groups
        )

    def send_event(self, name: str, event: Any) -> dict[str, Any]:
        """Sends one allow-listed client event to a live call; returns the type of its answer.

        Raises Problem call_not_found, invalid_event, event_refused or upstream_unreachable.
        """
        record = self.records.get(name)
        if record.ended_at is not None:
            raise Problem("call_not_found", "The call is over.")
        if not isinstance(event, dict):
            raise Problem("invalid_event", "Expected a JSON object.")
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
        logs.event("event sent", call=record.id, type=event["type"])
        return {"answered_by": answer.type if answer else None}

    def event_sent(
        self, record: CallRecord, event: Mapping[str, Any]
    ) -> Coroutine[Any, Any, ServerEvent | None]:
        """Sends an event as the call's API has them."""
        # Imported here because a cold start should not wait for the classes of server events.
        if record.api == LIVE:
            from shared.live.admin_event_sender import send_live_event

            return send_live_event(self.connects[LIVE], record.call_id, event)
        from shared.realtime.admin_event_sender import send_admin_event

        before = partial(self.record_own_item, record)
        connect = self.connects[REALTIME]
        return send_admin_event(connect, record.call_id, event, before_sending=before)

    def record_own_item(self, record: CallRecord, event: Mapping[str, Any]) -> None:
        """Says in the transcript, if there is one, that an item is the server's, not the page's."""
        from shared.transcripts.record_lines import RecordLine
        from shared.transcripts.writer import append_line

        if event["type"] != "conversation.item.create":
            return
        line = RecordLine("sent", event["item"]["id"], self.clock(), {"what": "admin"})
        try:
            append_line(self.transcripts, record.call_id, line)
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
