"""Counts how long the turns of one call waited for their answers, and makes slow ones known."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from shared.core import logs
from shared.core.clock import MILLISECOND
from shared.core.untrusted import finite
from shared.observer.recorder import CallRecorder
from shared.transcripts.record_lines import LATENCY, RecordLine, StoredLine
from shared.usage import turn_latency

LOGGED_AT_MOST = 50
"""In one run: the record has the rest."""
COUNTS = "counts"
"""The field of a line that has the counts of a record that was deleted."""


class TurnLatencies:
    """The latencies of one call, with those that earlier runs have recorded. A turn that waits
    longer than `slow_turn` is logged."""

    def __init__(self, recorder: CallRecorder, slow_turn: timedelta | None) -> None:
        self.recorder = recorder
        self.slow_ms = slow_turn / MILLISECOND if slow_turn else None
        self.counts: Counter[int] = Counter()
        self.logged = 0

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what is in the record."""
        for line in lines:
            if line.kind == LATENCY:
                self.counts.update(counts_in(line))

    def count(self, latency_ms: float) -> None:
        """Counts a turn that has been answered."""
        self.counts[turn_latency.rounded(latency_ms)] += 1
        if self.slow_ms is None or latency_ms <= self.slow_ms or self.logged >= LOGGED_AT_MOST:
            return
        self.logged += 1
        call = self.recorder.writer.record_id
        logs.event("slow turn", logging.WARNING, call=call, ms=round(latency_ms))

    def lines_to_carry_over(self) -> list[RecordLine]:
        """What was counted, for a record that begins again."""
        if not self.counts:
            return []
        fields = {COUNTS: turn_latency.to_stored(self.counts)}
        before = f"{self.recorder.holder} before"
        return [RecordLine(LATENCY, before, self.recorder.clock(), fields)]


def counts_in(line: StoredLine) -> dict[int, int]:
    """The latencies that a line of a record tells."""
    counts, latency = line.fields.get(COUNTS), finite(line.fields.get("ms"))
    if isinstance(counts, dict):
        return turn_latency.from_stored(counts)
    return {} if latency is None else {turn_latency.rounded(latency): 1}
