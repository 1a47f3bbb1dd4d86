"""What the parts of a Live call's run share."""

from __future__ import annotations

from dataclasses import dataclass

from shared.observer.live.recorder import LiveRecorder
from shared.observer.run_context import RunContext


@dataclass(frozen=True, slots=True)
class LiveContext(RunContext):
    """One run's connection, the record of what is said, its lease and its background tasks."""

    recorder: LiveRecorder
