"""What came -> where it lies on the call's timeline. Pure, and where audio is decoded: it runs off
the event loop.

The caller's frames are placed by when they came, the model's by what the service says; what ties
the two together is that both come at a steady pace. Times are milliseconds, places samples.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.recordings.audio import (
    LONGEST_FRAME_MS,
    SIDES,
    Heard,
    Interruption,
    Piece,
    Side,
    decode_samples,
)
from shared.recordings.counting_clock import LOOKAHEAD_MS, CountingClock
from shared.recordings.model_clock import ModelClock
from shared.recordings.stereo_mix import StereoMix
from shared.recordings.wav import SAMPLE_BYTES, SAMPLES_PER_MS

MODEL_BEHIND_CALLER_MS = 160
"""How much later than the caller's audio of the same time the model's is reflected: 473 and 312 ms
at least in the recorded sideband of a call, whose first frame of the caller's is taken for the
call's beginning."""
ANCHOR_WITHIN_MS = 8000
"""For so long the caller's first frames wait for one of the model's to be placed by."""
ELAPSED_MARGIN_MS = 60_000
"""A place that is so much later than now is none: clocks do not differ more."""
LONGEST_FRAME_BYTES = LONGEST_FRAME_MS * SAMPLES_PER_MS * SAMPLE_BYTES
DISAGREE_MS = 10_000
"""Where what the two sides say of now differs by more, the earlier is believed."""


class Timeline:
    """Places what came of one call. `epoch` is when the call began, by the clock of arrivals, as
    far as the call's record tells; it may have begun earlier by `margin`."""

    def __init__(self, mix: StereoMix, epoch: float, margin: float = ELAPSED_MARGIN_MS) -> None:
        self.mix = mix
        self.epoch = epoch
        self.margin = margin
        self.counted: dict[Side, CountingClock] = {side: CountingClock() for side in SIDES}
        self.model = ModelClock()
        self.waiting: dict[Side, list[tuple[float, bytes]]] = {side: [] for side in SIDES}
        """When the frames came that nothing places and that are too young to be counted, and their
        samples."""

    def place(self, came: Sequence[Heard | Interruption], now: float, *, final: bool) -> None:
        """Places what came, up to `now`. `final`: nothing follows."""
        latest = now - self.epoch + self.margin
        for each in came:
            if isinstance(each, Interruption):
                self.start_connection(each, latest)
            elif samples := self.decode_frame(each):
                if each.start_ms is None:
                    self.waiting[each.side].append((each.arrived, samples))
                else:
                    self.place_model(each.arrived, each.start_ms, samples, latest)
        for side in SIDES:
            self.place_counted(side, now, latest, final=final)

    def decode_frame(self, heard: Heard) -> bytes:
        """The samples of a frame, of one that is too long only a sample too many."""
        return decode_samples(heard.source)[: LONGEST_FRAME_BYTES + SAMPLE_BYTES]

    def start_connection(self, interruption: Interruption, latest: float) -> None:
        """What comes next is of another connection."""
        for side in SIDES:
            self.place_counted(side, interruption.at, latest, final=True)
            self.counted[side].start_connection()
        self.model.start_connection(interruption.at)
        self.mix.interrupt(interruption.reason)

    def place_model(self, arrived: float, start_ms: int, samples: bytes, latest: float) -> None:
        written, length = self.mix.written / SAMPLES_PER_MS, length_ms(samples)
        place = self.model.place_frame(arrived, start_ms, length, written, latest)
        if place is not None:
            self.add_piece("model", place, samples, arrived)

    def add_piece(self, side: Side, place: float, samples: bytes, now: float) -> None:
        """Adds a frame at its place; of one that is too long the first second."""
        present = self.present(now)
        if present is not None and place > present + DISAGREE_MS:
            return
        piece = Piece(round(place * SAMPLES_PER_MS), samples[:LONGEST_FRAME_BYTES])
        self.mix.add_piece(side, piece)
        if len(samples) > LONGEST_FRAME_BYTES:
            self.mix.note_cut(side, piece.at, piece.end)

    def writable(self, now: float, patience: int) -> int:
        """Up to which sample the timeline can be written at that time. No audio is of later than
        now, and whatever says so must not have the time up to it written as silence."""
        until, present = self.mix.writable(patience), self.present(now)
        if present is not None:
            until = min(until, round((present + LONGEST_FRAME_MS) * SAMPLES_PER_MS))
        return max(self.mix.written, until)

    def present(self, now: float) -> float | None:
        """Where a frame that arrives now begins at the latest; None if nothing has come."""
        lags = [lag for lag in (self.counted["caller"].lag, self.model_lag) if lag is not None]
        if not lags:
            return None
        return now - (min(lags) if max(lags) - min(lags) < DISAGREE_MS else max(lags))

    @property
    def model_lag(self) -> float | None:
        return self.counted["model"].lag if self.model.lag is None else self.model.lag

    def place_counted(self, side: Side, now: float, latest: float, *, final: bool) -> None:
        """Places the frames of a side that are old enough."""
        waiting, clock = self.waiting[side], self.counted[side]
        if not waiting:
            return
        lag = clock.lag
        if lag is None:
            lag = self.first_lag(final=final or now - waiting[0][0] > ANCHOR_WITHIN_MS)
        settled = sum(final or arrived <= now - LOOKAHEAD_MS for arrived, _ in waiting)
        if lag is None or not settled:
            return
        arrivals = [arrived for arrived, _ in waiting]
        lengths = [length_ms(samples) for _, samples in waiting]
        others_lag = None
        if side == "caller" and self.model.lag is not None:
            others_lag = self.model.lag - MODEL_BEHIND_CALLER_MS
        places = clock.place_frames(arrivals, lengths, lag, settled, others_lag)
        for place, (_, samples) in zip(places, waiting, strict=False):
            if place < latest:
                self.add_piece(side, place, samples, now)
        del waiting[:settled]

    def first_lag(self, *, final: bool) -> float | None:
        """How much later than its place a frame of a first connection arrives at least; None if
        that cannot be told yet."""
        if self.model.lag is not None:
            return self.model.lag - MODEL_BEHIND_CALLER_MS
        return self.epoch if final else None


def length_ms(samples: bytes) -> float:
    return min(len(samples), LONGEST_FRAME_BYTES) / SAMPLE_BYTES / SAMPLES_PER_MS
