"""What a run has missed of a Live call. Nothing can be asked for again; a new connection begins
with the events of the last few seconds by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.core.bounded import BoundedSet
from shared.live.replays import REMEMBERED
from shared.live.server_events import event_id_of
from shared.observer.gaps import GapKeeper
from shared.observer.recorder import CallRecorder
from shared.sideband.events import ServerEvent
from shared.transcripts.record_lines import StoredLine

REPLAYED = timedelta(seconds=3)
"""How much of the past a new connection begins with (measured: "the last few seconds"). Nothing
relies on it but this: whoever attaches earlier than that has missed nothing."""


class LiveGaps(GapKeeper):
    """The gaps of one run."""

    def __init__(
        self, recorder: CallRecorder, started_at: datetime | None, unnoticed: timedelta
    ) -> None:
        super().__init__(recorder, started_at, unnoticed)
        self.had_since: BoundedSet[str] = BoundedSet(REMEMBERED)
        """The events that came for the first time since the latest outage began."""

    def note_lost(self, since: datetime) -> None:
        if self.outage is None:
            self.had_since.clear()
        super().note_lost(since)

    def note_attached(self, lines: list[StoredLine], renewed_at: datetime | None) -> None:
        super().note_attached(lines, renewed_at)
        self.note_late()

    def note_handed_over(self, connected_at: datetime) -> None:
        super().note_handed_over(connected_at)
        self.note_late()

    def note_late(self) -> None:
        """States what a first run has missed, if it is not sent again."""
        came_late = self.started_at and self.attached_at - self.started_at > REPLAYED
        if self.is_first_run and came_late:
            self.recorder.note_gap(self.started_at, self.attached_at, "late")

    def note_reconnected(self) -> datetime:
        """Unlike elsewhere the loss is not written at once: what is sent again may show that
        nothing is missing."""
        assert self.outage is not None
        self.outage.back_at = now = self.recorder.clock()
        return now

    def note_new(self, event: ServerEvent) -> None:
        """An event has come that this run has not had before."""
        event_id = event_id_of(event)
        if self.outage and event_id is not None:
            self.had_since.add(event_id)

    def note_replayed(self, event: ServerEvent) -> None:
        """An event has come once more. If it was had before the outage began, so has all that
        followed it: nothing is missing. What a line says already is stated nevertheless."""
        if event_id_of(event) in self.had_since:
            return
        if self.outage and self.outage.back_at and not self.outage.is_recorded:
            self.outage = None
