"""What a run has missed of a Live call. Nothing can be asked for again; a new connection begins
with the events of the last few seconds by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.observer.gaps import GapKeeper
from shared.transcripts.record_lines import StoredLine

REPLAYED = timedelta(seconds=3)
"""How much of the past a new connection begins with (measured: "the last few seconds"). Nothing
relies on it but this: whoever attaches earlier than that has missed nothing."""


class LiveGaps(GapKeeper):
    """The gaps of one run."""

    def note_attached(self, lines: list[StoredLine], renewed_at: datetime | None) -> None:
        super().note_attached(lines, renewed_at)
        came_late = self.started_at and self.attached_at - self.started_at > REPLAYED
        if self.is_first_run and came_late:
            self.recorder.note_gap(self.started_at, self.attached_at, "late")

    def note_reconnected(self) -> datetime:
        """Unlike elsewhere the loss is not written at once: what is sent again may show that
        nothing is missing."""
        assert self.outage is not None
        self.outage.back_at = now = self.recorder.clock()
        return now

    def note_bridged(self) -> None:
        """An event from before the loss has come once more, and so has all that followed it:
        nothing is missing. What a line says already is stated nevertheless."""
        if self.outage and self.outage.back_at and not self.outage.is_recorded:
            self.outage = None
