"""Keeps a running session to its profile: what a page overrides or adds is taken back.

A page can send `session.update` on its data channel, filtered or not; the observer sees the
`session.updated` that follows. Guarded are the fields that decide what the assistant is, what it
may do and what it costs, and whether the record has words in it. The rest (turn detection, voice,
speed) is left to the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from shared.config.transcription_sessions import is_transcription
from shared.observer.realtime.run_context import RealtimeContext
from shared.observer.realtime.session_comparison import (
    COMPLETED,
    completed,
    matches_field,
    matches_prompt,
)
from shared.observer.realtime.session_updates import emptied, is_mcp, nested, without_nulls
from shared.observer.run_context import new_event_id
from shared.observer.session_overrides import SessionOverrides
from shared.realtime.server_events import SessionEvent
from shared.sideband.events import ErrorEvent, NotUnderstood
from shared.sideband.json_fields import value_at

GUARDED_FIELDS = ("instructions", "tools", "tool_choice", "max_output_tokens", "prompt")
"""Fields of the session that only the profile decides, by what it says and what it leaves out."""
TRANSCRIPTION = "audio.input.transcription"
GUARDED_IF_STATED = ("truncation", "reasoning", "parallel_tool_calls", TRANSCRIPTION)
"""Fields that a page may set where the profile does not."""
DEFAULTS: Mapping[str, Any] = {"tools": [], "tool_choice": "auto", "prompt": None}
"""Their values where the profile leaves them out; the other fields are then the service's own."""
MAX_RESTORES = 5
"""How often the profile is restored at once. After that it is restored more and more rarely, but
for as long as the call lasts: two sides that override each other must not keep the service busy,
and a page must not win by being stubborn."""


def stated_fields(session: Mapping[str, Any]) -> dict[str, Any]:
    """The guarded fields whose values a profile's session decides, by their names."""
    # A stored prompt may bring instructions and tools of its own, and says how they are chosen.
    # A session that only transcribes has none of them.
    defaults = {} if session.get("prompt") or is_transcription(session) else DEFAULTS
    stated = {
        name: session.get(name, defaults.get(name))
        for name in GUARDED_FIELDS
        if name in session or name in defaults
    }
    given = {name: running_value(session, name) for name in GUARDED_IF_STATED}
    stated |= {name: value for name, value in given.items() if value is not None}
    return {name: without_nulls(value) for name, value in stated.items()}


def running_value(session: Mapping[str, Any], name: str) -> Any:
    return value_at(session, name.split("."))


class SessionGuard:
    """Guards one call's session. `session` is the profile's, private instructions included.

    What a profile leaves to the service (a stored prompt's tools and version, the default
    instructions, the limits of a truncation) is guarded as the service first reports it beside all
    that the profile says.
    """

    def __init__(self, session: Mapping[str, Any], *, max_restores: int = MAX_RESTORES) -> None:
        self.wanted = stated_fields(session)
        self.kind = str(session.get("type", "realtime"))
        self.is_completed = False
        self.learnt: list[str] = []
        self.accepted: dict[str, Any] = {}
        """Values that could not be restored: only what differs from them is another override."""
        self.seen_as_wanted: set[str] = set()
        self.restores: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.restores_left = max_restores
        self.awaited: dict[str, list[str]] = {}
        """By the ids of our updates that have not been answered yet, the fields in them."""

    def overridden_fields(self, session: Mapping[str, Any] | None) -> list[str]:
        """The guarded fields in which a running session differs from the profile; all of them where
        it could not be read (None)."""
        if session is None:
            return list(self.wanted)
        return [
            name
            for name in self.wanted
            if not self.is_as_wanted(session, name)
            and not (name in self.accepted and self.matches(session, name, self.accepted[name]))
        ]

    def is_as_wanted(self, session: Mapping[str, Any], name: str) -> bool:
        wanted = completed(name, self.wanted[name], running_value(session, name))
        return self.matches(session, name, wanted)

    def matches(self, session: Mapping[str, Any], name: str, value: Any) -> bool:
        running = running_value(session, name)
        if name == "prompt":
            return matches_prompt(running, value)
        return matches_field(name.rpartition(".")[2], running, value)

    def observe_session(self, session: Mapping[str, Any]) -> list[str]:
        """Learns from a running session. Gives the fields that differ and cannot be restored.

        What the service still reports after several restores, and has never reported as the profile
        has it, is its own form of the field.
        """
        for name in self.wanted:
            if self.is_as_wanted(session, name):
                self.seen_as_wanted.add(name)
                self.accepted.pop(name, None)
        given_up = [
            name
            for name in self.overridden_fields(session)
            if not self.can_restore(name)
            or (name not in self.seen_as_wanted and self.restores[name] >= MAX_RESTORES)
        ]
        self.accepted |= {name: running_value(session, name) for name in given_up}
        if not self.is_completed and not self.overridden_fields(session):
            self.complete_from(session)
        return given_up

    def complete_from(self, session: Mapping[str, Any]) -> None:
        """Takes what the profile leaves to the service from its report."""
        self.is_completed = True
        reported = {name: session[name] for name in GUARDED_FIELDS if session.get(name) is not None}
        self.learnt = [name for name in reported if name not in self.wanted]
        self.wanted |= {name: reported[name] for name in self.learnt}
        self.seen_as_wanted.update(self.learnt)
        for name in self.wanted.keys() & COMPLETED.keys():
            self.wanted[name] = completed(name, self.wanted[name], running_value(session, name))

    def can_restore(self, name: str) -> bool:
        """Whether a field's value can be sent. What the service reports of an MCP server cannot: it
        hides what the server is called with."""
        value = self.wanted[name]
        if name not in self.learnt:
            return True
        tools = value if name == "tools" and isinstance(value, list) else ()
        return not any(is_mcp(tool) for tool in tools)

    def restoring_updates(
        self, session: Mapping[str, Any] | None, new_id: Callable[[], str]
    ) -> list[dict[str, Any]]:
        """The `session.update`s that restore the profile; none where nothing is wrong.

        While updates of ours are on their way, the next `session.updated` may be older than they
        are: as many are ignored, and whatever follows is checked again.
        """
        if self.awaited:
            del self.awaited[next(iter(self.awaited))]
            return []
        names = [name for name in self.overridden_fields(session) if self.can_restore(name)]
        if not names or not self.restores_left:
            return []
        self.restores_left -= 1
        if session is not None:
            self.restores.update(names)
        # One field that the service does not take must not keep the others from it.
        groups = [[name] for name in names] if self.refusals else [names]
        steps = [step for group in groups for step in self.steps_to_restore(group, session)]
        updates = [(new_id(), step) for step in steps]
        self.awaited = {event_id: list(step) for event_id, step in updates}
        return [
            {"type": "session.update", "event_id": event_id, "session": nested(step, self.kind)}
            for event_id, step in updates
        ]

    def steps_to_restore(
        self, names: list[str], session: Mapping[str, Any] | None
    ) -> list[dict[str, Any]]:
        """The values to send, in one update or two. The service may keep what an update of
        transcription leaves out."""
        values = {name: without_nulls(self.wanted[name]) for name in names}
        if TRANSCRIPTION not in names:
            return [values]
        if session is None or self.refusals[TRANSCRIPTION]:
            # It keeps nothing while it is off.
            return [{TRANSCRIPTION: None}, values]
        empty = emptied(running_value(session, TRANSCRIPTION))
        return [{**values, TRANSCRIPTION: {**empty, **values[TRANSCRIPTION]}}]

    def start_over(self) -> None:
        """The connection was lost: what answered our updates, if anything did, was not seen."""
        self.awaited.clear()

    def allow_restore(self) -> None:
        """The profile may be restored once more."""
        self.awaited.clear()
        self.restores_left = max(1, self.restores_left)

    def update_refused(self, event_id: str | None) -> bool:
        """An error has answered the client event of that id: if it is ours, it is awaited no more.
        Returns whether it is."""
        names = self.awaited.pop(event_id, None) if event_id else None
        self.refusals.update(names or ())
        return names is not None


class SessionKeeper:
    """Lets the guard's updates meet the connection. `session` is the profile's; None: the page
    decides, and nothing is restored."""

    def __init__(self, context: RealtimeContext, session: Mapping[str, Any] | None) -> None:
        self.context = context
        self.guard = SessionGuard(session) if session is not None else None
        self.latest: SessionEvent | NotUnderstood | None = None
        self.overrides = SessionOverrides(context, self.check_again)

    def check_session(self, event: SessionEvent | NotUnderstood) -> None:
        """Restores what a page has overridden in the session: everything, if the event could not be
        read. What cannot be restored now is restored later, after a pause that grows."""
        self.latest = event
        self.check_latest()

    def check_latest(self) -> None:
        guard, latest = self.guard, self.latest
        if guard is None or latest is None or not self.context.lease.is_good:
            return
        session = session_in(latest)
        for name in guard.observe_session(session) if session is not None else ():
            # In the words of `steering`: a change that stays.
            self.context.recorder.add_numbered_line(
                "steered", {"what": "session", "fields": [name]}
            )
        names = guard.overridden_fields(session)
        put_back = self.restore(guard, session)
        if names and (put_back or not guard.restores_left):
            self.overrides.record_override(names, put_back=put_back)
        if names and not put_back:
            self.overrides.check_again_later()

    def restore(self, guard: SessionGuard, session: Mapping[str, Any] | None) -> bool:
        """Sends what restores the profile. Returns whether there was anything to send."""
        updates = guard.restoring_updates(session, new_event_id)
        sent = [self.context.send_in_background(update) for update in updates]
        if not all(sent):
            guard.start_over()
        return bool(sent) and all(sent)

    def handle_error(self, error: ErrorEvent) -> None:
        """An update of ours that was refused is sent again later."""
        if self.guard is not None and self.guard.update_refused(error.caused_by):
            self.overrides.check_again_later()

    def start_over(self) -> None:
        """The connection was lost."""
        if self.guard is not None:
            self.guard.start_over()

    def check_again(self) -> None:
        if self.guard is not None:
            self.guard.allow_restore()
        self.check_latest()


def session_in(event: SessionEvent | NotUnderstood) -> Mapping[str, Any] | None:
    return event.session if isinstance(event, SessionEvent) else None
