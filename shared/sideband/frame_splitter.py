"""Takes whole messages out of a stream of WebSocket frames as it arrives, and drops those that
nobody needs. Pure.

Nearly all that comes on a sideband is one small text frame after the other. Read by the library,
such a frame costs several copies, three coroutines and a turn of the event loop; here it costs a
look at its first bytes and one copy. What is dropped, such as the audio of a Live call, 128 kB/s
that cannot be switched off, is not even copied (docs/performance.md). Control frames, messages in
several frames and frames that are too long are left to the library.
"""

from __future__ import annotations

from typing import Final

from shared.sideband.json_frames import LARGEST_EVENT

WHOLE_TEXT: Final = 0x81
"""The first byte of a frame with a whole text message, uncompressed (RFC 6455, 5.2)."""
FIN, MASK, OPCODE = 0x80, 0x80, 0x0F
FIRST_CONTROL: Final = 0x8
LENGTH_16, LENGTH_64 = 126, 127
SHORT_HEADER, MEDIUM_HEADER, LONG_HEADER = 2, 4, 10
PASSED, TAKEN, DROPPED = range(3)
"""What becomes of a frame."""
Piece = tuple[bool, bytes]
"""Whether it is a message; otherwise it is a part of the stream, for the library."""


class FrameSplitter:
    """Splits what comes on one connection; frames that begin in one of `dropped` are dropped.

    It begins between two frames, and is given everything that comes from there on, in pieces of any
    size. Frames from a server are not masked.
    """

    def __init__(self, dropped: tuple[bytes, ...] = ()) -> None:
        self.dropped = dropped
        self.decided_by = LONG_HEADER + max(map(len, dropped), default=0)
        """So much of a frame says whether to drop it."""
        self.head = b""
        """The beginning of a frame of which not enough has come to decide."""
        self.left = 0
        """How much is to come of the frame that has been decided on."""
        self.fate = PASSED
        self.header = 0
        """The size of that frame's header."""
        self.message = bytearray()
        """What has come of a message that is taken."""
        self.is_fragmented = False
        """Whether a message in several frames has begun and not ended."""

    def split(self, data: bytes | bytearray, end: int) -> list[Piece]:
        """What is to be read of the first `end` bytes of `data`, after what came before."""
        if self.head:
            data = self.head + data[:end]
            end, self.head = len(data), b""
        pieces: list[Piece] = []
        passed = bytearray()
        """Of frames that follow one another: each piece costs the library a turn."""
        position = 0
        while position < end:
            if not self.left:
                size = self.decide(data, position, end)
                if not size:
                    self.head = bytes(data[position:end])
                    break
                if self.fate == TAKEN:
                    if passed:
                        pieces.append((False, bytes(passed)))
                        passed.clear()
                    after = position + size
                    position += self.header
                    if after <= end:
                        pieces.append((True, bytes(data[position:after])))
                        position = after
                        continue
                    size -= self.header
                self.left = size
            here = min(self.left, end - position)
            self.left -= here
            if self.fate == PASSED:
                passed += data[position : position + here]
            elif self.fate == TAKEN:
                self.message += data[position : position + here]
                if not self.left:
                    pieces.append((True, bytes(self.message)))
                    self.message = bytearray()
            position += here
        if passed:
            pieces.append((False, bytes(passed)))
        return pieces

    def decide(self, data: bytes | bytearray, position: int, end: int) -> int:
        """Decides on the frame that begins at `position`; gives its size, 0 if too little of it has
        come."""
        come = end - position
        if come < SHORT_HEADER:
            return 0
        first, second = data[position], data[position + 1]
        header, length = SHORT_HEADER, second & ~MASK
        if length == LENGTH_16:
            header = MEDIUM_HEADER
        elif length == LENGTH_64:
            header = LONG_HEADER
        if come < header:
            return 0
        if header > SHORT_HEADER:
            length = int.from_bytes(data[position + SHORT_HEADER : position + header], "big")
        size = header + length
        self.fate, self.header = PASSED, header
        if first != WHOLE_TEXT or second & MASK:
            if first & OPCODE < FIRST_CONTROL:
                self.is_fragmented = not first & FIN
            return size
        if self.dropped:
            if come < min(size, self.decided_by):
                return 0
            if data.startswith(self.dropped, position + header, end):
                self.fate = DROPPED
                return size
        if length <= LARGEST_EVENT and not self.is_fragmented:
            self.fate = TAKEN
        return size
