"""What a run has missed of its call: requests it where that is possible, and states the gaps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.observer.backfill import Backfill
from shared.observer.recorder import CallRecorder
from shared.realtime.server_events import ServerEvent
from shared.transcripts.record_lines import StoredLine

ClientEvents = list[dict[str, Any]]


class GapKeeper:
    """The gaps of one run. `fetches` says whether missed items are requested."""

    def __init__(
        self, recorder: CallRecorder, started_at: datetime | None, *, fetches: bool
    ) -> None:
        self.recorder = recorder
        self.started_at = started_at
        self.fetches = fetches
        self.backfill = Backfill()
        self.attached_at = recorder.clock()
        self.is_first_run = True
        self.came_late = False
        """Whether the beginning was missed and the record does not say so yet."""

    def resume(self, lines: list[StoredLine]) -> None:
        """Takes over from the record what earlier runs have seen."""
        self.is_first_run = not any(line.kind == "attached" for line in lines)
        self.backfill.known |= self.recorder.mapper.placed

    def note_attached(self, lines: list[StoredLine], renewed_at: datetime | None) -> None:
        """The run is connected from now on: states the gap since an earlier run."""
        self.attached_at = self.recorder.clock()
        if not self.is_first_run:
            self.note_takeover(lines, renewed_at, self.attached_at)

    def note_takeover(
        self, lines: list[StoredLine], renewed_at: datetime | None, now: datetime
    ) -> None:
        """States the gap since the run before this one was last known to follow the call; its lease
        was last renewed at `renewed_at`."""
        # Before a renewal a run writes all that it has, and lines are written in their order.
        times = [line.at for line in lines] + ([renewed_at] if renewed_at else [])
        # Another instance's clock may be ahead.
        self.recorder.note_gap(min(max(times), now), now, "taken over")

    def note_reconnected(self, since: datetime) -> None:
        """States the gap of a lost connection that is back."""
        self.note_lost(since)
        self.backfill.start_over()

    def note_lost(self, since: datetime) -> None:
        self.recorder.note_gap(since, self.recorder.clock(), "reconnected")

    def requests_for(self, event: ServerEvent) -> ClientEvents:
        """The client events that request what a server event shows to be missing.

        Once the earliest item is known, states what may be missing from before this run.
        """
        wanted = self.backfill.requests_for(event)
        missed = any(each["type"] == "conversation.item.retrieve" for each in wanted)
        if missed or self.backfill.cut_off:
            first = self.is_first_run and not self.backfill.stated
            self.came_late = self.came_late or first
            self.backfill.stated = True
        if not self.fetches:
            self.backfill.pending.clear()
            wanted = []
        if self.came_late and not self.backfill.pending:
            self.note_late()
        return wanted

    def probe_tail(self) -> ClientEvents:
        """The client events that find the latest item if no server event has named it."""
        return self.backfill.probe_tail() if self.fetches else []

    def note_call_ended(self) -> None:
        """States what may be missing from a call that ended before it was requested, or even
        known."""
        unknown = self.is_first_run and not self.backfill.stated and not self.backfill.tail_is_known
        if self.came_late or unknown:
            self.note_late()

    def note_late(self) -> None:
        self.came_late = False
        head = self.backfill.head
        self.recorder.note_gap(self.started_at, self.attached_at, "late", before=head)
