"""Frames that are too long cost themselves, not the connection.

The service may send an item with all of its audio, hours of it, whenever a page retrieves it. The
`websockets` library closes the connection on a frame over its limit; here the rest of such a frame
is dropped as it arrives.
"""

from __future__ import annotations

from collections.abc import Generator

from websockets.streams import StreamReader

from shared.sideband.json_frames import LARGEST_EVENT

DROPPED_AT_ONCE = 64 * 1024


class LongFrameReader(StreamReader):
    """Gives of anything long its beginning: one byte more than `LARGEST_EVENT`."""

    def __init__(self) -> None:
        super().__init__()
        self.is_between_frames = False
        """Whether all that has come is read, and a frame begins with what comes next."""
        self.has_discarded = False
        """Whether anything came after a handshake was refused."""

    def discard(self) -> None:
        self.has_discarded = self.has_discarded or bool(self.buffer)
        super().discard()

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        kept = yield from super().read_exact(min(n, LARGEST_EVENT + 1))
        left = n - len(kept)
        while left:
            dropped = yield from super().read_exact(min(left, DROPPED_AT_ONCE))
            left -= len(dropped)
        return kept

    def at_eof(self) -> Generator[None, None, bool]:
        # The library asks this before each frame, and waits here for the frame to begin.
        self.is_between_frames = True
        ended = yield from super().at_eof()
        self.is_between_frames = False
        return ended
