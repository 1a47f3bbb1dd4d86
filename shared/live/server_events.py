"""The server events of the Live API, as everything behind the sideband gets them.

Each class holds what this project uses of an event, under the API's names; the JSON is read in
`server_event_parser` alone. `client_event_id` is the id of the client event that an event answers,
where it tells one. Times are milliseconds on the session's timeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from shared.sideband.events import ErrorEvent, Json, Scalar, ServerEvent
from shared.usage.tokens import Usage

Speaker = Literal["user", "assistant"]
USER: Speaker = "user"
ASSISTANT: Speaker = "assistant"


@dataclass(frozen=True, slots=True)
class SessionEvent(ServerEvent):
    """`session.started`, `session.updated`: the session as it is now."""

    event_id: str | None
    session: Json
    client_event_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionNotice(ServerEvent):
    """An event about the session that has no content: `session.paused`, `session.resumed`,
    `session.input_audio.muted`, `session.input_audio.unmuted`."""

    event_id: str | None
    client_event_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContextAppended(ServerEvent):
    """`session.instructions.appended`, `session.thinking.appended`,
    `session.commentary.appended`: a text is in the model's context. It does not say which."""

    event_id: str | None
    start_ms: int
    end_ms: int
    client_event_id: str | None = None

    @property
    def what(self) -> str:
        """instructions, thinking or commentary."""
        return self.type.split(".")[1]


@dataclass(frozen=True, slots=True)
class TranscriptFragment(ServerEvent):
    """`session.input_transcript.delta`, `session.output_transcript.delta`: a few characters of what
    is being said. A fragment of nothing but spaces counts; an empty one does not."""

    event_id: str | None
    speaker: Speaker
    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class DelegationCreated(ServerEvent):
    """`session.delegation.created`. `target` is client, responses or decisions; `offset_ms` is the
    place of the words that led to it. The words themselves are only in the transcript."""

    event_id: str | None
    delegation_id: str
    target: str
    offset_ms: int
    response_id: str | None = None
    client_event_id: str | None = None


@dataclass(frozen=True, slots=True)
class BackendEvent(ServerEvent):
    """`response.event` whose nested event is `nested`: the Responses model is at work. The other
    classes of nested events derive from this one."""

    event_id: str | None
    delegation_id: str | None
    nested: str


@dataclass(frozen=True, slots=True)
class BackendResponseCreated(BackendEvent):
    """`response.created`, nested."""

    response_id: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionCallAdded(BackendEvent):
    """`response.output_item.added` of a function call, nested: it has no arguments yet."""

    item_id: str


@dataclass(frozen=True, slots=True)
class FunctionCallDone(BackendEvent):
    """`response.output_item.done` of a function call, nested. `is_completed`: it may be run.
    `arguments` is None where they are too long to be read."""

    item_id: str
    call_id: str
    name: str
    arguments: str | None
    is_completed: bool


@dataclass(frozen=True, slots=True)
class BackendResponseDone(BackendEvent):
    """`response.completed`, `response.incomplete` or `response.failed`, nested: how a response of
    delegated work ended and what it used. `reason` is its error's code, or why it is incomplete."""

    response_id: str
    status: str
    reason: Scalar
    model: str | None
    usage: Usage


@dataclass(frozen=True, slots=True)
class UsageUpdated(ServerEvent):
    """`session.usage.updated`. `usage` is a snapshot in the API's own names: the sum since the
    session's start."""

    event_id: str | None
    usage: Mapping[str, float | int]


@dataclass(frozen=True, slots=True)
class SessionClosed(ServerEvent):
    """`session.closed`: the end. `reason` is an open string; `usage` is final."""

    event_id: str | None
    reason: str
    usage: Mapping[str, float | int]


@dataclass(frozen=True, slots=True)
class LiveError(ErrorEvent):
    """`error`. Of its message only what it means is kept, where it is one that we know and that
    has no code of its own: `meaning`. A later one with the same code may be about delegated
    work."""

    refuses_at_start: ClassVar[bool] = True
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Info(ServerEvent):
    """`info`: a notice about the session."""

    event_id: str | None
    code: str


EVENT_WITH_ID = (
    SessionEvent
    | SessionNotice
    | ContextAppended
    | TranscriptFragment
    | DelegationCreated
    | BackendEvent
    | UsageUpdated
    | SessionClosed
    | LiveError
    | Info
)


def event_id_of(event: ServerEvent) -> str | None:
    """The id by which an event that is replayed is known again; None where it has none."""
    return event.event_id if isinstance(event, EVENT_WITH_ID) else None


def says_what_it_answers(event: ServerEvent) -> bool:
    """Whether an acknowledgement has the id of the client event. A service says so always, or
    never."""
    kinds = SessionEvent | SessionNotice | ContextAppended | DelegationCreated
    return isinstance(event, kinds) and event.client_event_id is not None
