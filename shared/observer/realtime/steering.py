"""What a client does to a call besides speaking: seen on the sideband, put on record. Pure.

The page has a data channel, on which it may change the session, add, delete and truncate items,
and ask for responses with settings of their own; nothing tells its events from an admin's. The
sideband shows what comes of them, without saying who asked: what neither the caller's voice nor the
server can have caused was a client's doing. `response.created` shows neither instructions nor
tools, so that a response had its own can only be told from what it calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.observer.realtime.session_comparison import contains
from shared.observer.realtime.session_guard import GUARDED_FIELDS, stated_fields
from shared.realtime.item_origins import ADDED_BY_SERVICE, PAGE, PROBE, UNKNOWN
from shared.realtime.server_events import (
    InputCommitted,
    Item,
    ItemAdded,
    ItemDeleted,
    ItemTruncated,
    OutputItemAdded,
    OutputItemDone,
    ResponseCreated,
    SessionEvent,
)
from shared.sideband.events import OtherEvent, ServerEvent
from shared.sideband.json_fields import value_at
from shared.tools.granted import granted_names

INPUT = ("transcription", "noise_reduction", "turn_detection", "format")
OUTPUT = ("voice", "speed", "format")
SESSION_FIELDS = (
    *(("audio", "input", name) for name in INPUT),
    *(("audio", "output", name) for name in OUTPUT),
    *((name,) for name in GUARDED_FIELDS),
    *(
        (name,)
        for name in (
            *("output_modalities", "parallel_tool_calls", "reasoning", "tracing", "truncation"),
            *("include", "temperature"),
        )
    ),
)
OTHER_FIELDS = frozenset({"type", "object", "id", "model", "expires_at", "audio", "client_secret"})
MCP_ITEMS = ("mcp_call", "mcp_list_tools", "mcp_approval_request")


@dataclass(frozen=True, slots=True)
class Steering:
    """Something that a client has done: `what` it is about and which of its fields, by the API's
    own names. `cancel` is the response to cancel, because it uses what the profile does not grant,
    or because it is one too many.
    """

    what: str
    fields: tuple[str, ...] = ()
    cancel: str | None = None

    def to_fields(self) -> dict[str, Any]:
        """The fields of its line in the record."""
        shown: dict[str, Any] = {"what": self.what}
        if self.fields:
            shown["fields"] = list(self.fields)
        return shown


class SteeringMonitor:
    """Finds what a client does to one call. `session` is the profile's; None: the page decides."""

    def __init__(self, session: Mapping[str, Any] | None) -> None:
        self.profile = session
        self.running: Mapping[str, str] | None = None
        """The hashes of the running session's fields, by their paths."""
        self.shown: dict[str, Any] = {}
        """What a response shows of the running session."""
        self.turn_is_due = True
        """Whether the caller has spoken since the last response, as far as is known."""
        self.guarded = {*GUARDED_FIELDS, *stated_fields(session)} if session is not None else set()
        self.functions = granted_names(session, "function")
        self.servers = granted_names(session, "mcp")
        # A stored prompt may bring tools of its own.
        self.judges_tools = session is not None and not session.get("prompt")
        self.cancelled: str | None = None

    def find(self, event: ServerEvent, origin: str, *, is_ours: bool) -> Steering | None:
        """What an event shows a client to have done. `origin` is that of the event's item, or of a
        truncation; `is_ours` says whether a response is one that the server has asked for."""
        match event:
            case SessionEvent():
                return self.compare_sessions(event.session)
            case InputCommitted():
                self.turn_is_due = True
            case ResponseCreated():
                return self.judge_response(event, is_ours=is_ours)
            case OutputItemAdded() | OutputItemDone():
                return self.judge_item(event.item, event.response_id)
            case ItemAdded(item=item) if origin == PAGE or self.is_of_other_server(item, origin):
                return Steering("item added", (known_item_type(item),))
            case ItemDeleted() if origin != PROBE:
                return Steering("item deleted")
            case ItemTruncated() if origin == PAGE:
                return Steering("item truncated")
            case OtherEvent(type="input_audio_buffer.cleared"):
                return Steering("input audio cleared")
        return None

    def is_of_other_server(self, item: Item, origin: str) -> bool:
        """Whether an item, as the service adds it by itself, is of an MCP server that the profile
        does not grant."""
        by_itself = item.type in ADDED_BY_SERVICE and origin == UNKNOWN
        return by_itself and self.judges_tools and item.server_label not in self.servers

    def compare_sessions(self, session: Mapping[str, Any]) -> Steering | None:
        """Changes of what the profile leaves to the page. The guard states the others."""
        before, self.running = self.running, fingerprints(session)
        output = value_at(session, ("audio", "output"))
        self.shown = {
            "output_modalities": session.get("output_modalities"),
            "max_output_tokens": session.get("max_output_tokens"),
            "voice": output.get("voice") if isinstance(output, Mapping) else None,
        }
        if before is None:
            changed = [path for path in SESSION_FIELDS if self.differs_from_profile(session, path)]
        else:
            changed = [
                path
                for path in (*SESSION_FIELDS, ("unknown fields",))
                if before.get(".".join(path)) != self.running.get(".".join(path))
            ]
        left = [path for path in changed if not self.is_guarded(path)]
        return Steering("session", tuple(".".join(path) for path in left)) if left else None

    def is_guarded(self, path: tuple[str, ...]) -> bool:
        return ".".join(path) in self.guarded

    def differs_from_profile(self, session: Mapping[str, Any], path: tuple[str, ...]) -> bool:
        wanted = value_at(self.profile or {}, path)
        return wanted is not None and not contains(value_at(session, path), wanted)

    def judge_response(self, event: ResponseCreated, *, is_ours: bool) -> Steering | None:
        """A response that neither the caller's turn nor the server has begun."""
        if event.in_conversation:
            due, self.turn_is_due = self.turn_is_due, False
        else:
            due = False
        if is_ours or due:
            return None
        settings = dict(event.settings)
        output = value_at(settings, ("audio", "output"))
        settings["voice"] = output.get("voice") if isinstance(output, Mapping) else None
        own = [
            name
            for name, value in self.shown.items()
            if None not in (value, settings.get(name)) and settings[name] != value
        ]
        own += [] if event.in_conversation else ["conversation"]
        own += ["metadata"] if event.metadata else []
        return Steering("response", tuple(own))

    def judge_item(self, item: Item, response_id: str | None) -> Steering | None:
        """A response that uses a tool which the profile does not grant."""
        if not self.judges_tools or response_id is None or response_id == self.cancelled:
            return None
        by_server = item.type in MCP_ITEMS and item.server_label not in self.servers
        by_function = item.type == "function_call" and item.name not in self.functions
        if not (by_server or by_function):
            return None
        self.cancelled = response_id
        return Steering("tool not granted", (known_item_type(item),), response_id)


def known_item_type(item: Item) -> str:
    known = ("message", "function_call", "function_call_output", "mcp_approval_response")
    return item.type if item.type in (*known, *MCP_ITEMS) else "unknown"


def fingerprints(session: Mapping[str, Any]) -> dict[str, str]:
    """A hash of each field of a session; the unknown ones have one together."""
    unknown = set(map(str, session)) - OTHER_FIELDS - {path[0] for path in SESSION_FIELDS}
    found = {".".join(path): fingerprint(value_at(session, path)) for path in SESSION_FIELDS}
    found["unknown fields"] = fingerprint(sorted(unknown))
    return found


def fingerprint(value: Any) -> str:
    try:
        text = json.dumps(value, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return "unreadable"
    return hashlib.sha256(text.encode()).hexdigest()
