"""What all calls of one emulator share."""

import asyncio
import importlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.emulator.protocol.ids import Provider
from local.emulator.script.script import Script

if TYPE_CHECKING:
    from local.emulator.media.peer import Peer
    from local.emulator.speech.recognition import Recogniser
    from local.emulator.speech.synthesis import Voice

log = logging.getLogger(__name__)


async def answer_with_media(offer: str, **options: Any) -> "Peer":
    """The real peer; imported late, because the media stack takes a while to load."""
    module = await asyncio.to_thread(importlib.import_module, "local.emulator.media.peer")
    peer: Peer = await module.Peer.answer(offer, **options)
    return peer


@dataclass(slots=True)
class Services:
    """The provider to imitate, the script, and the seams: clock, media, voice, recogniser."""

    provider: Provider = "azure"
    script: Script = field(default_factory=Script)
    clock: Callable[[], float] = time.time
    answer: Callable[..., Awaitable["Peer"]] = answer_with_media
    given_voice: "Voice | None" = None
    given_recogniser: "Recogniser | None" = None
    opening: dict[str, "asyncio.Task[Any]"] = field(default_factory=dict)

    async def voice(self) -> "Voice":
        """The voice, opened once."""
        if self.given_voice is None:
            self.given_voice = await self.opened("voice")
        return self.given_voice

    async def recogniser(self) -> "Recogniser":
        """The recogniser, opened once."""
        if self.given_recogniser is None:
            self.given_recogniser = await self.opened("recogniser")
        return self.given_recogniser

    async def opened(self, name: str) -> Any:
        if name not in self.opening:
            self.opening[name] = asyncio.create_task(asyncio.to_thread(open_by_name, name))
        return await asyncio.shield(self.opening[name])

    async def warm(self) -> None:
        """Loads what a first call would otherwise wait for."""
        try:
            await (await self.voice()).speak("Ready.")
            await (await self.recogniser()).words(b"")
            if self.answer is answer_with_media:
                await asyncio.to_thread(importlib.import_module, "local.emulator.media.peer")
        except Exception:
            log.exception("the voice or the recogniser could not be loaded")

    def close(self) -> None:
        """Ends whatever the voice and the recogniser run beside this process."""
        for task in self.opening.values():
            task.cancel()
        for opened in (self.given_voice, self.given_recogniser):
            close = getattr(opened, "close", None)
            if close is not None:
                close()


SPEECH_MODULES = {"voice": "synthesis", "recogniser": "recognition"}


def open_by_name(name: str) -> Any:
    module = importlib.import_module(f"local.emulator.speech.{SPEECH_MODULES[name]}")
    return getattr(module, f"open_{name}")()
