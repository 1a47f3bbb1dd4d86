"""How the WebRTC connection of a GPT-Live session differs from that of a Realtime call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aiortc import RTCPeerConnection

from realtime_emulator.live.answer_sdp import ice_username, simplify_offer, write_answer
from realtime_emulator.live.media_interfaces import AUDIO_RATE
from realtime_emulator.media.aioice_patch import set_ice_credentials
from realtime_emulator.media.peer import ApiMedia
from realtime_emulator.media.playback import Speaker
from realtime_emulator.protocol.ids import characters

PASSWORD_LENGTH = 32


class LiveSpeaker(Speaker):
    """A track that plays what it is given for each 20 ms."""

    def __init__(self, source: Callable[[], bytes | None]) -> None:
        super().__init__()
        self.source = source

    def next_frame(self) -> bytes | None:
        return self.source()


def live_media(session_id: str, source: Callable[[], bytes | None]) -> ApiMedia:
    """The media of one session; `source` gives 20 ms at 48 kHz, or None for silence."""
    username = ice_username(session_id)

    def name_ice_users(connection: RTCPeerConnection) -> None:
        set_ice_credentials(connection, username, characters(PASSWORD_LENGTH))

    return ApiMedia(
        AUDIO_RATE, partial(LiveSpeaker, source), simplify_offer, write_answer, name_ice_users
    )
