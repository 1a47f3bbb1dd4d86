"""The message about one call's end, for programs that are built on it. Pure.

It has what the call's record has, and none of its words. docs/schemas/call-ended.schema.json is its
schema and docs/call-events.md explains it. `schema` is the version: it grows when a member goes or
means something else, and stays when one is added. Whatever is in a row of a table, the message is
smaller than `MOST_BYTES`: every text is cut, and every count is a number under a known name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from shared.calls.call_record import CallRecord
from shared.core.untrusted import finite
from shared.usage import transcription
from shared.usage.live_usage import TIME_KINDS
from shared.usage.tokens import Usage

SCHEMA = 1
MOST_BYTES = 8 * 1024
"""A message of a queue may have 48 KiB."""
MOST_CHARACTERS = 100
"""Of a text in the message: a profile or a model has a shorter name."""
MOST_HANDLE_CHARACTERS = 512
USAGE_KINDS = (*(each.name for each in fields(Usage)), *TIME_KINDS)
WORDS = (
    *("profile", "model", "session_model", "api", "started_by", "ended_by"),
    *("cost", "prices_as_of", "continues", "continued_by"),
)
ALWAYS = ("endpoint", "profile", "model", "ended_by")
"""What the schema promises, also of a record that somebody has edited."""


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """The names of what is kept of a call in the container of the transcripts; "" for what is
    not."""

    transcript: str = ""
    recording: str = ""


def ended_call_message(record: CallRecord, handle: str, container: str, kept: KeptFiles) -> str:
    """The body of the message about a call that is settled. `handle` is one for its caller, or
    ""."""
    assert record.ended_at is not None, "only the end of a call that is over is published"
    lasted = record.ended_at - record.started_at
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "call": record.id,
        "handle": handle if len(handle) <= MOST_HANDLE_CHARACTERS else "",
        "caller": cut(record.caller_id),
        **{name: cut(getattr(record, name)) for name in WORDS},
        "endpoint": cut(record.endpoint_name),
        "observed": bool(record.observed),
        "started_at": shown_time(record.started_at),
        "ends_at": shown_time(record.ends_at),
        "ended_at": shown_time(record.ended_at),
        "seconds": max(0.0, round(lasted.total_seconds(), 3)),
        "usage": known_counts(record.usage, USAGE_KINDS),
        "transcription": known_counts(record.transcription, transcription.KINDS),
        "transcript": place(container, kept.transcript, record.id, "transcript"),
        "recording": place(container, kept.recording, record.id, "recording"),
    }
    # What a call does not have is left out, so that whoever reads it need not tell "" from nothing.
    shown = {
        name: each for name, each in content.items() if name in ALWAYS or each not in ("", None, {})
    }
    return json.dumps(shown, ensure_ascii=False)


def place(container: str, name: str, call: str, route: str) -> dict[str, str] | None:
    """Where something of a call is kept: as a blob, and for admins of the broker."""
    if not name:
        return None
    return {
        "container": container,
        "blob": name,
        "route": f"calls/{call}/{route}",
    }


def cut(text: str) -> str:
    """A text of a record, which somebody may have edited."""
    return "".join(each for each in text[:MOST_CHARACTERS] if each.isprintable())


def shown_time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def known_counts(counts: Mapping[str, Any], kinds: tuple[str, ...]) -> dict[str, int | float]:
    """The counts whose kind this release has, as numbers."""
    found = {kind: finite(counts.get(kind)) for kind in kinds if kind in counts}
    return {kind: number for kind, number in found.items() if number is not None and number >= 0}
