"""One line of a call's record: a JSON object, written once and never changed. Pure.

A line's id consists of the call, the line's kind and what it is about. So two writers that saw the
same thing give it the same id, and a reader takes the first of each. A later line may complete an
earlier one: the words of an item come after its place in the conversation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.core.untrusted import storable
from shared.transcripts.redaction import redact_json

WORD_KINDS = frozenset(
    {"placed", "item", "said", "words", "heard", "truncated", "deleted", "origin", "turn"}
)
"""What was said. All other kinds are recorded even where transcripts are off."""
REDACTED_FIELDS = frozenset({"text", "arguments", "output"})
"""Text that comes from people or from the model."""
JSON_FIELDS = frozenset({"arguments", "output"})
LATENCY = "latency"
"""The kind of a line that says how long a turn's answer took."""
CARRIED_OVER = "carried over"
"""The status of a `response` line that has the sum of several, which ended in whatever way."""
WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
TOO_DEEP = "[not kept: nested too deeply]"


@dataclass(frozen=True, slots=True)
class RecordLine:
    """What became known at `at`: `kind` says what it is, `key` what it is about. `by` is who wrote
    the item that it is about; it decides how much of it is kept, and is not written.

    Kinds: placed (an item and the one before it), item (its final content), said (its words, where
    the content lacked them), words (the caller's, transcribed), heard (how much of an answer was
    played before it was interrupted), truncated (an answer, by a client), deleted, response (its
    end and its usage), retried (a response that failed, which has been asked for once more),
    transcription (its usage), latency (of a turn: from the end of the caller's speech to the first
    sound of the answer), failed (what else failed, with its code), calling (a server tool has been
    started), tool (its output has been sent), approval asked (a call of an MCP server's tool is to
    be approved), approval (it has been approved or refused, and by whom), sent (an item that the
    server created), origin (who wrote an item, where that was unknown before), session, steered
    (what else a client changed), error, unread (an event that was not understood), gap, cut (from
    here on something is not kept), recording (of both voices, begun or stopped), unrecorded (a time
    of which one side's audio is missing in it), lost (the connection; once it is back and holds, a
    gap of that time says so), attached, continues (the record of the call whose conversation goes
    on in this one), detached, ended. A reader skips kinds that it does not know.

    A Live call has no items but those of the work that it delegates. Its kinds: turn (what one of
    the two has said, or a piece of it), delegation (work has been delegated), continued (delegated
    work has been asked to go on after these calls), usage (how long the session has been, a sum
    each time), paused, resumed, muted, unmuted, tools ended (functions can no longer be answered).
    """

    kind: str
    key: str
    at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as it stands in the record, at place `seq`."""

    id: str
    seq: int
    kind: str
    key: str
    at: datetime
    fields: Mapping[str, Any]


def line_id(call_id: str, line: RecordLine) -> str:
    """The id that every writer gives this line."""
    return f"{call_id}/{line.kind}/{line.key}"


def encode_line(call_id: str, seq: int, line: RecordLine, redact: Callable[[str], str]) -> bytes:
    """The line as it is written: redacted JSON with its newline."""
    content = {
        "id": line_id(call_id, line),
        "call": call_id,
        "seq": seq,
        "at": format_time(line.at),
        "kind": line.kind,
        "key": line.key,
        **{name: redact_field(name, storable(v), redact) for name, v in line.fields.items()},
    }
    text = WRITER.encode(storable(content))
    return text.encode() + b"\n"


def decode_lines(data: bytes) -> list[StoredLine]:
    """The lines of a record, each id once. What is not a line (a torn last one) is left out."""
    found: dict[str, StoredLine] = {}
    for raw in data.split(b"\n"):
        try:
            content = json.loads(raw)
            own = {name: content.pop(name) for name in ("id", "seq", "kind", "key", "at", "call")}
            at = datetime.fromisoformat(own["at"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        line = StoredLine(own["id"], own["seq"], own["kind"], own["key"], at, content)
        found.setdefault(line.id, line)
    return list(found.values())


def redact_field(name: str, value: Any, redact: Callable[[str], str]) -> Any:
    if name not in REDACTED_FIELDS:
        return value
    try:
        if name in JSON_FIELDS and isinstance(value, str):
            try:
                inner = json.loads(value)
            except ValueError:
                inner = None
            if isinstance(inner, dict | list):
                # String by string, so that the result is still JSON.
                return json.dumps(redact_json(inner, redact), ensure_ascii=False)
        return redact_json(value, redact)
    except RecursionError:
        return TOO_DEEP


def format_time(at: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
