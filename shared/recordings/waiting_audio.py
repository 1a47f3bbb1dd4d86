"""What has come and is not placed yet: noted on the event loop, undecoded, and no more than memory
should hold. Pure."""

from __future__ import annotations

import logging

from shared.core import logs
from shared.recordings.audio import Heard, Interruption

FRAMES_AT_MOST = 400
"""40 seconds of both voices. While storage takes nothing for longer, some are not kept."""
BYTES_AT_MOST = 6 * 1024 * 1024
"""The same in bytes: a frame has 13 kB, but an endpoint may send any."""
NOT_WRITTEN = "not written"


class WaitingAudio:
    """Audio in the order in which it came. `record_id` is what logs call the call."""

    def __init__(self, record_id: str) -> None:
        self.record_id = record_id
        self.came: list[Heard | Interruption] = []
        self.bytes = 0
        self.is_overflowing = False

    @property
    def has_audio(self) -> bool:
        return any(isinstance(each, Heard) for each in self.came)

    def add_heard(self, heard: Heard) -> None:
        """Notes audio. What is too much is not kept, and what follows says so."""
        size = heard.source.size
        if len(self.came) < FRAMES_AT_MOST and self.bytes + size <= BYTES_AT_MOST:
            self.came.append(heard)
            self.bytes += size
            self.is_overflowing = False
        elif not self.is_overflowing:
            self.is_overflowing = True
            self.came.append(Interruption(NOT_WRITTEN, heard.arrived))
            logs.event("recording not kept", logging.WARNING, call=self.record_id)

    def interrupt(self, interruption: Interruption) -> None:
        """Something may be missing from here on."""
        if not (self.came and isinstance(self.came[-1], Interruption)):
            self.came.append(interruption)

    def take(self) -> list[Heard | Interruption]:
        """All that has come since the last time."""
        came, self.came, self.bytes = self.came, [], 0
        return came
