"""The fields of record lines that come from server events. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.core.untrusted import TEXT_CHARACTERS
from shared.realtime.server_events import InputTranscribed, Item
from shared.transcripts.record_lines import RecordLine


def lines_of_input_transcript(
    event: InputTranscribed, key: str, at: datetime, by: str, model: str | None
) -> list[RecordLine]:
    """The caller's words, and what it took `model` to recognise them."""
    lines = [RecordLine("words", key, at, text_fields(event.transcript), by=by)]
    if fields := transcription_fields(event, model):
        lines.append(RecordLine("transcription", key, at, fields))
    return lines


def transcription_fields(event: InputTranscribed, model: str | None) -> dict[str, Any]:
    """The usage of a transcription. Words whose usage is not told have cost something unknown."""
    usage = event.usage or ({"unmeasured": 1} if event.transcript.strip() else {})
    return {**usage, "model": model} if usage and model else dict(usage)


def text_fields(text: str) -> dict[str, Any]:
    """A text as it is recorded; one of the greatest length has been cut."""
    fields: dict[str, Any] = {"text": text.strip()}
    return {**fields, "cut": ["text"]} if len(text) >= TEXT_CHARACTERS else fields


def approval_fields(item: Item) -> dict[str, Any]:
    """What an answer to an MCP server's request for approval says."""
    if item.type != "mcp_approval_response":
        return {}
    decision = None if item.approve is None else "approved" if item.approve else "refused"
    return {"call_id": item.approval_request_id, "decision": decision}


def kind_of(item: Item) -> dict[str, Any]:
    told = {"type": item.type, "role": item.role}
    return {name: value for name, value in told.items() if value}
