"""Voice, ears and media of a call without sound, for replaying recordings and for tests."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, Final

from realtime_emulator.speech.synthesis import Speech, Word, split_words

EACH_WORD: Final = timedelta(milliseconds=100)


class StandInVoice:
    """Speaks silence, a word in 100 ms."""

    async def speak(self, text: str, *, voice: str = "marin", speed: float = 1.0) -> Speech:
        words = tuple(
            Word(word, n * EACH_WORD, (n + 1) * EACH_WORD)
            for n, word in enumerate(split_words(text))
        )
        return Speech(bytes(2 * int(48_000 * len(words) * EACH_WORD.total_seconds())), words)


class StandInRecogniser:
    """Understands what it was told beforehand."""

    def __init__(self, *heard: str) -> None:
        self.heard = list(heard)

    async def recognise(self, pcm: bytes) -> str:
        return self.heard.pop(0) if pcm and self.heard else ""


class StandInPlayback:
    """Advances only when its owner says so."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.position = timedelta(0)
        self.result: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def stop(self) -> timedelta:
        if not self.result.done():
            self.result.set_result(False)
        return self.position

    def finish(self) -> None:
        self.position = self.speech.duration
        self.result.set_result(True)

    async def wait_for_end(self) -> bool:
        return await self.result


class StandInPeer:
    """The media side of a call. `events` are those sent to the browser."""

    def __init__(self, offer: str, **callbacks: Any) -> None:
        self.sdp = "v=0\r\n"
        self.largest_event = 100_000
        self.callbacks = callbacks
        self.events: list[dict[str, Any]] = []
        self.playbacks: list[StandInPlayback] = []
        self.closed = False

    def open(self) -> None:
        self.callbacks["on_open"]()

    def send_event(self, text: str) -> bool:
        self.events.append(json.loads(text))
        return True

    def play(self, speech: Speech) -> StandInPlayback:
        self.playbacks.append(StandInPlayback(speech))
        return self.playbacks[-1]

    async def close(self) -> None:
        self.closed = True
