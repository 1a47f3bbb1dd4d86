"""Cuts frames that nobody needs out of a stream of WebSocket frames, as it arrives. Pure.

A Live call's sideband carries the audio of both sides, 128 kB/s a call that cannot be switched off.
Read as a message, such a frame costs several copies, a turn of the event loop and its JSON; here it
costs a look at its first bytes (docs/performance.md).
"""

from __future__ import annotations

from typing import Final

WHOLE_TEXT: Final = 0x81
"""The first byte of a frame with a whole text message, uncompressed (RFC 6455, 5.2)."""
LENGTH_16, LENGTH_64 = 126, 127
SHORT_HEADER, MEDIUM_HEADER, LONG_HEADER = 2, 4, 10


class FrameDropper:
    """Drops the frames of one connection that begin in one of `beginnings`.

    It begins between two frames, and is given everything that comes from there on, in pieces of any
    size. Frames from a server are not masked.
    """

    def __init__(self, beginnings: tuple[bytes, ...]) -> None:
        self.beginnings = beginnings
        self.decided_by = LONG_HEADER + max(map(len, beginnings))
        """So much of a frame says whether to drop it."""
        self.head = b""
        """The beginning of a frame of which not enough has come to decide."""
        self.left = 0
        """How much is to come of the frame that has been decided on."""
        self.is_dropping = False

    def rest_of(self, data: bytes | bytearray, end: int) -> bytes:
        """What is to be read of the first `end` bytes of `data`, after what came before."""
        if self.head:
            data = self.head + data[:end]
            end, self.head = len(data), b""
        kept: list[bytes | bytearray] = []
        position = 0
        while position < end:
            if not self.left:
                size = self.decide(data, position, end)
                if not size:
                    self.head = bytes(data[position:end])
                    break
                self.left = size
            here = min(self.left, end - position)
            if not self.is_dropping:
                kept.append(data[position : position + here])
            self.left -= here
            position += here
        return b"".join(kept)

    def decide(self, data: bytes | bytearray, position: int, end: int) -> int:
        """Decides on the frame that begins at `position`; gives its size, 0 if too little of it has
        come."""
        come = end - position
        if come < SHORT_HEADER:
            return 0
        header, length = SHORT_HEADER, data[position + 1] & 0x7F
        if length == LENGTH_16:
            header = MEDIUM_HEADER
        elif length == LENGTH_64:
            header = LONG_HEADER
        if come < header:
            return 0
        if header > SHORT_HEADER:
            length = int.from_bytes(data[position + SHORT_HEADER : position + header], "big")
        size = header + length
        self.is_dropping = False
        if data[position] == WHOLE_TEXT:
            if come < min(size, self.decided_by):
                return 0
            self.is_dropping = data.startswith(self.beginnings, position + header, end)
        return size
