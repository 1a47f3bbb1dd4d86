"""The media of a GPT-Live session without sound: words come at once, its owner moves the clock.

For replaying recordings, and for tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from realtime_emulator.live.media_factory import MediaFactory
from realtime_emulator.live.media_interfaces import (
    GRID_MS,
    AudioFormat,
    Fragment,
    Manner,
    MediaEvents,
    MediaSettings,
)
from realtime_emulator.speech.synthesis import split_words


class StandInSaying:
    def __init__(self, text: str) -> None:
        self.said = text
        self.end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def wait_for_end(self) -> bool:
        return await asyncio.shield(self.end)

    def cancel(self) -> None:
        self.finish(False)

    def finish(self, to_its_end: bool = True) -> None:
        if not self.end.done():
            self.end.set_result(to_its_end)


class StandInLiveMedia:
    """Implements `AnsweredMedia` and `AppendedMedia`. The clock stands until `run`."""

    def __init__(
        self, settings: MediaSettings, events: MediaEvents, audio_format: AudioFormat | None = None
    ) -> None:
        self.settings, self.events, self.format = settings, events, audio_format
        self.sdp = "v=0\r\nanswer\r\n"
        self.is_connected = audio_format is not None
        self.now_ms = 0
        self.paused_ms = 0
        self.runs_since: float | None = None
        self.sayings: list[tuple[str, Manner]] = []
        self.has_said = asyncio.Event()
        """Set by each of them."""
        self.last: StandInSaying | None = None
        self.sent: list[dict[str, Any]] = []
        self.is_muted = False
        self.is_closed = False
        self.fixture: StandInSaying | None = None
        self.activity = 0
        self.is_silent = False
        """Whether what is said has no transcript."""
        self.appended = b""

    @property
    def position_ms(self) -> int:
        if self.runs_since is None:
            return self.now_ms
        return self.now_ms + int((asyncio.get_running_loop().time() - self.runs_since) * 1000)

    def run(self) -> None:
        """Lets the clock run."""
        self.runs_since = asyncio.get_running_loop().time()

    def say(self, text: str, manner: Manner = "answer") -> StandInSaying:
        self.sayings.append((text, manner))
        self.has_said.set()
        start = self.position_ms // GRID_MS * GRID_MS
        for index, word in enumerate([] if self.is_silent else split_words(text)):
            at = start + index * GRID_MS
            self.events.output_words(Fragment(word, at, at + GRID_MS))
        self.last = StandInSaying(text)
        self.last.finish()
        return self.last

    @property
    def spoken(self) -> list[str]:
        return [text for text, _ in self.sayings]

    def play_fixture(self, pcm: bytes) -> StandInSaying:
        self.fixture = StandInSaying("")
        return self.fixture

    def set_muted(self, muted: bool) -> None:
        self.is_muted = muted

    def note_activity(self) -> None:
        self.activity += 1

    def send_event(self, event: Mapping[str, Any]) -> bool:
        self.sent.append(dict(event))
        return True

    def add_audio(self, audio: bytes) -> None:
        self.appended += audio
        self.now_ms += len(audio) // 48

    async def close(self) -> None:
        self.is_closed = True


class StandInMediaFactory:
    """Makes stand-ins, and keeps them in `made`."""

    media: type[StandInLiveMedia] = StandInLiveMedia

    def __init__(self, *, runs: bool = True) -> None:
        self.runs = runs
        self.made: list[StandInLiveMedia] = []

    @property
    def factory(self) -> MediaFactory:
        return MediaFactory(self.answer, self.append)

    async def answer(
        self,
        offer: str,
        settings: MediaSettings,
        events: MediaEvents,
        services: Any,
    ) -> Any:
        return self.add(self.media(settings, events))

    async def append(
        self,
        settings: MediaSettings,
        audio_format: AudioFormat,
        events: MediaEvents,
        services: Any,
    ) -> Any:
        return self.add(self.media(settings, events, audio_format))

    def add(self, media: StandInLiveMedia) -> StandInLiveMedia:
        if self.runs and media.format is None:
            media.run()
        self.made.append(media)
        return media
