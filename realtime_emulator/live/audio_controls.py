"""Commands about a session's audio: mute, fixtures, and what a primary WebSocket appends."""

from __future__ import annotations

from typing import Final

from realtime_emulator.live import events
from realtime_emulator.live.context import SessionContext
from realtime_emulator.live.media_interfaces import Saying
from realtime_emulator.live.session_resource import DEFAULT_FORMAT
from realtime_emulator.protocol.validators import Invalid

FIXTURE_BYTES: Final = 30 * 24_000 * 2


class AudioControls:
    """The mute switch, which all who control the session share, and the fixture that plays."""

    def __init__(self, context: SessionContext) -> None:
        self.context = context
        self.is_muted = False
        self.fixture: Saying | None = None

    def set_muted(self, muted: bool) -> None:
        self.is_muted = muted
        self.context.media.set_muted(muted)

    def append(self, audio: bytes) -> None:
        """Audio from the client of a primary WebSocket. Raises Invalid."""
        session = self.context
        assert session.appended is not None
        if not audio:
            raise Invalid("invalid_audio", "Audio must not be empty.", "audio")
        if session.config["audio"].get("format", DEFAULT_FORMAT)["type"] == "audio/pcm":
            check_pcm(audio)
        if session.recording is not None:
            session.recording.add_caller(audio)
        session.appended.add_audio(audio)

    def start_fixture(self, pcm: bytes) -> Saying:
        """Raises Invalid before anything is interrupted."""
        check_pcm(pcm)
        if not pcm or len(pcm) > FIXTURE_BYTES:
            raise Invalid("invalid_audio", "A fixture must have up to 30 seconds.", "audio")
        self.require_no_fixture("A fixture is already playing.")
        self.fixture = self.context.media.play_fixture(pcm)
        return self.fixture

    def require_no_fixture(self, message: str) -> None:
        if self.fixture is not None:
            raise Invalid("invalid_event", message, None)

    async def wait_for_fixture(self, fixture: Saying, client_event_id: str | None) -> None:
        """Says that it was played, unless it was cancelled."""
        try:
            if await fixture.wait_for_end():
                kind = "session.output_audio.fixture.played"
                self.context.emit(events.event(kind, client_event_id))
        finally:
            self.fixture = None


def check_pcm(pcm: bytes) -> None:
    if len(pcm) % 2:
        message = "PCM16 audio must contain an even number of bytes"
        raise Invalid("invalid_audio", message, "audio")
