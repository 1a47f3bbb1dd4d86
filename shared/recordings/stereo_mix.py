"""Pieces of two voices -> one stream of stereo samples, with silence where there is none. Pure."""

from __future__ import annotations

from shared.recordings.audio import SIDES, TOO_LONG, Hole, Piece, Side
from shared.recordings.wav import BLOCK_BYTES, SAMPLE_BYTES, SAMPLES_PER_MS

HOLE_MS = 1000
"""The shortest silence that is stated where nothing else tells of something missing: the service
leaves out a frame of the model's now and then."""
HOLE_AFTER_INTERRUPTION_MS = 200


class StereoMix:
    """The timeline from `written` on. Everything is in samples since the call's start."""

    def __init__(self, written: int = 0, reason: str = "") -> None:
        self.written = written
        self.pieces: dict[Side, list[Piece]] = {side: [] for side in SIDES}
        self.ends: dict[Side, int] = dict.fromkeys(SIDES, written)
        """Up to where each side's audio has come."""
        self.reasons: dict[Side, str] = dict.fromkeys(SIDES, reason)
        """Why the next piece of a side may have something missing before it; "" if nothing says
        so."""
        self.holes: list[Hole] = []
        """Those that have not been stated yet."""

    def interrupt(self, reason: str) -> None:
        """Something may be missing before the next piece of either side."""
        self.reasons = dict.fromkeys(SIDES, reason)

    def add_piece(self, side: Side, piece: Piece) -> None:
        """Adds samples. Of what is written already nothing changes; what comes again is the same
        audio, so the later piece counts."""
        if piece.end <= self.written:
            return
        piece = cut_before(piece, self.written)
        self.note_hole(side, piece.at)
        self.pieces[side].append(piece)
        self.ends[side] = max(self.ends[side], piece.end)

    def note_hole(self, side: Side, until: int) -> None:
        """Notes what is missing between the latest piece of a side and one that begins there."""
        missing_ms = (until - self.ends[side]) / SAMPLES_PER_MS
        if missing_ms >= (HOLE_AFTER_INTERRUPTION_MS if self.reasons[side] else HOLE_MS):
            since_ms, until_ms = self.ends[side] // SAMPLES_PER_MS, until // SAMPLES_PER_MS
            reason = self.reasons[side] or ("not received" if self.ends[side] else "late")
            self.holes.append(Hole(side, since_ms, until_ms, reason))
        self.reasons[side] = ""

    def note_cut(self, side: Side, at: int, until: int) -> None:
        """Notes that a frame between these samples was longer than what is kept of it. Several are
        stated as one."""
        since_ms, until_ms = max(0, at) // SAMPLES_PER_MS, max(0, until) // SAMPLES_PER_MS
        for before in self.holes:
            if before.side == side and before.reason == TOO_LONG:
                self.holes.remove(before)
                since_ms = min(since_ms, before.from_ms)
                until_ms = max(until_ms, before.to_ms)
                break
        self.holes.append(Hole(side, since_ms, until_ms, TOO_LONG))

    def writable(self, patience: int) -> int:
        """Up to where the timeline is complete: both sides have come, or one of them has not come
        for so long that it is not waited for."""
        first, last = sorted(self.ends.values())
        return max(self.written, first, last - patience)

    def take_samples(self, until: int) -> bytes:
        """The stereo samples up to there, which are written from now on."""
        count = until - self.written
        mixed = bytearray(count * BLOCK_BYTES)
        blocks = memoryview(mixed).cast("h")
        for channel, side in enumerate(SIDES):
            for piece in self.pieces[side]:
                if piece.at < until:
                    start, stop = piece.at - self.written, min(piece.end, until) - self.written
                    samples = memoryview(piece.pcm).cast("h")[: stop - start]
                    blocks[2 * start + channel : 2 * stop : 2] = samples
        self.drop_before(until)
        return bytes(mixed)

    def drop_before(self, until: int) -> None:
        """Everything up to there is written, by whomever."""
        for side in SIDES:
            self.pieces[side] = [
                cut_before(piece, until) for piece in self.pieces[side] if piece.end > until
            ]
        self.written = until

    def skip_to(self, written: int) -> None:
        """Another writer has written up to there: what it has missed, it states."""
        self.drop_before(written)
        self.ends = {side: max(end, written) for side, end in self.ends.items()}

    def note_end(self) -> None:
        """Nothing comes any more: what is missing at the end of one side is a hole too."""
        for side in SIDES:
            self.note_hole(side, self.written)


def cut_before(piece: Piece, until: int) -> Piece:
    """What of a piece comes after that sample."""
    cut = max(0, until - piece.at)
    return Piece(piece.at + cut, piece.pcm[cut * SAMPLE_BYTES :]) if cut else piece
