"""What a run has missed of its call, by the times without a connection: states the gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.observer.recorder import CallRecorder
from shared.transcripts.record_lines import StoredLine, format_time


@dataclass(slots=True)
class Outage:
    """A time without a connection that holds. `after` is the latest item before it; `back_at` says
    since when there is a connection again, which has yet to hold."""

    since: datetime
    after: str | None
    back_at: datetime | None = None
    is_recorded: bool = False


class GapKeeper:
    """The gaps of one run. A connection may have been dead for as long as `unnoticed` before
    anybody knew."""

    def __init__(
        self, recorder: CallRecorder, started_at: datetime | None, unnoticed: timedelta
    ) -> None:
        self.recorder = recorder
        self.started_at = started_at
        self.unnoticed = unnoticed
        self.attached_at = recorder.clock()
        self.is_first_run = True
        self.outage: Outage | None = None

    def resume(self, lines: Sequence[StoredLine]) -> None:
        """Takes over from the record what earlier runs have seen."""
        self.is_first_run = not any(line.kind == "attached" for line in lines)
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

    def note_handed_over(self, connected_at: datetime) -> None:
        """The run has been connected since before the one that followed the call stopped: nothing
        is missing, unless that one had lost its connection."""
        self.attached_at = connected_at
        if self.outage:
            self.outage.back_at = connected_at

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
            self.outage = Outage(since, self.recorder.tail)
        self.outage.back_at = None

    def note_reconnected(self) -> datetime:
        """The lost connection is back; gives the time for `note_held`."""
        assert self.outage is not None
        self.record_loss()
        self.outage.back_at = now = self.recorder.clock()
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

    def note_call_ended(self) -> None:
        """States what may be missing from a call that has ended."""
        if self.outage:
            self.state_outage(self.outage.back_at or self.recorder.clock())
