"""One line of a call's record: a JSON object, written once and never changed. Pure.

A line's id is made of the call, what the line is about and its kind, so that two writers who saw
the same thing make the same id, and a reader takes the first of each. A later line may complete
what an earlier one began: the words of an item come after its place in the conversation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.transcripts.redaction import everywhere

# What was said. Everything else is written even where transcripts are off.
WORDS = frozenset({"placed", "item", "said", "words", "heard", "deleted"})
# Texts that come from people or from the model.
REDACTED = frozenset({"text", "arguments", "output"})
JSON_TEXTS = frozenset({"arguments", "output"})


@dataclass(frozen=True, slots=True)
class RecordLine:
    """What became known at `at`: `kind` says what it is, `key` what it is about.

    Kinds: placed (an item and the one before it), item (its final content), said (its words, where
    the content lacked them), words (the caller's, transcribed), heard (how much of an answer was
    played before it was interrupted), deleted, response (its end and its usage), transcription (its
    usage), tool, session, error, gap, attached, detached, ended.
    """

    kind: str
    key: str
    at: datetime
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredLine:
    """A line as it stands in the record, at place `seq`."""

    id: str
    seq: int
    kind: str
    key: str
    at: datetime
    fields: Mapping[str, Any]


def id_of(call_id: str, line: RecordLine) -> str:
    """The id that every writer of this line would give it."""
    return f"{call_id}/{line.kind}/{line.key}"


def encode(call_id: str, seq: int, line: RecordLine, redact: Callable[[str], str]) -> bytes:
    """The line as it is written, redacted, with its newline."""
    content = {
        "id": id_of(call_id, line),
        "call": call_id,
        "seq": seq,
        "at": stamp(line.at),
        "kind": line.kind,
        "key": line.key,
        **{name: kept(name, value, redact) for name, value in line.fields.items()},
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(data: bytes) -> list[StoredLine]:
    """The lines of a record, each id once; what is no line (a torn last one) is left out."""
    found: dict[str, StoredLine] = {}
    for raw in data.split(b"\n"):
        try:
            content = json.loads(raw)
            own = {name: content.pop(name) for name in ("id", "seq", "kind", "key", "at", "call")}
            at = datetime.fromisoformat(own["at"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        line = StoredLine(own["id"], own["seq"], own["kind"], own["key"], at, content)
        found.setdefault(line.id, line)
    return list(found.values())


def written(call_id: str, lines: Iterable[RecordLine]) -> list[StoredLine]:
    """Lines as `decode` gives them once they are written one after the other."""
    keep = (encode(call_id, seq, line, str) for seq, line in enumerate(lines))
    return decode(b"".join(keep))


def kept(name: str, value: Any, redact: Callable[[str], str]) -> Any:
    if name not in REDACTED:
        return value
    if name in JSON_TEXTS and isinstance(value, str):
        try:
            inner = json.loads(value)
        except ValueError:
            inner = None
        if isinstance(inner, dict | list):
            # Text by text, so that the result is JSON still.
            return json.dumps(everywhere(inner, redact), ensure_ascii=False)
    return everywhere(value, redact)


def stamp(at: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
