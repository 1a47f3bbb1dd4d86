"""The server events of the Realtime API, as everything behind the sideband gets them.

Each class holds what this project uses of an event, under the API's names; the JSON is read in
`server_event_parser` alone. An event that nobody here needs is an `OtherEvent`; one that is not of
the shape that its type promises is `NotUnderstood`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from shared.sideband.events import Json, Scalar, ServerEvent
from shared.usage.tokens import Usage


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the conversation. What it does not say is None; `text` is all that it says, part
    by part, without the audio that a retrieved item may carry. `cut` names the texts of which only
    the beginning is here. An MCP item may have an error."""

    id: str
    type: str | None
    role: str | None
    status: str | None
    name: str | None
    call_id: str | None
    arguments: str | None
    output: str | None
    server_label: str | None
    text: str
    cut: tuple[str, ...] = ()
    has_error: bool = False
    error_type: Scalar = None
    error_code: Scalar = None
    approval_request_id: str | None = None
    approve: bool | None = None

    @property
    def is_made_mcp_call(self) -> bool:
        """Whether it is a call of an MCP server's tool that has come to an end."""
        return self.type == "mcp_call" and (self.output is not None or self.has_error)


@dataclass(frozen=True, slots=True)
class ItemEvent(ServerEvent):
    """An event with a whole item. `previous_item_id` is the item before it, where it is told."""

    item: Item
    previous_item_id: str | None


class ItemAdded(ItemEvent):
    """`conversation.item.added`: a null `previous_item_id` is the front of the conversation."""

    __slots__ = ()


class ItemCreated(ItemEvent):
    """`conversation.item.created`: what `.added` was called in the preview API."""

    __slots__ = ()


class ItemDone(ItemEvent):
    """`conversation.item.done`: a null `previous_item_id` says nothing here."""

    __slots__ = ()


class ItemRetrieved(ItemEvent):
    """`conversation.item.retrieved`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OutputItemAdded(ItemEvent):
    """`response.output_item.added`: the model begins an item. It comes before the item's
    `conversation.item.added`."""

    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutputItemDone(ItemEvent):
    """`response.output_item.done`: an item of a response, also of one outside the conversation."""

    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutputItemProgress(ServerEvent):
    """Any other `response.…` event about an item: the model is making it."""

    item_id: str


@dataclass(frozen=True, slots=True)
class McpArgumentsDone(OutputItemProgress):
    """`response.mcp_call_arguments.done`: what the model calls an MCP server's tool with."""

    arguments: str


@dataclass(frozen=True, slots=True)
class InputCommitted(ServerEvent):
    """`input_audio_buffer.committed`: the caller's audio becomes this item."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ItemTruncated(ServerEvent):
    """`conversation.item.truncated`: of the answer only so much was played."""

    item_id: str
    audio_end_ms: float


@dataclass(frozen=True, slots=True)
class ItemDeleted(ServerEvent):
    """`conversation.item.deleted`."""

    item_id: str


@dataclass(frozen=True, slots=True)
class InputTranscribed(ServerEvent):
    """`conversation.item.input_audio_transcription.completed`: the caller's words. `usage` is
    what the transcription took, in the API's own names and units."""

    item_id: str
    transcript: str
    usage: Mapping[str, int | float | str] | None


@dataclass(frozen=True, slots=True)
class InputTranscriptionFailed(ServerEvent):
    """`conversation.item.input_audio_transcription.failed`."""

    item_id: str
    code: Scalar
    error_type: Scalar = None


@dataclass(frozen=True, slots=True)
class McpListToolsFailed(ServerEvent):
    """`mcp_list_tools.failed`: an MCP server's tools are not available to the model."""

    item_id: str


@dataclass(frozen=True, slots=True)
class McpCallCompleted(ServerEvent):
    """`response.mcp_call.completed`: the output is in the conversation. The service does not go on
    by itself."""

    item_id: str


@dataclass(frozen=True, slots=True)
class McpCallFailed(ServerEvent):
    """`response.mcp_call.failed`. Its item, which comes later, says why."""

    item_id: str


@dataclass(frozen=True, slots=True)
class OutputTextDelta(ServerEvent):
    """`response.output_text.delta`, `response.output_audio_transcript.delta`."""

    item_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class OutputTextDone(ServerEvent):
    """`response.output_text.done`, `response.output_audio_transcript.done`."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ResponseCreated(ServerEvent):
    """`response.created`. `in_conversation`: whether it belongs to the conversation, of which
    there is one at a time. `settings` are those that the event shows; it shows neither
    instructions nor tools."""

    response_id: str
    in_conversation: bool
    metadata: Json
    settings: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResponseDone(ServerEvent):
    """`response.done`: how the response ended, what it made, and what it used. `reason` is an
    error's code where there is an error; of its message only the wait that it asks for is read."""

    response_id: str
    status: str | None
    reason: Scalar
    output: tuple[Item, ...]
    usage: Usage
    error_type: Scalar = None
    wait: timedelta | None = None
    in_conversation: bool = True
    has_metadata: bool = False


@dataclass(frozen=True, slots=True)
class OutputAudioStarted(ServerEvent):
    """`output_audio_buffer.started`: the caller begins to hear a response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class OutputAudioStopped(ServerEvent):
    """`output_audio_buffer.stopped`, `output_audio_buffer.cleared`."""

    response_id: str


@dataclass(frozen=True, slots=True)
class SessionEvent(ServerEvent):
    """`session.created`, `session.updated`: the session as it is now."""

    event_id: str | None
    session: Json
