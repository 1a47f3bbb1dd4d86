"""How a session gets its media. Tests replace it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from realtime_emulator.call.services import Services
from realtime_emulator.live.media_interfaces import (
    AnsweredMedia,
    AppendedMedia,
    AudioFormat,
    MediaEvents,
    MediaSettings,
)
from realtime_emulator.live.webrtc_media import answer_offer


async def append_on_socket(
    settings: MediaSettings, audio_format: AudioFormat, events: MediaEvents, services: Services
) -> AppendedMedia:
    """The media of a primary WebSocket. They take a while to import, hence the thread."""

    def load() -> Callable[..., AppendedMedia]:
        from realtime_emulator.live.socket_media import SocketMedia

        return SocketMedia

    make = await asyncio.to_thread(load)
    return make(settings, audio_format, events, services)


@dataclass(frozen=True, slots=True)
class MediaFactory:
    """Media over WebRTC and on a primary WebSocket."""

    answer: Callable[..., Awaitable[AnsweredMedia]] = answer_offer
    append: Callable[..., Awaitable[AppendedMedia]] = append_on_socket
