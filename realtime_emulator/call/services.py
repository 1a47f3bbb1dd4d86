"""What all calls of one emulator share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from realtime_emulator.protocol.ids import Provider
from realtime_emulator.script.script import Script

if TYPE_CHECKING:
    from realtime_emulator.media.peer import Peer
    from realtime_emulator.speech.recognition import Recogniser
    from realtime_emulator.speech.synthesis import Voice

logger = logging.getLogger(__name__)
T = TypeVar("T")


# The media stack takes a while to import, so the three below do it late and on a thread.
def load_peer() -> type[Peer]:
    from realtime_emulator.media.peer import Peer

    return Peer


def load_voice() -> Voice:
    from realtime_emulator.speech.synthesis import open_voice

    return open_voice()


def load_recogniser() -> Recogniser:
    from realtime_emulator.speech.recognition import open_recogniser

    return open_recogniser()


async def answer_with_media(offer: str, **options: Any) -> Peer:
    """Answers an offer with a real peer. Raises OfferRefused."""
    peer_class = await asyncio.to_thread(load_peer)
    return await peer_class.answer(offer, **options)


class Lazy(Generic[T]):
    """A value that is loaded once, on a thread, when it is first needed."""

    def __init__(self, load: Callable[[], T]) -> None:
        self.load = load
        self.value: T | None = None
        self.loading: asyncio.Task[T] | None = None

    @classmethod
    def ready(cls, value: T) -> Lazy[T]:
        """A value that needs no loading."""
        lazy = cls(lambda: value)
        lazy.value = value
        return lazy

    async def get(self) -> T:
        if self.value is None:
            if self.loading is None:
                self.loading = asyncio.create_task(asyncio.to_thread(self.load))
                self.loading.add_done_callback(self.retry_after_failure)
            self.value = await asyncio.shield(self.loading)
        return self.value

    def retry_after_failure(self, loading: asyncio.Task[T]) -> None:
        """Lets the next caller load again what could not be loaded for this one."""
        if loading.cancelled() or loading.exception() is not None:
            self.loading = None

    def close(self) -> None:
        """Stops loading, and closes the value if it can be closed."""
        if self.loading is not None:
            self.loading.cancel()
        close = getattr(self.value, "close", None)
        if close is not None:
            close()


@dataclass(slots=True)
class Services:
    """The provider to emulate, the script, and what tests replace: clock, media and speech."""

    provider: Provider = "azure"
    script: Script = field(default_factory=Script)
    clock: Callable[[], float] = time.time
    answer: Callable[..., Awaitable[Peer]] = answer_with_media
    voice: Lazy[Voice] = field(default_factory=lambda: Lazy(load_voice))
    recogniser: Lazy[Recogniser] = field(default_factory=lambda: Lazy(load_recogniser))

    async def warm_up(self) -> None:
        """Loads what the first call would otherwise wait for."""
        try:
            await (await self.voice.get()).speak("Ready.")
            await (await self.recogniser.get()).recognise(b"")
            if self.answer is answer_with_media:
                await asyncio.to_thread(load_peer)
        except Exception:
            logger.exception("cannot load the voice, the recogniser or the media stack")

    def close(self) -> None:
        """Ends the worker processes of the voice and the recogniser."""
        self.voice.close()
        self.recogniser.close()
