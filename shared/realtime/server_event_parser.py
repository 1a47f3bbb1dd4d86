"""JSON -> server event: the one place where the shape of a server event matters.

What an event cannot do without is required here, and an event that lacks it is `NotUnderstood`: it
costs itself alone. What is only reported is left out where it is of another type than expected.
Shapes are from recorded live traffic and the providers' references.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.core import logs
from shared.realtime.server_events import (
    ErrorEvent,
    InputTranscribed,
    InputTranscriptionFailed,
    Item,
    ItemAdded,
    ItemCreated,
    ItemDeleted,
    ItemDone,
    ItemEvent,
    ItemRetrieved,
    ItemTruncated,
    Json,
    NotUnderstood,
    OtherEvent,
    OutputAudioStarted,
    OutputAudioStopped,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    ResponseCreated,
    ResponseDone,
    Scalar,
    ServerEvent,
    SessionEvent,
)
from shared.usage import tokens


def parse_server_event(raw: Json) -> ServerEvent:
    """The event in a JSON object, whatever is in it."""
    kind = raw.get("type")
    parse = PARSERS.get(kind) if isinstance(kind, str) else None
    if parse is None:
        return OtherEvent(str(kind))
    try:
        return parse(str(kind), raw)
    except (KeyError, TypeError, AttributeError, ValueError):
        logs.failure("server event not parsed", type=kind)
        return NotUnderstood(str(kind))


def parse_item(raw: Json) -> Item:
    return Item(
        required_text(raw, "id"),
        text(raw, "type"),
        text(raw, "role"),
        text(raw, "status"),
        text(raw, "name"),
        text(raw, "call_id"),
        text(raw, "arguments"),
        text(raw, "output"),
        text(raw, "server_label"),
        content_text(raw.get("content")),
    )


def content_text(content: Any) -> str:
    """What the parts of an item's content say, without audio."""
    found = []
    for part in objects(content):
        if part.get("type") == "input_image":
            found.append("[image]")
        elif said := part.get("text") or part.get("transcript"):
            found.append(str(said))
    return "\n".join(found)


def item_event(event_class: type[ItemEvent]) -> Callable[[str, Json], ServerEvent]:
    def parse(kind: str, raw: Json) -> ServerEvent:
        previous = raw.get("previous_item_id")
        if previous is not None and not isinstance(previous, str):
            raise TypeError("previous_item_id is not a string")
        return event_class(kind, parse_item(raw["item"]), previous)

    return parse


def item_truncated(kind: str, raw: Json) -> ServerEvent:
    audio_end_ms = raw["audio_end_ms"]
    if not isinstance(audio_end_ms, int | float):
        raise TypeError("audio_end_ms is not a number")
    return ItemTruncated(kind, required_text(raw, "item_id"), audio_end_ms)


def item_deleted(kind: str, raw: Json) -> ServerEvent:
    return ItemDeleted(kind, required_text(raw, "item_id"))


def input_transcribed(kind: str, raw: Json) -> ServerEvent:
    usage = None
    if told := optional_object(raw, "usage"):
        usage = {name: each for name, each in told.items() if isinstance(each, int | float | str)}
    transcript = str(raw.get("transcript") or "")
    return InputTranscribed(kind, required_text(raw, "item_id"), transcript, usage)


def input_transcription_failed(kind: str, raw: Json) -> ServerEvent:
    code = scalar(optional_object(raw, "error"), "code")
    return InputTranscriptionFailed(kind, required_text(raw, "item_id"), code)


def output_text_delta(kind: str, raw: Json) -> ServerEvent:
    return OutputTextDelta(kind, required_text(raw, "item_id"), required_text(raw, "delta"))


def output_text_done(kind: str, raw: Json) -> ServerEvent:
    said = str(raw.get("transcript") or raw.get("text") or "")
    return OutputTextDone(kind, required_text(raw, "item_id"), said)


def response_created(kind: str, raw: Json) -> ServerEvent:
    response = required_object(raw, "response")
    # Null for a response outside the conversation; the preview API has no such field.
    in_conversation = response.get("conversation_id", "") is not None
    metadata = optional_object(response, "metadata")
    return ResponseCreated(kind, required_text(response, "id"), in_conversation, metadata)


def response_done(kind: str, raw: Json) -> ServerEvent:
    response = required_object(raw, "response")
    details = optional_object(response, "status_details")
    reason = scalar(details, "reason") or scalar(optional_object(details, "error"), "code")
    output = tuple(parse_item(item) for item in objects(response.get("output")) if item.get("id"))
    usage = tokens.usage_of_response(response)
    response_id, status = required_text(response, "id"), text(response, "status")
    return ResponseDone(kind, response_id, status, reason, output, usage)


def output_audio_started(kind: str, raw: Json) -> ServerEvent:
    return OutputAudioStarted(kind, required_text(raw, "response_id"))


def output_audio_stopped(kind: str, raw: Json) -> ServerEvent:
    return OutputAudioStopped(kind, required_text(raw, "response_id"))


def session_event(kind: str, raw: Json) -> ServerEvent:
    return SessionEvent(kind, text(raw, "event_id"), required_object(raw, "session"))


def error_event(kind: str, raw: Json) -> ServerEvent:
    error = optional_object(raw, "error")
    return ErrorEvent(
        kind,
        text(raw, "event_id"),
        scalar(error, "type"),
        scalar(error, "code"),
        scalar(error, "param"),
        text(error, "event_id"),
    )


def required_text(raw: Json, name: str) -> str:
    value = raw[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return value


def required_object(raw: Json, name: str) -> Json:
    value = raw[name]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is not an object")
    return value


def optional_object(raw: Json, name: str) -> Json:
    """An object, empty where it is missing or null."""
    return required_object(raw, name) if raw.get(name) else {}


def text(raw: Json, name: str) -> str | None:
    value = raw.get(name)
    return value if isinstance(value, str) else None


def scalar(raw: Json, name: str) -> Scalar:
    value = raw.get(name)
    return value if isinstance(value, str | int | float) else None


def objects(values: Any) -> list[Json]:
    """The objects of an array."""
    return [value for value in values or () if isinstance(value, Mapping)]


PARSERS: Mapping[str, Callable[[str, Json], ServerEvent]] = {
    "conversation.item.added": item_event(ItemAdded),
    "conversation.item.created": item_event(ItemCreated),
    "conversation.item.done": item_event(ItemDone),
    "conversation.item.retrieved": item_event(ItemRetrieved),
    "conversation.item.truncated": item_truncated,
    "conversation.item.deleted": item_deleted,
    "conversation.item.input_audio_transcription.completed": input_transcribed,
    "conversation.item.input_audio_transcription.failed": input_transcription_failed,
    "response.output_item.done": item_event(OutputItemDone),
    "response.output_text.delta": output_text_delta,
    "response.output_text.done": output_text_done,
    "response.output_audio_transcript.delta": output_text_delta,
    "response.output_audio_transcript.done": output_text_done,
    "response.created": response_created,
    "response.done": response_done,
    "output_audio_buffer.started": output_audio_started,
    "output_audio_buffer.stopped": output_audio_stopped,
    "output_audio_buffer.cleared": output_audio_stopped,
    "session.created": session_event,
    "session.updated": session_event,
    "error": error_event,
}
"""By type; an event of any other type is an `OtherEvent`."""
