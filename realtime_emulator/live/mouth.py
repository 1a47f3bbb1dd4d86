"""What the model says: text becomes speech on the session's timeline, word by word.

Pure of clocks: whoever plays the speech asks for 20 ms at a time and says where on the timeline
they are. Between sayings there is silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from realtime_emulator.live.media_interfaces import AUDIO_RATE, GRID_MS, Fragment, Manner

if TYPE_CHECKING:
    from realtime_emulator.call.services import Lazy
    from realtime_emulator.speech.synthesis import Voice, Word

logger = logging.getLogger(__name__)

FRAME_MS: Final = 20
WIDE_RATE: Final = 48_000
WIDE_FRAME: Final = WIDE_RATE * 2 * FRAME_MS // 1000
NARROW_FRAME: Final = AUDIO_RATE * 2 * FRAME_MS // 1000

MOST_WAITING: Final = 64
"""How many sayings of one session may wait."""

PREPARED: Final = 2
"""How many of them are turned into sound ahead."""

LONG_BYTES: Final = 2_000_000
"""Some 20 s of speech, which take 10 ms to resample. The event loop does not wait for more."""

LEAD_MS: Final = 2 * GRID_MS
"""How far a word's transcript is at most ahead of its sound. It is sent at the first border of a
cell that is no further away, so the lead is 200 to 400 ms; recorded were 200 to 600."""


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of speech: at 48 kHz for the media track, at 24 kHz for the reflection."""

    wide: bytes
    narrow: bytes


@dataclass(frozen=True, slots=True)
class Sound:
    """Speech at both rates, and the words in it."""

    wide: bytes
    narrow: bytes
    words: tuple[Word, ...] = ()

    def frame_at(self, at_ms: int) -> Frame | None:
        """The frame that starts there, filled up with silence; None after the end."""
        index = at_ms // FRAME_MS
        narrow = self.narrow[index * NARROW_FRAME : (index + 1) * NARROW_FRAME]
        wide = self.wide[index * WIDE_FRAME : (index + 1) * WIDE_FRAME]
        if not narrow and not wide:
            return None
        return Frame(wide.ljust(WIDE_FRAME, b"\0"), narrow.ljust(NARROW_FRAME, b"\0"))


class Speaking:
    """One saying, from when it is asked for to its end. Implements `Saying`."""

    def __init__(self, text: str, manner: Manner, *, is_fixture: bool = False) -> None:
        self.text = text
        self.manner = manner
        self.is_fixture = is_fixture
        self.sound: Sound | None = None
        self.is_prepared = False
        """Whether its sound is there or on its way."""
        self.started_ms: int | None = None
        """When its turn came."""
        self.playhead_ms = 0 if is_fixture else -LEAD_MS
        self.next_word = 0
        self.said = ""
        self.end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def wait_for_end(self) -> bool:
        return await asyncio.shield(self.end)

    def cancel(self) -> None:
        self.finish(False)

    def finish(self, to_its_end: bool) -> None:
        if not self.end.done():
            self.end.set_result(to_its_end)
        self.sound = None

    def set_sound(self, sound: Sound) -> None:
        if not self.end.done():
            self.sound = sound

    def words_due(self) -> str:
        """The words whose transcript is due at this border of a cell."""
        assert self.sound is not None
        words, first = self.sound.words, self.next_word
        while self.next_word < len(words) and milliseconds(words[self.next_word]) <= (
            self.playhead_ms + LEAD_MS
        ):
            self.next_word += 1
        due = "".join(word.text for word in words[first : self.next_word])
        self.said += due
        return due


class Mouth:
    """Says one thing after the other."""

    def __init__(
        self,
        voice: Lazy[Voice],
        name: str,
        *,
        on_words: Callable[[Fragment], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.voice = voice
        self.name = name
        self.on_words = on_words
        self.spawn = spawn
        self.waiting: deque[Speaking] = deque()
        self.current: Speaking | None = None
        self.is_held = False
        self.has_spoken = False
        self.closed = False

    @property
    def is_busy(self) -> bool:
        """Whether something is being said or about to be said."""
        return self.current is not None or bool(self.waiting)

    @property
    def plays_fixture(self) -> bool:
        return self.current is not None and self.current.is_fixture

    def say(self, text: str, manner: Manner) -> Speaking:
        speaking = Speaking(text, manner)
        if self.closed or not text.strip():
            speaking.finish(not self.closed)
            return speaking
        if len(self.waiting) >= MOST_WAITING:
            logger.warning("too many sayings wait: one is dropped")
            speaking.cancel()
            return speaking
        self.waiting.append(speaking)
        self.prepare_next()
        return speaking

    def play(self, pcm: bytes) -> Speaking:
        """Plays 24 kHz audio as it is, instead of what is being said."""
        fixture = Speaking("", "commentary", is_fixture=True)
        if self.closed or not pcm:
            fixture.finish(not self.closed)
            return fixture
        self.interrupt()
        fixture.is_prepared = True
        self.waiting.appendleft(fixture)
        self.spawn(self.widen(fixture, pcm))
        return fixture

    def hold(self) -> None:
        """Pauses: the caller has started to say something, perhaps only "mm hmm"."""
        self.is_held = self.current is not None

    def resume(self) -> None:
        self.is_held = False

    def interrupt(self) -> None:
        """Drops the rest of what is being said, and the answers that were to follow."""
        self.is_held = False
        for speaking in [self.current, *self.waiting]:
            if speaking is not None and (speaking is self.current or speaking.manner == "answer"):
                speaking.cancel()
        self.current = None
        self.waiting = deque(speaking for speaking in self.waiting if not speaking.end.done())

    def close(self) -> None:
        self.closed = True
        for speaking in [self.current, *self.waiting]:
            if speaking is not None:
                speaking.cancel()
        self.current = None
        self.waiting.clear()

    def next_frame(self, at_ms: int, *, may_answer: bool) -> Frame | None:
        """The 20 ms that start at `at_ms`, or None for silence. `may_answer`: the caller is not
        speaking."""
        if self.current is not None and self.current.end.done():
            self.current = None
            self.is_held = False
        at_border = at_ms % GRID_MS == 0
        if self.current is None and at_border:
            self.start_next(at_ms, may_answer)
        speaking = self.current
        if speaking is None or speaking.sound is None or self.is_held:
            return None
        if at_border:
            self.send_words(speaking, at_ms)
        frame = None
        if speaking.playhead_ms >= 0:
            frame = speaking.sound.frame_at(speaking.playhead_ms)
            if frame is None:
                speaking.finish(True)
        speaking.playhead_ms += FRAME_MS
        return frame

    def prepare_next(self) -> None:
        """Has the next two sayings turned into sound; the others wait as text, which is smaller."""
        for speaking in islice(self.waiting, PREPARED):
            if not speaking.is_prepared:
                speaking.is_prepared = True
                self.spawn(self.synthesise(speaking))

    def start_next(self, at_ms: int, may_answer: bool) -> None:
        while self.waiting and self.waiting[0].end.done():
            self.waiting.popleft()
        self.prepare_next()
        if not self.waiting or self.waiting[0].sound is None:
            return
        if self.waiting[0].manner == "commentary" or may_answer:
            self.current = self.waiting.popleft()
            self.current.started_ms = at_ms

    def send_words(self, speaking: Speaking, at_ms: int) -> None:
        text = speaking.words_due()
        if not text:
            return
        if self.has_spoken and not text[0].isspace():
            text = f" {text}"
        self.has_spoken = True
        start = max(0, at_ms - GRID_MS)
        self.on_words(Fragment(text, start, start + GRID_MS))

    async def synthesise(self, speaking: Speaking) -> None:
        try:
            voice = await self.voice.get()
            speech = await voice.speak(speaking.text, voice=self.name)
            narrow = await convert(speech.pcm, WIDE_RATE, AUDIO_RATE)
        except Exception:
            logger.exception("cannot say %d characters", len(speaking.text))
            speaking.cancel()
            return
        speaking.set_sound(Sound(speech.pcm, narrow, speech.words))

    async def widen(self, fixture: Speaking, pcm: bytes) -> None:
        fixture.set_sound(Sound(await convert(pcm, AUDIO_RATE, WIDE_RATE), pcm))


async def convert(pcm: bytes, rate: int, wanted: int) -> bytes:
    """The audio at another rate."""
    from realtime_emulator.speech.synthesis import resample

    if len(pcm) <= LONG_BYTES:
        return resample(pcm, rate, wanted)
    return await asyncio.to_thread(resample, pcm, rate, wanted)


def milliseconds(word: Word) -> int:
    return round(word.start.total_seconds() * 1000)
