"""When the service itself will end a session: it may be sooner than the broker would.

A session says its end (`expires_at`, in seconds since 1970): an hour after its start, in some
regions half of that. A page that knows it moves the conversation into a new call in time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.core import logs
from shared.core.clock import EPOCH
from shared.core.problems import Problem
from shared.core.untrusted import finite
from shared.observer.background import BackgroundTasks
from shared.observer.context import Dependencies, ObservedCall
from shared.storage.interfaces import StorageUnavailable

SOONEST = timedelta(seconds=10)
"""What is nearer than that is no use to anybody, if it is true at all."""
LATEST = timedelta(days=1)


class SessionExpiry:
    """Watches one call's session; tells the record once if it ends before the call does."""

    def __init__(
        self, call: ObservedCall, dependencies: Dependencies, background: BackgroundTasks
    ) -> None:
        self.ends_at = call.ends_at
        self.clock = dependencies.clock
        self.tell = dependencies.expires
        self.background = background

    def note_session(self, session: Mapping[str, Any] | None) -> None:
        """Takes note of the session as the service shows it."""
        seconds = finite((session or {}).get("expires_at"))
        now = self.clock()
        latest = ((now + LATEST) - EPOCH).total_seconds()
        if self.ends_at is None or seconds is None or not 0 < seconds < latest:
            return
        moment = EPOCH + timedelta(seconds=seconds)
        if now + SOONEST < moment < self.ends_at - SOONEST:
            self.ends_at = moment
            self.background.start_task(self.tell_record(moment))

    async def tell_record(self, moment: datetime) -> None:
        try:
            await self.tell(moment)
        except (Problem, StorageUnavailable) as error:
            # The session ends all the same; only nobody knows it ahead.
            logs.event("session's end not recorded", logging.WARNING, reason=type(error).__name__)
