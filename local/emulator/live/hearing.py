"""What the caller says: an utterance on its way to words while it is still being spoken.

The offline recogniser knows no streams. It is asked again and again about a window that begins with
the utterance: a word is settled when two answers agree on it, or when it has been said a while ago.
The window moves on with the settled words, so that the work for a second of speech is bounded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from local.emulator.call.services import Lazy
    from local.emulator.speech.recognition import Recogniser

logger = logging.getLogger(__name__)

BYTES_PER_MS: Final = 32
"""16 kHz mono s16le."""

FIRST_MS: Final = 700
STEP_MS: Final = 400
"""After how much more speech the recogniser is asked again."""

UNSURE_MS: Final = 250
"""The end of a window may cut a word in two."""

SETTLED_MS: Final = 1_500
"""What was said so long ago is settled, even if the answers differ."""

WINDOW_MS: Final = 6_000
KEPT_MS: Final = 2_500
"""A window that has become too long is shortened to this; what the recogniser has heard before a
word helps it with the next."""

BUSY: Final = 2
"""While the recogniser, which all sessions share, has this many requests, only ends of utterances
are added."""

SHIFT_MS: Final = 250
"""How far apart two answers may place the same word."""

LONGEST: Final = timedelta(seconds=30)
"""How long the end of an utterance is waited for."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word on the session's timeline."""

    text: str
    start_ms: int
    end_ms: int


OnWords = Callable[[Sequence[HeardWord]], None]


class UtteranceInProgress:
    """One utterance. `on_words` gets each word once, as soon as it is settled."""

    def __init__(self, start_ms: int, recogniser: Lazy[Recogniser], on_words: OnWords) -> None:
        self.recogniser = recogniser
        self.on_words = on_words
        self.window_ms = start_ms
        self.is_whole = True
        """Whether the window still begins with the utterance."""
        self.asked_ms = start_ms
        """The end of the last window that the recogniser was, or is about to be, asked about."""
        self.settled: list[HeardWord] = []
        self.guess: list[HeardWord] = []
        """The last answer."""

    @property
    def settled_ms(self) -> int:
        return self.settled[-1].end_ms if self.settled else self.window_ms

    def is_due(self, end_ms: int, *, is_pausing: bool, last_voiced_ms: int) -> bool:
        """Whether to ask the recogniser now: after enough new speech, and at once in a pause, which
        may be the end."""
        if is_pausing:
            return self.asked_ms < last_voiced_ms
        wait = FIRST_MS if not self.guess else STEP_MS
        return end_ms - self.asked_ms >= wait and not self.is_recogniser_busy()

    def is_recogniser_busy(self) -> bool:
        return getattr(self.recogniser.value, "waiting", 0) >= BUSY

    async def ask(self, kept: bytes, end_ms: int, *, is_pausing: bool = False) -> None:
        """Asks about the window that ends there. `kept` is the audio up to its end. In a pause no
        word is cut off: all are settled."""
        previous = self.guess
        self.guess = await self.recognise(kept, end_ms)
        if is_pausing:
            self.settle(self.guess)
            return
        agreed = {(word.text, word.start_ms // 200) for word in previous}
        sure: list[HeardWord] = []
        for word in self.guess:
            has_settled = word.end_ms <= end_ms - SETTLED_MS
            is_agreed = word.end_ms <= end_ms - UNSURE_MS and any(
                (word.text, word.start_ms // 200 + shift) in agreed for shift in (-1, 0, 1)
            )
            if not has_settled and not is_agreed:
                break
            sure.append(word)
        self.settle(sure)
        self.shorten_window(end_ms)

    async def finish(self, kept: bytes, end_ms: int, last_voiced_ms: int) -> str:
        """Settles all words and returns the text of the utterance."""
        if self.asked_ms < last_voiced_ms:
            self.asked_ms = end_ms
            try:
                async with asyncio.timeout(LONGEST.total_seconds()):
                    self.guess = await self.recognise(kept, end_ms)
            except TimeoutError:
                logger.warning("the end of an utterance was not recognised in time")
        self.settle(self.guess)
        # The last answer of all knows best.
        words = self.guess if self.is_whole else self.settled
        return " ".join(word.text for word in words)

    async def recognise(self, kept: bytes, end_ms: int) -> list[HeardWord]:
        from local.emulator.speech.recognition import recognise_words

        size = min(len(kept), (end_ms - self.window_ms) * BYTES_PER_MS)
        window = kept[len(kept) - size :]
        start_ms = end_ms - size // BYTES_PER_MS
        try:
            words = await recognise_words(await self.recogniser.get(), window)
        except Exception:
            logger.exception("recognition failed")
            return []
        return [
            HeardWord(w.text, start_ms + in_ms(w.start), start_ms + in_ms(w.end)) for w in words
        ]

    def settle(self, words: Sequence[HeardWord]) -> None:
        """Keeps those that come after the ones that are settled already."""
        new = self.following(words)
        self.settled += new
        if new:
            self.on_words(new)

    def following(self, words: Sequence[HeardWord]) -> list[HeardWord]:
        """The words after the last settled one. Two answers do not place it alike."""
        if not self.settled:
            return list(words)
        last = self.settled[-1]
        same = [
            (abs(word.start_ms - last.start_ms), index)
            for index, word in enumerate(words)
            if word.text == last.text and abs(word.start_ms - last.start_ms) <= SHIFT_MS
        ]
        if same:
            return list(words[min(same)[1] + 1 :])
        return [word for word in words if (word.start_ms + word.end_ms) / 2 > last.end_ms]

    def shorten_window(self, end_ms: int) -> None:
        if end_ms - self.window_ms <= WINDOW_MS or not self.settled:
            return
        starts = [word.start_ms for word in self.settled if word.start_ms >= end_ms - KEPT_MS]
        self.window_ms = max(self.window_ms, starts[0] if starts else self.settled_ms)
        self.is_whole = False
        self.guess = [word for word in self.guess if word.start_ms >= self.window_ms]


def in_ms(length: timedelta) -> int:
    return round(length.total_seconds() * 1000)
