"""Lets the guard of a Live session meet the connection: reads the session, and restores it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.live import client_events
from shared.live.server_events import LiveError, SessionEvent
from shared.observer.live.session_guard import LiveSessionGuard
from shared.observer.run_context import RunContext, new_event_id
from shared.observer.session_overrides import SessionOverrides
from shared.sideband.events import NotUnderstood

ANSWERED_WITHIN = timedelta(seconds=5)


class LiveSessionKeeper:
    """Keeps one call's session. `session` is the profile's; None: the page decides, and nothing is
    restored."""

    def __init__(self, context: RunContext, session: Mapping[str, Any] | None) -> None:
        self.context = context
        self.guard = LiveSessionGuard(session) if session is not None else None
        self.latest: SessionEvent | NotUnderstood | None = None
        self.awaited: str | None = None
        """The id of our update that has not been answered yet."""
        self.overrides = SessionOverrides(context, self.check_again)

    async def read_session(self) -> None:
        """Asks for the session as it is. Raises SidebandClosed."""
        await self.context.connection.send_event(client_events.read_session(new_event_id()))

    def check_session(self, event: SessionEvent | NotUnderstood) -> None:
        """Restores what has been overridden in the session: everything, if the event could not be
        read."""
        self.latest = event
        if isinstance(event, SessionEvent) and event.client_event_id == self.awaited:
            self.awaited = None
        is_whole = (
            self.guard is not None
            and isinstance(event, SessionEvent)
            and self.guard.observe_session(event.session)
        )
        if is_whole:
            # The service takes what restores it: whoever overrides it again gains no time by it.
            self.overrides.shorten_pause()
        self.check_latest()

    def check_latest(self) -> None:
        guard, latest = self.guard, self.latest
        if guard is None or latest is None or self.awaited or not self.context.lease.is_good:
            return
        session = latest.session if isinstance(latest, SessionEvent) else None
        names = guard.overridden_fields(session)
        if not names:
            return
        update = guard.restoring_session(session)
        put_back = update is not None and self.send(update)
        if put_back or not self.overrides.is_waiting:
            self.overrides.record_override(names, put_back=put_back)
        if not put_back:
            self.overrides.check_again_later()

    def send(self, session: Mapping[str, Any]) -> bool:
        """Sends an update; until it is answered, or should have been, no other is sent."""
        event_id = new_event_id()
        if not self.context.send_in_background(client_events.update_session(session, event_id)):
            return False
        self.awaited = event_id
        self.context.background.call_later(ANSWERED_WITHIN, lambda: self.give_up(event_id))
        return True

    def give_up(self, event_id: str) -> None:
        """Not every service says which update it answers."""
        if self.awaited == event_id:
            self.awaited = None
            self.check_latest()

    def resume_without_functions(self) -> None:
        """An earlier run has dropped the functions: they are not put back."""
        if self.guard is not None and self.guard.kind == "responses":
            self.guard.without_functions()

    def drop_functions(self) -> None:
        """Has the work call no function any more, whose output could not be delivered."""
        if self.guard is not None and self.guard.kind == "responses":
            self.send(self.guard.without_functions())

    def is_ours(self, event_id: str | None) -> bool:
        return event_id is not None and event_id == self.awaited

    def handle_error(self, error: LiveError) -> None:
        """An update of ours that was refused is sent again later."""
        if self.is_ours(error.caused_by):
            self.awaited = None
            if self.guard is not None:
                self.guard.is_refused = True
            self.overrides.check_again_later()

    def start_over(self) -> None:
        """The connection was lost."""
        self.awaited = None

    def check_again(self) -> None:
        if self.guard is not None:
            self.guard.allow_restore()
        self.check_latest()
