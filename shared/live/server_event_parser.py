"""JSON -> server event of the Live API: the one place where the shape of an event matters.

What an event cannot do without is required here, and an event that lacks it is `NotUnderstood`: it
costs itself alone. What is only reported is left out where it is of another type than expected.
Nothing here raises, and everything is bounded: events carry what a page has written. Shapes are
from recorded traffic (OpenAI and Azure) and the official types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.core.untrusted import (
    LONGEST_MILLISECONDS,
    NAME_CHARACTERS,
    TEXT_CHARACTERS,
    finite,
)
from shared.live.server_events import (
    ASSISTANT,
    USER,
    BackendEvent,
    BackendResponseCreated,
    BackendResponseDone,
    ContextAppended,
    DelegationCreated,
    FunctionCallAdded,
    FunctionCallDone,
    Info,
    LiveError,
    SessionClosed,
    SessionEvent,
    SessionNotice,
    Speaker,
    TranscriptFragment,
    UsageUpdated,
)
from shared.sideband.event_parsing import Parsers, parse_event
from shared.sideband.events import Json, ServerEvent
from shared.sideband.json_fields import (
    name_text,
    object_or_empty,
    optional_id,
    optional_object,
    required_id,
    required_object,
    required_text,
    scalar,
    text,
)
from shared.usage.live_usage import (
    ACTIVE_SECONDS,
    PAUSED_SECONDS,
    SECONDS,
    model_at_tier,
    usage_of_backend,
)

HANDOFF_INCOMPLETE = "handoff_incomplete"
UNKNOWN_DELEGATION = "unknown_client_delegation"
MEANINGS: Mapping[str, str] = {
    "Responses handoff incomplete.": HANDOFF_INCOMPLETE,
    "Unknown client delegation.": UNKNOWN_DELEGATION,
}
"""Messages of errors that have no code (measured on live traffic)."""
TOLD_TIMES = (SECONDS, ACTIVE_SECONDS, PAUSED_SECONDS)
TARGETS = ("client", "responses", "decisions")


def parse_server_event(raw: Json) -> ServerEvent:
    """The event in a JSON object, whatever is in it."""
    return parse_event(raw, PARSERS)


def milliseconds(raw: Json, name: str) -> int:
    """A place on the session's timeline. Raises KeyError or TypeError."""
    value = finite(raw[name])
    if value is None:
        raise TypeError(f"{name} is not a number")
    return int(max(0, min(value, LONGEST_MILLISECONDS)))


def interval(raw: Json) -> tuple[int, int]:
    """The interval that an event is about; one that ends before it begins ends where it begins.
    Raises KeyError or TypeError."""
    start = milliseconds(raw, "start_ms")
    return start, max(start, milliseconds(raw, "end_ms"))


def session_event(kind: str, raw: Json) -> ServerEvent:
    session = required_object(raw, "session")
    return SessionEvent(kind, optional_id(raw, "event_id"), session, answered_event(raw))


def answered_event(raw: Json) -> str | None:
    return optional_id(raw, "client_event_id")


def session_notice(kind: str, raw: Json) -> ServerEvent:
    return SessionNotice(kind, optional_id(raw, "event_id"), answered_event(raw))


def context_appended(kind: str, raw: Json) -> ServerEvent:
    return ContextAppended(kind, optional_id(raw, "event_id"), *interval(raw), answered_event(raw))


def transcript_fragment(speaker: Speaker) -> Callable[[str, Json], ServerEvent]:
    def parse(kind: str, raw: Json) -> ServerEvent:
        event_id, said = optional_id(raw, "event_id"), required_text(raw, "delta")
        return TranscriptFragment(kind, event_id, speaker, said, *interval(raw))

    return parse


def delegation_created(kind: str, raw: Json) -> ServerEvent:
    delegation = required_object(raw, "delegation")
    target = delegation["target"]
    return DelegationCreated(
        kind,
        optional_id(raw, "event_id"),
        required_id(delegation, "id"),
        target if target in TARGETS else "unknown",
        milliseconds(raw, "offset_ms"),
        optional_id(delegation, "response_id"),
        answered_event(raw),
    )


def backend_event(kind: str, raw: Json) -> ServerEvent:
    event = required_object(raw, "event")
    event_id, delegation_id = optional_id(raw, "event_id"), optional_id(raw, "delegation_id")
    nested = required_text(event, "type")[:NAME_CHARACTERS]
    outer = (kind, event_id, delegation_id, nested)
    match nested:
        case "response.created":
            response = required_object(event, "response")
            model = name_text(response, "model")
            return BackendResponseCreated(*outer, required_id(response, "id"), model)
        case "response.output_item.added" | "response.output_item.done":
            item = required_object(event, "item")
            if item.get("type") == "function_call":
                return function_call(outer, item)
        case "response.completed" | "response.incomplete" | "response.failed":
            return backend_response_done(outer, required_object(event, "response"))
    return BackendEvent(*outer)


def function_call(outer: tuple[str, str | None, str | None, str], item: Json) -> BackendEvent:
    item_id = required_id(item, "id")
    if outer[3] == "response.output_item.added":
        return FunctionCallAdded(*outer, item_id)
    arguments = required_text(item, "arguments")
    return FunctionCallDone(
        *outer,
        item_id,
        required_id(item, "call_id"),
        required_text(item, "name")[:NAME_CHARACTERS],
        arguments if len(arguments) < TEXT_CHARACTERS else None,
        item.get("status") == "completed",
    )


def backend_response_done(
    outer: tuple[str, str | None, str | None, str], response: Json
) -> BackendEvent:
    error = object_or_empty(response, "error")
    details = object_or_empty(response, "incomplete_details")
    return BackendResponseDone(
        *outer,
        required_id(response, "id"),
        # The type of the event is what happened; the status in it may be anything.
        outer[3].removeprefix("response."),
        scalar(error, "code") or scalar(error, "type") or scalar(details, "reason"),
        model_at_tier(name_text(response, "model"), name_text(response, "service_tier")),
        usage_of_backend(response),
    )


def usage_updated(kind: str, raw: Json) -> ServerEvent:
    return UsageUpdated(kind, optional_id(raw, "event_id"), time_counts(raw))


def session_closed(kind: str, raw: Json) -> ServerEvent:
    # Whatever else is wrong with it, it says that the session is over.
    reason = name_text(raw, "reason") or ""
    return SessionClosed(kind, optional_id(raw, "event_id"), reason, time_counts(raw))


def time_counts(raw: Json) -> dict[str, float | int]:
    """The numbers of a snapshot; those that are none are left out."""
    usage = object_or_empty(raw, "usage")
    counts = {name: finite(usage.get(name)) for name in TOLD_TIMES}
    return {name: value for name, value in counts.items() if value is not None}


def error_event(kind: str, raw: Json) -> ServerEvent:
    error = optional_object(raw, "error")
    message = text(error, "message") or ""
    return LiveError(
        kind,
        optional_id(raw, "event_id"),
        scalar(error, "type"),
        scalar(error, "code"),
        scalar(error, "param"),
        optional_id(error, "client_event_id") or answered_event(raw),
        MEANINGS.get(message.strip()[:200], ""),
    )


def info(kind: str, raw: Json) -> ServerEvent:
    return Info(kind, optional_id(raw, "event_id"), name_text(raw, "code") or "")


PARSERS: Parsers = {
    "error": error_event,
    "info": info,
    "response.event": backend_event,
    "session.closed": session_closed,
    "session.commentary.appended": context_appended,
    "session.delegation.created": delegation_created,
    "session.input_audio.muted": session_notice,
    "session.input_audio.unmuted": session_notice,
    "session.input_transcript.delta": transcript_fragment(USER),
    "session.instructions.appended": context_appended,
    "session.output_transcript.delta": transcript_fragment(ASSISTANT),
    "session.paused": session_notice,
    "session.resumed": session_notice,
    "session.started": session_event,
    "session.thinking.appended": context_appended,
    "session.updated": session_event,
    "session.usage.updated": usage_updated,
}
