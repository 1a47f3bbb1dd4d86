"""The media of a session on a primary WebSocket. Its timeline is the audio that is appended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from realtime_emulator.live.audio import LiveAudio
from realtime_emulator.live.audio_formats import Codec
from realtime_emulator.live.media_base import MediaBase
from realtime_emulator.live.media_interfaces import AudioFormat, MediaEvents, MediaSettings
from realtime_emulator.live.mouth import FRAME_MS, NARROW_FRAME

if TYPE_CHECKING:
    from realtime_emulator.call.services import Services

CHUNK_MS: Final = 100


class SocketMedia(MediaBase):
    """Implements `AppendedMedia`."""

    def __init__(
        self,
        settings: MediaSettings,
        audio_format: AudioFormat,
        events: MediaEvents,
        services: Services,
    ) -> None:
        super().__init__(settings, events)
        self.position_ms = 0
        self.codec: Codec | None = Codec(audio_format)
        self.pending = bytearray()
        self.audio = LiveAudio(
            *(settings, events, services, self.spawn),
            reflects_input=False,
            on_output=self.pass_output,
            chunk_ms=CHUNK_MS,
        )

    @property
    def paused_ms(self) -> int:
        return 0

    def add_audio(self, audio: bytes) -> None:
        if self.codec is None:
            return
        self.pending += self.codec.decode(audio)
        while len(self.pending) >= NARROW_FRAME:
            frame = bytes(self.pending[:NARROW_FRAME])
            del self.pending[:NARROW_FRAME]
            start = self.position_ms
            self.position_ms += FRAME_MS
            self.audio.add_input(frame, self.position_ms)
            self.audio.next_frame(start)

    def pass_output(self, pcm: bytes, start_ms: int, end_ms: int) -> None:
        if self.codec is not None:
            self.events.output_audio(self.codec.encode(pcm), start_ms, end_ms)

    def note_activity(self) -> None:
        """A primary WebSocket is never idle."""

    def send_event(self, event: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return False

    async def close(self) -> None:
        self.codec = None
        await self.end_audio()
