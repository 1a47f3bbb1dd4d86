"""What the model says, gathered into the pieces in which it is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from realtime_emulator.live.media_interfaces import CHUNK_BYTES, GRID_MS, SILENT_CHUNK
from realtime_emulator.live.mouth import FRAME_MS, NARROW_FRAME

SILENT_FRAME: Final = bytes(NARROW_FRAME)


class OutputReflection:
    """Gathers frames of 20 ms. A piece that the timeline left before it was complete is dropped, as
    in the recordings, where ranges are skipped."""

    def __init__(self, on_chunk: Callable[[bytes, int, int], None], chunk_ms: int) -> None:
        self.on_chunk = on_chunk
        self.chunk_ms = chunk_ms
        self.frames: list[bytes | None] = []
        self.start_ms = 0

    def add_frame(self, pcm: bytes | None, at_ms: int) -> None:
        """Takes the 24 kHz frame that starts at `at_ms`, or None for silence."""
        if at_ms != self.start_ms + len(self.frames) * FRAME_MS:
            self.frames.clear()
        if not self.frames:
            if at_ms % self.chunk_ms:
                return
            self.start_ms = at_ms
        self.frames.append(pcm)
        if len(self.frames) * FRAME_MS == self.chunk_ms:
            chunk = self.join()
            self.frames.clear()
            self.on_chunk(chunk, self.start_ms, self.start_ms + self.chunk_ms)

    def join(self) -> bytes:
        if self.chunk_ms == GRID_MS and not any(self.frames):
            assert len(SILENT_CHUNK) == CHUNK_BYTES
            return SILENT_CHUNK
        return b"".join(SILENT_FRAME if frame is None else frame for frame in self.frames)
