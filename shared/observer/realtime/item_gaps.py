"""What a run has missed of a Realtime call: requests items where that is possible, and states the
gaps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.observer.gaps import GapKeeper
from shared.observer.realtime.backfill import Backfill
from shared.observer.realtime.recorder import ItemRecorder
from shared.realtime.item_keys import parse_key
from shared.sideband.events import ServerEvent
from shared.transcripts.record_lines import StoredLine

ClientEvents = list[dict[str, Any]]


class ItemGaps(GapKeeper):
    """The gaps of one run. `fetches` says whether missed items are requested."""

    def __init__(
        self,
        recorder: ItemRecorder,
        started_at: datetime | None,
        unnoticed: timedelta,
        *,
        fetches: bool,
    ) -> None:
        super().__init__(recorder, started_at, unnoticed)
        self.items = recorder
        self.fetches = fetches
        self.backfill = Backfill()
        self.came_late = False
        """Whether the beginning was missed and the record does not say so yet."""

    def resume(self, lines: Sequence[StoredLine]) -> None:
        super().resume(lines)
        mapper = self.items.mapper
        self.backfill.known.update(parse_key(key)[0] for key in mapper.placed)
        self.backfill.probes.update(parse_key(key)[0] for key in mapper.origins.probes)

    def note_handed_over(self, connected_at: datetime) -> None:
        super().note_handed_over(connected_at)
        # The record has the latest item, and what came since comes to this run.
        self.backfill.tail_is_known = not self.is_first_run and self.outage is None

    def note_reconnected(self) -> datetime:
        now = super().note_reconnected()
        self.backfill.start_over()
        self.items.mapper.origins.note_lost()
        return now

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

    def has_requested(self, item_id: str) -> bool:
        """Whether an item has been requested, and has not come yet."""
        return item_id in self.backfill.pending.values()

    def probe_tail(self) -> ClientEvents:
        """The client events that find the latest item if no server event has named it."""
        wanted = self.backfill.probe_tail() if self.fetches else []
        for event in wanted:
            self.items.add_own_item(event["item"]["id"], "probe")
        return wanted

    def note_call_ended(self) -> None:
        """States what may be missing from a call that ended before it was requested, or even
        known."""
        super().note_call_ended()
        unknown = self.is_first_run and not self.backfill.stated and not self.backfill.tail_is_known
        if self.came_late or unknown:
            self.note_late()

    def note_late(self) -> None:
        self.came_late = False
        place = {"before": self.backfill.head} if self.backfill.head else None
        self.items.note_gap(self.started_at, self.attached_at, "late", place)
