"""What both kinds of media do alike: their tasks, and what only concerns the sound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from realtime_emulator.live.media_interfaces import Manner, MediaEvents, MediaSettings, Saying

if TYPE_CHECKING:
    from realtime_emulator.live.audio import LiveAudio

logger = logging.getLogger(__name__)


class MediaBase:
    """The common part of the implementations of `Media`."""

    audio: LiveAudio

    def __init__(self, settings: MediaSettings, events: MediaEvents) -> None:
        self.settings = settings
        self.events = events
        self.is_closing = False
        self.tasks: set[asyncio.Task[None]] = set()

    def say(self, text: str, manner: Manner = "answer") -> Saying:
        return self.audio.say(text, manner)

    def play_fixture(self, pcm: bytes) -> Saying:
        return self.audio.play_fixture(pcm)

    def set_muted(self, muted: bool) -> None:
        self.audio.is_muted = muted

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a task that ends with the media at the latest."""
        if self.is_closing:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.forget_task)

    def forget_task(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            name = self.settings.session_id
            logger.error("session %s: a task failed", name, exc_info=task.exception())

    async def end_audio(self) -> None:
        """Falls silent and deaf for good."""
        self.is_closing = True
        self.audio.close()
        ending = [task for task in self.tasks if task is not asyncio.current_task()]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
