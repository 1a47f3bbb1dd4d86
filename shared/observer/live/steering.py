"""What a client does to a Live call besides speaking, as far as the sideband shows it. Pure.

A page whose channel is open can append texts to the model's context, ask for delegated work, and
update the session. What it appends is shown to nobody: only that something was.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from shared.config.live_profiles import page_runs_functions
from shared.live.server_events import ContextAppended, DelegationCreated, FunctionCallDone
from shared.sideband.events import OtherEvent, ServerEvent

PLAYED = "session.output_audio.fixture.playing"
DECISION_ITEMS = ("decision.item.created", "decision.item.deleted")
DECIDED = "decision.event"


@dataclass(frozen=True, slots=True)
class LiveSteering:
    """Something that a client has done: `what` it is about and which kind, by the API's names."""

    what: str
    fields: tuple[str, ...] = ()

    def to_fields(self) -> dict[str, Any]:
        """The fields of its line in the record."""
        shown: dict[str, Any] = {"what": self.what}
        return {**shown, "fields": list(self.fields)} if self.fields else shown


def find_steering(
    event: ServerEvent,
    is_ours: Callable[[ServerEvent], bool],
    granted: Container[str] | None,
    *,
    decides: bool = False,
) -> LiveSteering | None:
    """What an event shows a client to have done. `is_ours` says whether it answers something that
    the server has sent; `granted` are the functions that the profile names, None where the page
    decides; `decides`: the session makes decisions by itself."""
    match event:
        case ContextAppended() if not is_ours(event):
            return LiveSteering("context", (event.what,))
        case DelegationCreated() if event.client_event_id and not is_ours(event):
            return LiveSteering("response")
        case FunctionCallDone() if granted is not None and event.name not in granted:
            return LiveSteering("tool not granted", ("function_call",))
        case OtherEvent(type=kind) if kind == PLAYED:
            return LiveSteering("audio played")
        case OtherEvent(type=kind) if kind in DECISION_ITEMS or (kind == DECIDED and not decides):
            return LiveSteering("decision", (kind,))
    return None


def decides(session: Mapping[str, Any] | None) -> bool:
    """Whether a profile's session makes decisions without being asked by a client."""
    stated = session or {}
    delegation = stated.get("delegation")
    kind = delegation.get("type") if isinstance(delegation, Mapping) else None
    return kind == "decisions" or bool(stated.get("triggers"))


def functions_on_page(session: Mapping[str, Any] | None, granted: Container[str]) -> Container[str]:
    """The functions that a page may answer: those that the profile names, if its channel lets it
    add items to the delegated work."""
    return granted if session is not None and page_runs_functions(session) else ()
