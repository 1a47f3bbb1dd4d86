"""Idle sessions: when to pause one, and what wakes it."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from realtime_emulator.media.vad import TurnDetection, VoiceActivityDetector

if TYPE_CHECKING:
    from realtime_emulator.live.media_interfaces import MediaEvents

REMEMBERED_FRAMES: Final = 25
"""Half a second: the first word is heard whole."""


class IdleWatch:
    """The idle timer of a session, on its timeline. `timeout` None: it is never paused."""

    def __init__(self, timeout: timedelta | None, threshold: float, events: MediaEvents) -> None:
        self.timeout_ms = None if timeout is None else timeout.total_seconds() * 1000
        self.events = events
        self.detection = TurnDetection(threshold)
        self.active_ms = 0
        """When anybody last did anything."""
        self.paused_since_ms: int | None = None
        self.past_pauses_ms = 0
        self.recent: deque[bytes] = deque(maxlen=REMEMBERED_FRAMES)
        self.vad = VoiceActivityDetector(self.detection)

    @property
    def is_paused(self) -> bool:
        return self.paused_since_ms is not None

    def paused_ms(self, now_ms: int) -> int:
        """How long the session has been paused in all."""
        since = self.paused_since_ms
        return self.past_pauses_ms + (max(0, now_ms - since) if since is not None else 0)

    def note_activity(self, now_ms: int) -> None:
        self.active_ms = max(self.active_ms, now_ms)

    def is_due(self, now_ms: int) -> bool:
        return (
            self.timeout_ms is not None
            and not self.is_paused
            and now_ms - self.active_ms >= self.timeout_ms
        )

    def pause(self, now_ms: int) -> None:
        self.paused_since_ms = now_ms
        self.recent.clear()
        self.vad = VoiceActivityDetector(self.detection)
        self.events.paused()

    def wake(self, now_ms: int) -> None:
        """Ends the pause, if there is one."""
        self.note_activity(now_ms)
        if self.paused_since_ms is None:
            return
        self.past_pauses_ms = self.paused_ms(now_ms)
        self.paused_since_ms = None
        self.events.resumed()

    def listen(self, pcm: bytes, now_ms: int) -> bytes:
        """Takes 16 kHz audio during a pause. If it is speech, the session wakes, and what was just
        heard is returned."""
        self.recent.append(pcm)
        if not self.vad.add_audio(pcm):
            return b""
        self.wake(now_ms)
        return b"".join(self.recent)
