"""What the parts of a Realtime call's run share."""

from __future__ import annotations

from dataclasses import dataclass

from shared.observer.realtime.recorder import ItemRecorder
from shared.observer.run_context import RunContext, new_event_id


@dataclass(frozen=True, slots=True)
class RealtimeContext(RunContext):
    """One run's connection, the record of its items, its lease and its background tasks."""

    recorder: ItemRecorder

    def cancel_response(self, response_id: str) -> bool:
        """Has the service stop a response; see `send_in_background`."""
        cancel = {"type": "response.cancel", "response_id": response_id}
        return self.send_in_background({**cancel, "event_id": new_event_id()})
