"""JSON -> server event: the one place where the shape of a server event matters.

What an event cannot do without is required here, and an event that lacks it is `NotUnderstood`: it
costs itself alone. What is only reported is left out where it is of another type than expected.
Nothing here raises, and everything is bounded: events carry what a page has written. Shapes are
from recorded live traffic and the providers' references.
"""

from __future__ import annotations

from collections.abc import Callable

from shared.core.untrusted import (
    LONGEST_MILLISECONDS,
    bounded_id,
    finite,
)
from shared.realtime.item_parser import parse_item
from shared.realtime.response_errors import wait_in_message
from shared.realtime.server_events import (
    InputCommitted,
    InputTranscribed,
    InputTranscriptionFailed,
    ItemAdded,
    ItemCreated,
    ItemDeleted,
    ItemDone,
    ItemEvent,
    ItemRetrieved,
    ItemTruncated,
    McpArgumentsDone,
    McpCallCompleted,
    McpCallFailed,
    McpListToolsFailed,
    OutputAudioStarted,
    OutputAudioStopped,
    OutputItemAdded,
    OutputItemDone,
    OutputItemProgress,
    OutputTextDelta,
    OutputTextDone,
    ResponseCreated,
    ResponseDone,
    SessionEvent,
)
from shared.sideband.event_parsing import Parsers, parse_event
from shared.sideband.events import ErrorEvent, Json, ServerEvent
from shared.sideband.json_fields import (
    name_text,
    object_or_empty,
    objects,
    optional_id,
    optional_object,
    required_id,
    required_object,
    required_text,
    scalar,
    text,
)
from shared.usage import tokens
from shared.usage.transcription import usage_of_transcription

MAX_OUTPUT_ITEMS = 256
"""Of a response."""
SETTINGS = ("output_modalities", "max_output_tokens", "audio")


def parse_server_event(raw: Json) -> ServerEvent:
    """The event in a JSON object, whatever is in it."""
    return parse_event(raw, PARSERS)


def item_event(event_class: type[ItemEvent]) -> Callable[[str, Json], ServerEvent]:
    def parse(kind: str, raw: Json) -> ServerEvent:
        previous = raw.get("previous_item_id")
        if previous is not None and not isinstance(previous, str):
            raise TypeError("previous_item_id is not a string")
        before = None if previous is None else bounded_id(previous)
        return event_class(kind, parse_item(required_object(raw, "item")), before)

    return parse


def output_item_event(
    event_class: type[OutputItemAdded | OutputItemDone],
) -> Callable[[str, Json], ServerEvent]:
    def parse(kind: str, raw: Json) -> ServerEvent:
        item = parse_item(required_object(raw, "item"))
        return event_class(kind, item, None, optional_id(raw, "response_id"))

    return parse


def id_event(
    event_class: Callable[[str, str], ServerEvent], id_name: str
) -> Callable[[str, Json], ServerEvent]:
    """Parses events of which only an id matters."""

    def parse(kind: str, raw: Json) -> ServerEvent:
        return event_class(kind, required_id(raw, id_name))

    return parse


def item_truncated(kind: str, raw: Json) -> ServerEvent:
    audio_end_ms = finite(raw["audio_end_ms"])
    if audio_end_ms is None:
        raise TypeError("audio_end_ms is not a number")
    heard = max(0, min(audio_end_ms, LONGEST_MILLISECONDS))
    return ItemTruncated(kind, required_id(raw, "item_id"), heard)


def input_transcribed(kind: str, raw: Json) -> ServerEvent:
    usage = usage_of_transcription(raw.get("usage"))
    transcript = text(raw, "transcript") or ""
    return InputTranscribed(kind, required_id(raw, "item_id"), transcript, usage)


def input_transcription_failed(kind: str, raw: Json) -> ServerEvent:
    error = object_or_empty(raw, "error")
    code, error_type = scalar(error, "code"), scalar(error, "type")
    return InputTranscriptionFailed(kind, required_id(raw, "item_id"), code, error_type)


def mcp_arguments_done(kind: str, raw: Json) -> ServerEvent:
    return McpArgumentsDone(kind, required_id(raw, "item_id"), text(raw, "arguments") or "")


def output_text_delta(kind: str, raw: Json) -> ServerEvent:
    return OutputTextDelta(kind, required_id(raw, "item_id"), required_text(raw, "delta"))


def output_text_done(kind: str, raw: Json) -> ServerEvent:
    said = text(raw, "transcript") or text(raw, "text") or ""
    return OutputTextDone(kind, required_id(raw, "item_id"), said)


def response_created(kind: str, raw: Json) -> ServerEvent:
    response = required_object(raw, "response")
    # Null for a response outside the conversation; the preview API has no such field.
    in_conversation = response.get("conversation_id", "") is not None
    metadata = object_or_empty(response, "metadata")
    settings = {name: response[name] for name in SETTINGS if name in response}
    return ResponseCreated(kind, required_id(response, "id"), in_conversation, metadata, settings)


def response_done(kind: str, raw: Json) -> ServerEvent:
    response = required_object(raw, "response")
    details = object_or_empty(response, "status_details")
    error = object_or_empty(details, "error")
    reason = scalar(details, "reason") or scalar(error, "code") or scalar(error, "type")
    # An item that is not understood must not cost the usage.
    output = tuple(
        parse_item(item)
        for item in objects(response.get("output"), MAX_OUTPUT_ITEMS)
        if item.get("id") and isinstance(item["id"], str)
    )
    usage = tokens.usage_of_response(response)
    status = name_text(response, "status") or name_text(details, "type")
    return ResponseDone(
        kind,
        required_id(response, "id"),
        status,
        reason,
        output,
        usage,
        error_type=scalar(error, "type"),
        wait=wait_in_message(error.get("message")),
        in_conversation=response.get("conversation_id", "") is not None,
        has_metadata=bool(response.get("metadata")),
    )


def session_event(kind: str, raw: Json) -> ServerEvent:
    return SessionEvent(kind, optional_id(raw, "event_id"), required_object(raw, "session"))


def error_event(kind: str, raw: Json) -> ServerEvent:
    error = optional_object(raw, "error")
    return ErrorEvent(
        kind,
        optional_id(raw, "event_id"),
        scalar(error, "type"),
        scalar(error, "code"),
        scalar(error, "param"),
        optional_id(error, "event_id"),
    )


PARSERS: Parsers = {
    "conversation.item.added": item_event(ItemAdded),
    "conversation.item.created": item_event(ItemCreated),
    "conversation.item.done": item_event(ItemDone),
    "conversation.item.retrieved": item_event(ItemRetrieved),
    "conversation.item.truncated": item_truncated,
    "conversation.item.deleted": id_event(ItemDeleted, "item_id"),
    "conversation.item.input_audio_transcription.completed": input_transcribed,
    "conversation.item.input_audio_transcription.failed": input_transcription_failed,
    "input_audio_buffer.committed": id_event(InputCommitted, "item_id"),
    "response.output_item.added": output_item_event(OutputItemAdded),
    "response.output_item.done": output_item_event(OutputItemDone),
    "response.content_part.added": id_event(OutputItemProgress, "item_id"),
    "response.content_part.done": id_event(OutputItemProgress, "item_id"),
    "response.function_call_arguments.delta": id_event(OutputItemProgress, "item_id"),
    "response.function_call_arguments.done": id_event(OutputItemProgress, "item_id"),
    "response.output_audio.done": id_event(OutputItemProgress, "item_id"),
    "response.mcp_call_arguments.delta": id_event(OutputItemProgress, "item_id"),
    "response.mcp_call_arguments.done": mcp_arguments_done,
    "response.mcp_call.completed": id_event(McpCallCompleted, "item_id"),
    "response.mcp_call.failed": id_event(McpCallFailed, "item_id"),
    "mcp_list_tools.failed": id_event(McpListToolsFailed, "item_id"),
    "response.output_text.delta": output_text_delta,
    "response.output_text.done": output_text_done,
    "response.output_audio_transcript.delta": output_text_delta,
    "response.output_audio_transcript.done": output_text_done,
    "response.created": response_created,
    "response.done": response_done,
    "output_audio_buffer.started": id_event(OutputAudioStarted, "response_id"),
    "output_audio_buffer.stopped": id_event(OutputAudioStopped, "response_id"),
    "output_audio_buffer.cleared": id_event(OutputAudioStopped, "response_id"),
    "session.created": session_event,
    "session.updated": session_event,
    "error": error_event,
}
"""By type; an event of any other type is an `OtherEvent`."""
