"""Keeps a running session to its profile: what a page overrides is restored.

A page can send `session.update` on its data channel, filtered or not; the observer sees the
`session.updated` that follows. Guarded are the fields that decide what the assistant is, what it
may do and what it costs, and whether the record has words in it. The rest (turn detection, voice,
speed) is left to the page.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from shared.core import logs
from shared.observer.run_context import RunContext, new_event_id
from shared.realtime.server_events import ErrorEvent, SessionEvent

GUARDED_FIELDS = ("instructions", "tools", "tool_choice", "max_output_tokens", "prompt")
"""Fields of the session that only the profile decides."""
DEFAULTS: Mapping[str, Any] = {"tools": [], "tool_choice": "auto", "prompt": None}
"""Their values where the profile has none. Instructions and `max_output_tokens` are then the
service's own, and unknown here."""
HIDDEN_MCP_FIELDS = ("authorization", "headers")
"""What the service need not show of an MCP tool."""
TRANSCRIPTION = ("audio", "input", "transcription")
MAX_RESTORES = 5
"""How often the profile is restored at once. After that it is restored more and more rarely, but
for as long as the call lasts: two sides that override each other must not keep the service busy,
and a page must not win by being stubborn."""


class SessionGuard:
    """Guards one call's session. `session` is the profile's, private instructions included."""

    def __init__(
        self,
        session: Mapping[str, Any],
        *,
        guarded: Iterable[str] = GUARDED_FIELDS,
        max_restores: int = MAX_RESTORES,
    ) -> None:
        # A stored prompt may bring tools of its own, and says how they are chosen.
        defaults = {"prompt": None} if session.get("prompt") else DEFAULTS
        self.wanted = {
            name: session.get(name, defaults.get(name))
            for name in guarded
            if name in session or name in defaults
        }
        self.transcription = value_at(session, TRANSCRIPTION)
        self.restores_left = max_restores
        self.awaited_update: str | None = None
        """The id of our `session.update` that has not been answered yet."""

    def overridden_fields(self, session: Mapping[str, Any]) -> list[str]:
        """The guarded fields in which a running session differs from the profile."""
        found = [n for n, value in self.wanted.items() if not satisfies(session.get(n), value)]
        running = value_at(session, TRANSCRIPTION)
        if self.transcription and not satisfies(running, self.transcription):
            found.append(".".join(TRANSCRIPTION))
        return found

    def restoring_update(self, session: Mapping[str, Any], event_id: str) -> dict[str, Any] | None:
        """The `session.update` that restores the profile, or None where nothing is wrong.

        While an update of ours is on its way, the next `session.updated` may be older than it: that
        one is ignored, and whatever follows the answer to ours is checked again.
        """
        if self.awaited_update is not None:
            self.awaited_update = None
            return None
        names = self.overridden_fields(session)
        if not names or not self.restores_left:
            return None
        self.restores_left -= 1
        self.awaited_update = event_id
        update: dict[str, Any] = {"type": "realtime"}
        update |= {name: self.wanted[name] for name in names if name in self.wanted}
        if ".".join(TRANSCRIPTION) in names:
            update["audio"] = {"input": {"transcription": self.transcription}}
        return {"type": "session.update", "event_id": event_id, "session": update}

    def start_over(self) -> None:
        """The connection was lost: what answered our update, if anything did, was not seen."""
        self.awaited_update = None

    def allow_restore(self) -> None:
        """The profile may be restored once more."""
        self.awaited_update = None
        self.restores_left = max(1, self.restores_left)

    def update_refused(self, event_id: str | None) -> bool:
        """An error has answered the client event of that id: if it is ours, none is awaited.
        Returns whether it is."""
        ours = event_id is not None and event_id == self.awaited_update
        if ours:
            self.awaited_update = None
        return ours


def satisfies(running: Any, wanted: Any) -> bool:
    """Whether `running` has all that `wanted` says; the server adds fields of its own."""
    if isinstance(wanted, Mapping):
        if not isinstance(running, Mapping):
            return False
        return all(
            satisfies(running.get(name), value)
            for name, value in wanted.items()
            if not (name in HIDDEN_MCP_FIELDS and "server_label" in wanted)
        )
    if isinstance(wanted, list):
        if not isinstance(running, list) or len(running) != len(wanted):
            return False
        return all(satisfies(one, other) for one, other in zip(running, wanted, strict=True))
    return bool(running == wanted)


def value_at(session: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = session
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=30)
LOGGED_AT_MOST = 20


class SessionKeeper:
    """Lets the guard's updates meet the connection. `session` is the profile's; None: the page
    decides, and nothing is restored."""

    def __init__(self, context: RunContext, session: Mapping[str, Any] | None) -> None:
        self.context = context
        self.guard = SessionGuard(session) if session is not None else None
        self.latest: SessionEvent | None = None
        self.pause = FIRST_PAUSE
        self.is_waiting = False
        self.logged = 0

    def check_session(self, event: SessionEvent) -> None:
        """Restores what a page has overridden in the session. What cannot be restored now is
        restored later, after a pause that grows."""
        self.latest = event
        guard = self.guard
        if guard is None or not self.context.lease.is_good:
            return
        names = guard.overridden_fields(event.session)
        update = guard.restoring_update(event.session, new_event_id())
        if update is not None:
            self.context.send_in_background(update)
        if not names or not (update is not None or not guard.restores_left):
            return
        about = {"overridden": names, "put_back": update is not None}
        self.context.recorder.add_line("session", str(event.event_id), about)
        self.logged += 1
        if self.logged <= LOGGED_AT_MOST:
            call = self.context.recorder.writer.record_id
            logs.event("session overridden", logging.WARNING, call=call, **about)
        if update is None:
            self.check_again_later()

    def handle_error(self, error: ErrorEvent) -> None:
        """An update of ours that was refused is sent again later."""
        if self.guard is not None and self.guard.update_refused(error.caused_by):
            self.check_again_later()

    def start_over(self) -> None:
        """The connection was lost."""
        if self.guard is not None:
            self.guard.start_over()

    def check_again_later(self) -> None:
        if self.is_waiting:
            return
        self.is_waiting = True
        self.context.background.call_later(self.pause, self.check_again)
        self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def check_again(self) -> None:
        self.is_waiting = False
        guard, latest = self.guard, self.latest
        if guard is None or latest is None or not self.context.lease.is_good:
            return
        guard.allow_restore()
        update = guard.restoring_update(latest.session, new_event_id())
        if update is not None:
            self.context.send_in_background(update)
            about = {"overridden": guard.overridden_fields(latest.session), "put_back": True}
            self.context.recorder.add_numbered_line("session", about)
