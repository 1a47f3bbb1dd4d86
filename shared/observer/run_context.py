"""What the parts of a run share: connection, recorder, lease, background tasks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.observer.background import BackgroundTasks
from shared.observer.connection import CallConnection
from shared.observer.lease_keeper import LeaseKeeper
from shared.observer.recorder import CallRecorder


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run's connection to the call, its record, its lease and its background tasks.

    Whoever acts on the call asks `lease.is_good` first: without the lease another run may be acting
    on it.
    """

    connection: CallConnection
    recorder: CallRecorder
    lease: LeaseKeeper
    background: BackgroundTasks

    def send_in_background(self, event: Mapping[str, Any]) -> bool:
        """Sends a client event without waiting; it is dropped if the connection is lost, or takes
        so little that hundreds of events wait: then this returns False."""
        if self.background.is_full:
            return False
        self.background.start_task(self.connection.send_event(event))
        return True


def new_event_id() -> str:
    """An id for a client event that the observer sends."""
    return f"obs_{secrets.token_hex(8)}"
