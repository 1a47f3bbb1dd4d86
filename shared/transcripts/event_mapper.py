"""Server events of a call -> the lines of its record, as things become final. Pure.

What the events say, from recorded live traffic: `conversation.item.added` names the item before it;
the `previous_item_id` of `.done` is null in the first response of a conversation whatever stands
before, so a null counts only in `.added`. The caller's words come after the answer has begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from shared.transcripts.record_lines import RecordLine, StoredLine
from shared.usage import tokens

Event = Mapping[str, Any]

PROBE = "probe_"
"""How ids of the items begin that an observer makes only to learn what stands before them."""
UNKNOWN: Any = object()
TEXT_CHARACTERS = 100_000


class EventMapper:
    """Takes the events of one call in the order they arrive."""

    def __init__(self) -> None:
        self.tail: str | None = None
        self.model: str | None = None
        self.placed: set[str] = set()
        self.deleted: set[str] = set()
        self.probes: dict[str, str | None] = {}
        self.so_far: dict[str, str] = {}
        self.wordless: dict[str, bool] = {}
        """Of items whose content is written: whether it was without words."""

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what is in the record."""
        for line in lines:
            if line.kind == "placed":
                self.placed.add(line.key)
                self.tail = line.key
            elif line.kind == "item":
                self.wordless[line.key] = not line.fields.get("text")
            elif line.kind == "said":
                self.wordless[line.key] = False

    def take(self, event: Event, at: datetime) -> list[RecordLine]:
        """The lines that this event makes final; mostly none."""
        handler = HANDLERS.get(str(event.get("type")))
        return handler(self, event, at) if handler else []

    def added(self, event: Event, at: datetime) -> list[RecordLine]:
        item = event["item"]
        if item["id"].startswith(PROBE):
            self.probes[item["id"]] = event.get("previous_item_id")
            return []
        return self.place(item, event.get("previous_item_id"), at)

    def done(self, event: Event, at: datetime) -> list[RecordLine]:
        item, previous = event["item"], event.get("previous_item_id")
        if item["id"].startswith(PROBE):
            return []
        lines = self.place(item, previous, at) if previous else []
        return lines + self.finish(item, at)

    def retrieved(self, event: Event, at: datetime) -> list[RecordLine]:
        item = event["item"]
        if item.get("id", "").startswith(PROBE):
            return []
        lines = self.place(item, event.get("previous_item_id") or UNKNOWN, at)
        return lines if item.get("status") == "in_progress" else lines + self.finish(item, at)

    def output_done(self, event: Event, at: datetime) -> list[RecordLine]:
        return self.finish(event["item"], at)

    def place(self, item: Mapping[str, Any], previous: Any, at: datetime) -> list[RecordLine]:
        """Where an item stands: after `previous`, None for the front."""
        name = item["id"]
        if name in self.placed:
            return []
        if isinstance(previous, str) and previous.startswith(PROBE):
            previous = self.probes.get(previous, UNKNOWN)
        inserted = previous in self.placed and previous != self.tail
        if not inserted or self.tail in self.deleted:
            self.tail = name
        self.placed.add(name)
        fields = kind_of(item)
        if previous is not UNKNOWN:
            fields["previous"] = previous
        return [RecordLine("placed", name, at, fields)]

    def finish(self, item: Mapping[str, Any], at: datetime) -> list[RecordLine]:
        """An item's final content, once."""
        name = item["id"]
        text = text_of(item) or self.so_far.get(name)
        if name in self.wordless:
            return self.say(name, text, at)
        self.wordless[name] = not text
        fields = kind_of(item)
        for field in ("status", "name", "arguments", "call_id", "output", "server_label"):
            if isinstance(item.get(field), str):
                fields[field] = item[field][:TEXT_CHARACTERS]
        if item.get("type") == "message":
            fields["text"] = text or None
        if name not in self.placed and self.tail:
            # A response outside of the conversation: nothing names what it follows.
            fields["after"] = self.tail
        return [RecordLine("item", name, at, fields)]

    def say(self, name: str, text: str | None, at: datetime) -> list[RecordLine]:
        """The words of an item whose content is written already, if it was without."""
        if not text or not self.wordless.get(name):
            return []
        self.wordless[name] = False
        return [RecordLine("said", name, at, {"text": text})]

    def delta(self, event: Event, at: datetime) -> list[RecordLine]:  # noqa: ARG002
        name = event["item_id"]
        if name not in self.wordless:
            self.so_far[name] = (self.so_far.get(name, "") + event["delta"])[:TEXT_CHARACTERS]
        return []

    def text_done(self, event: Event, at: datetime) -> list[RecordLine]:
        text = str(event.get("transcript") or event.get("text") or "")[:TEXT_CHARACTERS]
        self.so_far[event["item_id"]] = text
        return self.say(event["item_id"], text, at)

    def heard(self, event: Event, at: datetime) -> list[RecordLine]:
        name = event["item_id"]
        fields = {"ms": event["audio_end_ms"], "text": self.so_far.get(name)}
        return [RecordLine("heard", name, at, fields)]

    def words(self, event: Event, at: datetime) -> list[RecordLine]:
        name, text = event["item_id"], str(event.get("transcript") or "")
        lines = [RecordLine("words", name, at, {"text": text.strip()[:TEXT_CHARACTERS]})]
        if told := event.get("usage"):
            numbers = {k: v for k, v in told.items() if isinstance(v, int | float | str)}
            lines.append(RecordLine("transcription", name, at, numbers))
        return lines

    def words_failed(self, event: Event, at: datetime) -> list[RecordLine]:
        code = (event.get("error") or {}).get("code") or "unknown"
        return [RecordLine("words", event["item_id"], at, {"text": None, "failed": code})]

    def removed(self, event: Event, at: datetime) -> list[RecordLine]:
        name = event["item_id"]
        if name.startswith(PROBE):
            return []
        self.deleted.add(name)
        return [RecordLine("deleted", name, at)]

    def response_done(self, event: Event, at: datetime) -> list[RecordLine]:
        response = event["response"]
        details = response.get("status_details") or {}
        lines: list[RecordLine] = []
        for item in response.get("output") or []:
            # An observer may have come just before the end.
            if item.get("id") and item.get("status") != "in_progress":
                lines += self.finish(item, at)
            self.so_far.pop(item.get("id"), None)
        fields = {
            "status": response.get("status"),
            "reason": details.get("reason") or (details.get("error") or {}).get("code"),
            "model": self.model,
            "usage": tokens.of_response(response).shown(),
        }
        return [*lines, RecordLine("response", response["id"], at, fields)]

    def session_told(self, event: Event, at: datetime) -> list[RecordLine]:  # noqa: ARG002
        self.model = (event.get("session") or {}).get("model") or self.model
        return []

    def error(self, event: Event, at: datetime) -> list[RecordLine]:
        told = event.get("error") or {}
        fields = {name: told.get(name) for name in ("type", "code", "param")}
        return [RecordLine("error", str(event.get("event_id")), at, fields)]


def kind_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in ("type", "role") if item.get(name)}


def text_of(item: Mapping[str, Any]) -> str:
    """What an item says, part by part. Audio that a retrieved item may carry stays out."""
    parts = []
    for part in item.get("content") or []:
        kind = part.get("type", "")
        text = "[image]" if kind == "input_image" else part.get("text") or part.get("transcript")
        if text:
            parts.append(str(text))
    return "\n".join(parts)[:TEXT_CHARACTERS]


Handler = Callable[[EventMapper, Event, datetime], list[RecordLine]]
HANDLERS: Mapping[str, Handler] = {
    "conversation.item.added": EventMapper.added,
    "conversation.item.created": EventMapper.added,
    "conversation.item.done": EventMapper.done,
    "conversation.item.retrieved": EventMapper.retrieved,
    "conversation.item.truncated": EventMapper.heard,
    "conversation.item.deleted": EventMapper.removed,
    "conversation.item.input_audio_transcription.completed": EventMapper.words,
    "conversation.item.input_audio_transcription.failed": EventMapper.words_failed,
    "response.output_item.done": EventMapper.output_done,
    "response.output_text.delta": EventMapper.delta,
    "response.output_text.done": EventMapper.text_done,
    "response.output_audio_transcript.delta": EventMapper.delta,
    "response.output_audio_transcript.done": EventMapper.text_done,
    "response.done": EventMapper.response_done,
    "session.created": EventMapper.session_told,
    "session.updated": EventMapper.session_told,
    "error": EventMapper.error,
}
