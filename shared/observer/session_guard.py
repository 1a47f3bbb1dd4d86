"""Holds a running session to its profile: what a page overrides is put back. Pure.

A page can send `session.update` on its data channel, filter or not; the observer sees the
`session.updated` that follows. Guarded are the fields that decide what the assistant is, may do and
costs, and whether the record has words in it. The rest (turn detection, voice, speed) is the
page's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

GUARDED = ("instructions", "tools", "tool_choice", "max_output_tokens", "prompt")
"""Fields of the session that are the profile's alone."""
WITHOUT: Mapping[str, Any] = {"tools": [], "tool_choice": "auto", "prompt": None}
"""What they are where the profile does not say. Instructions and the most output are the service's
own then, and not known here."""
UNSEEN = ("authorization", "headers")
"""What of an MCP tool the service need not show again."""
TRANSCRIPTION = ("audio", "input", "transcription")
AT_MOST = 5
"""So often in one call is the profile asserted: two that assert against each other must not go on
for ever."""


class SessionGuard:
    """Follows one call's session. `session` is the profile's, private instructions included."""

    def __init__(
        self,
        session: Mapping[str, Any],
        *,
        guarded: Iterable[str] = GUARDED,
        at_most: int = AT_MOST,
    ) -> None:
        self.wanted = {
            name: session.get(name, WITHOUT.get(name))
            for name in guarded
            if name in session or name in WITHOUT
        }
        self.transcription = at(session, TRANSCRIPTION)
        self.left = at_most
        self.awaiting: str | None = None

    def overridden_fields(self, session: Mapping[str, Any]) -> list[str]:
        """The guarded fields in which a running session is not the profile's."""
        found = [n for n, value in self.wanted.items() if not covers(session.get(n), value)]
        if self.transcription and not covers(at(session, TRANSCRIPTION), self.transcription):
            found.append(".".join(TRANSCRIPTION))
        return found

    def restoring_update(self, session: Mapping[str, Any], event_id: str) -> dict[str, Any] | None:
        """The `session.update` that puts things right, or None where nothing is wrong.

        While one of ours is on its way the next `session.updated` may be older than it: it is let
        pass, and whatever follows the answer to ours is looked at again.
        """
        if self.awaiting is not None:
            self.awaiting = None
            return None
        names = self.overridden_fields(session)
        if not names or not self.left:
            return None
        self.left -= 1
        self.awaiting = event_id
        update: dict[str, Any] = {"type": "realtime"}
        update |= {name: self.wanted[name] for name in names if name in self.wanted}
        if ".".join(TRANSCRIPTION) in names:
            update["audio"] = {"input": {"transcription": self.transcription}}
        return {"type": "session.update", "event_id": event_id, "session": update}

    def update_refused(self, event_id: object) -> None:
        """An error answers the event of that id: if it is ours, nothing is awaited any more."""
        if event_id is not None and event_id == self.awaiting:
            self.awaiting = None


def covers(running: Any, wanted: Any) -> bool:
    """Whether `running` says what `wanted` does; the server fills in fields of its own."""
    if isinstance(wanted, Mapping):
        if not isinstance(running, Mapping):
            return False
        return all(
            covers(running.get(name), value)
            for name, value in wanted.items()
            if not (name in UNSEEN and "server_label" in wanted)
        )
    if isinstance(wanted, list):
        if not isinstance(running, list) or len(running) != len(wanted):
            return False
        return all(covers(one, other) for one, other in zip(running, wanted, strict=True))
    return bool(running == wanted)


def at(session: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = session
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
