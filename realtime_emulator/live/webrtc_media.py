"""The media of a session that was created with an offer: full duplex over WebRTC."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from realtime_emulator.live.data_channel import Permissions, restriction_notice, too_large
from realtime_emulator.live.media_base import MediaBase
from realtime_emulator.live.media_interfaces import AUDIO_RATE, GRID_MS, MediaEvents, MediaSettings

if TYPE_CHECKING:
    from realtime_emulator.call.services import Services
    from realtime_emulator.live.audio import LiveAudio
    from realtime_emulator.media.peer import ApiMedia, Peer

logger = logging.getLogger(__name__)

FRAME_MS: Final = 20
BYTES_PER_MS: Final = AUDIO_RATE * 2 // 1000

DRIFT_MS: Final = 400
"""How far the audio may be from the clock before it is moved to where the clock is."""

MISSING_MS: Final = 1_000
"""A caller who has sent no audio for so long after connecting counts as silent. (The peer fills the
gaps of one who has sent some.)"""

FLUSHED_WITHIN: Final = timedelta(seconds=1)
"""How long the last events have to leave before the connection is closed."""


async def answer_offer(
    offer: str, settings: MediaSettings, events: MediaEvents, services: Services
) -> WebRtcMedia:
    """Answers an offer and starts the session's timeline. Raises OfferRefused."""
    make_audio, make_api = await asyncio.to_thread(load_media)
    media = WebRtcMedia(settings, events)
    media.audio = make_audio(settings, events, services, media.spawn)
    media.peer = await services.answer(
        offer,
        on_audio=media.receive_audio,
        on_message=media.receive_message,
        on_open=media.handle_open,
        on_close=media.handle_peer_closed,
        connect_within=settings.connect_within,
        api=make_api(settings.session_id, media.next_frame),
    )
    return media


def load_media() -> tuple[type[LiveAudio], Callable[[str, Callable[[], bytes | None]], ApiMedia]]:
    """Imports the media stack, which takes a while and is therefore done on a thread."""
    from realtime_emulator.live.audio import LiveAudio
    from realtime_emulator.live.live_peer import live_media

    return LiveAudio, live_media


class InputTimeline:
    """Where on the session's timeline the caller's audio is.

    It follows the audio, not the clock. After a process was held up, the audio is late for a moment
    and then arrives all at once; only what stays late is moved to where the clock is.
    """

    def __init__(self) -> None:
        self.end_ms: int | None = None
        self.has_audio = False
        self.late_since: int | None = None

    def add(self, length: int, now: int) -> int:
        """The end of a piece of that length, which has just arrived."""
        self.has_audio = True
        end_ms = now if self.end_ms is None else self.end_ms + length
        if now - end_ms <= DRIFT_MS:
            self.late_since = None
        elif self.late_since is None:
            self.late_since = now
        is_late = self.late_since is not None and now - self.late_since > DRIFT_MS
        if is_late or end_ms - now > DRIFT_MS:
            end_ms = now
            self.late_since = None
        self.end_ms = end_ms
        return end_ms

    def missing(self, now: int) -> list[int]:
        """The ends of the pieces of silence, each a cell long, that stand for the audio of a caller
        who sends none."""
        ends: list[int] = []
        if self.has_audio:
            return ends
        if self.end_ms is None:
            self.end_ms = now
        while now - self.end_ms > MISSING_MS:
            self.end_ms += GRID_MS
            ends.append(self.end_ms)
        return ends


class WebRtcMedia(MediaBase):
    """Implements `AnsweredMedia`."""

    peer: Peer

    def __init__(self, settings: MediaSettings, events: MediaEvents) -> None:
        super().__init__(settings, events)
        self.permissions = Permissions(settings.data_channel, settings.forbidden_event_code)
        self.loop = asyncio.get_running_loop()
        self.created_at = self.loop.time()
        self.is_connected = False
        self.input = InputTimeline()
        self.output_ms: int | None = None
        """The start of the next frame for the caller."""

    @property
    def sdp(self) -> str:
        return self.peer.sdp

    @property
    def position_ms(self) -> int:
        return int((self.loop.time() - self.created_at) * 1000)

    @property
    def paused_ms(self) -> int:
        return self.audio.idle.paused_ms(self.position_ms)

    def note_activity(self) -> None:
        self.audio.idle.wake(self.position_ms)

    def send_event(self, event: Mapping[str, Any]) -> bool:
        if not self.is_connected or self.is_closing or not self.permissions.reaches_page(event):
            return False
        return self.send(event)

    def send(self, event: Mapping[str, Any]) -> bool:
        text = json.dumps(event)
        if len(text) > self.peer.largest_event:
            logger.warning("session %s: an event is too large", self.settings.session_id)
            text = json.dumps(too_large(event, len(text), self.peer.largest_event))
        return self.peer.send_event(text)

    async def close(self) -> None:
        await self.end_audio()
        await self.peer.flush(FLUSHED_WITHIN)
        await self.peer.close()

    def handle_open(self) -> None:
        if self.is_connected or self.is_closing:
            return
        self.is_connected = True
        if self.permissions.are_restricted:
            self.send(restriction_notice())
        self.events.media_connected()

    def handle_peer_closed(self) -> None:
        if not self.is_closing:
            self.spawn(self.lose_connection())

    async def lose_connection(self) -> None:
        if self.is_connected:
            await asyncio.sleep(self.settings.connection_lost_after.total_seconds())
        self.events.connection_lost()

    def receive_message(self, text: str) -> None:
        if self.is_closing:
            return
        refusal = self.permissions.check_client_event(text)
        if refusal is None:
            self.events.receive_event(text, "data_channel")
        else:
            self.send(refusal)

    def receive_audio(self, pcm: bytes) -> None:
        """Takes 24 kHz audio from the caller, in pieces of about 20 ms."""
        if not self.is_closing:
            end_ms = self.input.add(len(pcm) // BYTES_PER_MS, self.position_ms)
            self.audio.add_input(pcm, end_ms)

    def next_frame(self) -> bytes | None:
        """The next 20 ms for the caller. Called every 20 ms, once connected."""
        if self.is_closing:
            return None
        try:
            return self.advance(self.position_ms)
        except Exception:
            logger.exception("session %s: no audio for the caller", self.settings.session_id)
            return None

    def advance(self, now: int) -> bytes | None:
        if self.output_ms is None or abs(now - self.output_ms) > DRIFT_MS:
            self.output_ms = now // GRID_MS * GRID_MS
        for end_ms in self.input.missing(now):
            self.audio.add_input(bytes(GRID_MS * BYTES_PER_MS), end_ms)
        frame = self.audio.next_frame(self.output_ms)
        self.output_ms += FRAME_MS
        return None if frame is None else frame.wide
