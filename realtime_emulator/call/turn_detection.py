"""A session's turn detection: its silences, and what follows when the caller says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from realtime_emulator.media.vad import TurnDetection
from realtime_emulator.protocol import session

SEMANTIC_SILENCE = {
    "low": timedelta(seconds=2),
    "medium": timedelta(seconds=1),
    "auto": timedelta(seconds=1),
    "high": timedelta(seconds=0.5),
}


def turn_detection_of(config: session.Config) -> TurnDetection | None:
    """A session's turn detection; None is push-to-talk. `semantic_vad` becomes a fixed silence."""
    detection = config["audio"]["input"]["turn_detection"]
    if detection is None:
        return None
    if detection["type"] == "semantic_vad":
        return TurnDetection(silence_duration=SEMANTIC_SILENCE[detection["eagerness"]])
    return TurnDetection(
        threshold=detection["threshold"],
        prefix_padding=timedelta(milliseconds=detection["prefix_padding_ms"]),
        silence_duration=timedelta(milliseconds=detection["silence_duration_ms"]),
    )


class IdleTimer:
    """`idle_timeout_ms`: calls `on_timeout` when the caller stays silent after an answer."""

    def __init__(self, on_timeout: Callable[[timedelta], None]) -> None:
        self.on_timeout = on_timeout
        self.handle: asyncio.TimerHandle | None = None

    def start(self, config: session.Config, position: timedelta) -> None:
        """The assistant has finished speaking, `position` into the caller's audio."""
        detection = config["audio"]["input"]["turn_detection"] or {}
        timeout = detection.get("idle_timeout_ms")
        self.cancel()
        if timeout:
            loop = asyncio.get_running_loop()
            self.handle = loop.call_later(timeout / 1000, self.on_timeout, position)

    def cancel(self) -> None:
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
