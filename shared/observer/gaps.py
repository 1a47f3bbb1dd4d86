"""What a run has missed of its call: requests it where that is possible, and states the gaps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.observer.backfill import Backfill
from shared.observer.recorder import CallRecorder
from shared.realtime.item_keys import parse_key
from shared.sideband.events import ServerEvent
from shared.transcripts.record_lines import StoredLine, format_time

ClientEvents = list[dict[str, Any]]


@dataclass(slots=True)
class Outage:
    """A time without a connection that holds. `after` is the latest item before it; `back_at` says
    since when there is a connection again, which has yet to hold."""

    since: datetime
    after: str | None
    back_at: datetime | None = None
    is_recorded: bool = False


class GapKeeper:
    """The gaps of one run. `fetches` says whether missed items are requested; a connection may have
    been dead for as long as `unnoticed` before anybody knew."""

    def __init__(
        self,
        recorder: CallRecorder,
        started_at: datetime | None,
        unnoticed: timedelta,
        *,
        fetches: bool,
    ) -> None:
        self.recorder = recorder
        self.started_at = started_at
        self.unnoticed = unnoticed
        self.fetches = fetches
        self.backfill = Backfill()
        self.attached_at = recorder.clock()
        self.is_first_run = True
        self.came_late = False
        """Whether the beginning was missed and the record does not say so yet."""
        self.outage: Outage | None = None

    def resume(self, lines: list[StoredLine]) -> None:
        """Takes over from the record what earlier runs have seen."""
        self.is_first_run = not any(line.kind == "attached" for line in lines)
        mapper = self.recorder.mapper
        self.backfill.known.update(parse_key(key)[0] for key in mapper.placed)
        self.backfill.probes.update(parse_key(key)[0] for key in mapper.origins.probes)
        stated = {line.fields.get("since") for line in lines if line.kind == "gap"}
        lost = [line for line in lines if line.kind == "lost"]
        if lost and format_time(lost[-1].at) not in stated:
            self.outage = Outage(lost[-1].at, lost[-1].fields.get("after"), is_recorded=True)

    def note_attached(self, lines: list[StoredLine], renewed_at: datetime | None) -> None:
        """The run is connected from now on: states the gap since an earlier run, unless the
        connection was lost before that and this may be the same outage still."""
        self.attached_at = self.recorder.clock()
        if self.outage:
            self.outage.back_at = self.attached_at
        elif not self.is_first_run:
            self.note_takeover(lines, renewed_at, self.attached_at)

    def note_takeover(
        self, lines: list[StoredLine], renewed_at: datetime | None, now: datetime
    ) -> None:
        """States the gap since the run before this one was last known to follow the call; its lease
        was last renewed at `renewed_at`."""
        if self.outage:
            self.state_outage(now)
            return
        # Before a renewal a run writes all that it has, and lines are written in their order. But
        # it renews its lease while it has no connection, too.
        times = [line.at for line in lines]
        if renewed_at:
            times.append(renewed_at - self.unnoticed)
        # Another instance's clock may be ahead.
        self.recorder.note_gap(min(max(times), now), now, "taken over")

    def note_lost(self, since: datetime) -> None:
        """The connection is lost: an outage begins, or goes on because the connection of before did
        not hold."""
        if self.outage is None:
            self.outage = Outage(since, self.recorder.mapper.tail)
        self.outage.back_at = None

    def note_reconnected(self) -> datetime:
        """The lost connection is back; gives the time for `note_held`."""
        assert self.outage is not None
        self.record_loss()
        self.outage.back_at = now = self.recorder.clock()
        self.backfill.start_over()
        self.recorder.mapper.origins.note_lost()
        return now

    def note_held(self, back_at: datetime) -> None:
        """The connection that came back at `back_at` has had time to hold: if it did, states the
        outage, however many connections it had, as one gap."""
        if self.outage and self.outage.back_at == back_at:
            self.state_outage(back_at)

    def note_ended_at_once(self, since: datetime) -> None:
        """The connection was lost because the call was over: nothing is missing since then."""
        assert self.outage is not None
        if self.outage.since == since:
            self.outage = None
        else:
            self.outage.back_at = since

    def record_loss(self) -> None:
        """Writes when the outage began, so that a later run can state it."""
        if self.outage and not self.outage.is_recorded:
            self.outage.is_recorded = True
            about = self.recorder.place({"after": self.outage.after})
            key = f"{self.recorder.holder} {format_time(self.outage.since)}"
            self.recorder.add_line("lost", key, about, at=self.outage.since)

    def state_outage(self, until: datetime) -> None:
        """Writes the gap of the outage, which is over."""
        assert self.outage is not None
        place = {"after": self.outage.after}
        self.recorder.note_gap(self.outage.since, until, "reconnected", place)
        self.outage = None

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
            self.recorder.add_own_item(event["item"]["id"], "probe")
        return wanted

    def note_call_ended(self) -> None:
        """States what may be missing from a call that ended before it was requested, or even
        known."""
        if self.outage:
            self.state_outage(self.outage.back_at or self.recorder.clock())
        unknown = self.is_first_run and not self.backfill.stated and not self.backfill.tail_is_known
        if self.came_late or unknown:
            self.note_late()

    def note_late(self) -> None:
        self.came_late = False
        place = {"before": self.backfill.head} if self.backfill.head else None
        self.recorder.note_gap(self.started_at, self.attached_at, "late", place)
