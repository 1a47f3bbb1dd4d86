"""Restores the session of one call to its profile, for as long as the call lasts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.core import logs
from shared.observer.run_context import RunContext, new_event_id
from shared.observer.session_guard import SessionGuard
from shared.realtime.server_events import ErrorEvent, SessionEvent

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
