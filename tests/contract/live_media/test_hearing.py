"""Words of an utterance while it is spoken, from a recogniser that knows no streams."""

from __future__ import annotations

import array
from datetime import timedelta

import pytest

from realtime_emulator.call.services import Lazy
from realtime_emulator.live.decimation import Decimator
from realtime_emulator.live.ears import FragmentQueue
from realtime_emulator.live.media_interfaces import Fragment
from realtime_emulator.live.utterance_in_progress import (
    BUSY,
    BYTES_PER_MS,
    FIRST_MS,
    SEGMENT_MS,
    STEP_MS,
    WINDOW_MS,
    HeardWord,
    UtteranceInProgress,
)
from realtime_emulator.speech.recognition import Recogniser, TimedWord
from realtime_emulator.speech.synthesis import resample
from tests.support.voice import utterances

EACH_MS = 400


class Metronome:
    """Hears a word every 400 ms, named by where it is. Mishears the word at the window's end."""

    def __init__(self) -> None:
        self.waiting = 0
        self.asked_bytes: list[int] = []
        self.start_ms = 0

    async def recognise(self, pcm: bytes) -> str:
        return " ".join(word.text for word in await self.recognise_words(pcm))

    async def recognise_words(self, pcm: bytes) -> tuple[TimedWord, ...]:
        self.asked_bytes.append(len(pcm))
        length = len(pcm) // BYTES_PER_MS
        words = []
        end_ms = self.start_ms + length
        for number in range(-(-self.start_ms // EACH_MS), end_ms // EACH_MS + 1):
            at = number * EACH_MS - self.start_ms
            text = f"word{number}" if at + EACH_MS <= length else "cut"
            start, end = timedelta(milliseconds=at), timedelta(milliseconds=at + EACH_MS)
            words.append(TimedWord(text, start, end))
        return tuple(words)


def utterance(recogniser: Recogniser) -> tuple[UtteranceInProgress, list[HeardWord]]:
    words: list[HeardWord] = []
    return UtteranceInProgress(0, Lazy.ready(recogniser), words.extend), words


def audio(milliseconds: int) -> bytes:
    return bytes(milliseconds * BYTES_PER_MS)


async def test_words_are_settled_once_and_in_order_while_they_are_spoken() -> None:
    ear = Metronome()
    spoken, words = utterance(ear)
    for end_ms in range(FIRST_MS, 5000, STEP_MS):
        ear.start_ms = spoken.window_ms
        await spoken.ask(audio(end_ms), end_ms)
        assert all(word.end_ms <= end_ms for word in words)
        if end_ms > FIRST_MS + STEP_MS:
            assert words[-1].end_ms >= end_ms - 2 * STEP_MS - EACH_MS
    text = await spoken.finish(audio(5000), 5000, 4900)
    expected = [f"word{n}" for n in range(12)]
    assert text.split()[:12] == expected
    assert [word.text for word in words][:12] == expected


async def test_the_work_for_a_long_utterance_is_bounded() -> None:
    ear = Metronome()
    spoken, words = utterance(ear)
    for end_ms in range(FIRST_MS, 60_000, STEP_MS):
        spoken.asked_ms = end_ms
        ear.start_ms = spoken.window_ms
        await spoken.ask(audio(60_000)[: end_ms * BYTES_PER_MS], end_ms)
    assert max(ear.asked_bytes) <= (WINDOW_MS + 2 * STEP_MS) * BYTES_PER_MS
    ear.start_ms = spoken.window_ms
    text = await spoken.finish(audio(60_000), 60_000, 59_900)
    assert [word.text for word in words] == text.split()
    assert text.split()[:140] == [f"word{n}" for n in range(140)]


async def test_a_pause_asks_at_once_and_its_answer_is_the_last_if_nothing_followed() -> None:
    ear = Metronome()
    spoken, words = utterance(ear)
    assert not spoken.is_due(400, is_pausing=False, last_voiced_ms=400)
    assert spoken.is_due(700, is_pausing=True, last_voiced_ms=400)
    spoken.asked_ms = 700
    await spoken.ask(audio(700), 700)
    assert not spoken.is_due(720, is_pausing=True, last_voiced_ms=400)
    assert await spoken.finish(audio(900), 900, 400) == "word0 cut"
    assert len(ear.asked_bytes) == 1
    assert [word.text for word in words] == ["word0", "cut"]


async def test_a_busy_recogniser_is_asked_for_ends_only() -> None:
    ear = Metronome()
    ear.waiting = BUSY
    spoken, _ = utterance(ear)
    assert not spoken.is_due(10_000, is_pausing=False, last_voiced_ms=10_000)
    assert spoken.is_due(10_000, is_pausing=True, last_voiced_ms=9_700)


class Conveyor(Metronome):
    """The same as a stream, which breaks after so many pieces."""

    def __init__(self, pieces: int = 1000) -> None:
        super().__init__()
        self.pieces = pieces
        self.opened = 0
        self.dropped = 0
        self.audio = b""

    def open_stream(self) -> Conveyor:
        self.opened += 1
        self.audio = b""
        return self

    async def feed(self, pcm: bytes, *, is_last: bool = False) -> tuple[TimedWord, ...] | None:
        self.pieces -= 1
        self.audio += pcm
        return await self.recognise_words(self.audio) if self.pieces >= 0 else None

    def drop(self) -> None:
        self.dropped += 1


async def test_a_stream_gets_each_piece_once_and_its_words_are_settled() -> None:
    ear = Conveyor()
    spoken, words = utterance(ear)
    for end_ms in range(STEP_MS, 5000, STEP_MS):
        await spoken.ask(audio(end_ms), end_ms)
        assert len(ear.audio) == end_ms * BYTES_PER_MS
    text = await spoken.finish(audio(5000), 5000, 4900)
    assert ear.opened == 1
    assert (
        text.split()[:12] == [word.text for word in words][:12] == [f"word{n}" for n in range(12)]
    )


async def test_a_stream_that_breaks_is_replaced_by_windows() -> None:
    ear = Conveyor(pieces=4)
    spoken, words = utterance(ear)
    for end_ms in range(STEP_MS, 5000, STEP_MS):
        ear.start_ms = spoken.window_ms
        await spoken.ask(audio(end_ms), end_ms)
    await spoken.finish(audio(5000), 5000, 4900)
    assert [word.text for word in words][:12] == [f"word{n}" for n in range(12)]
    assert ear.opened == 1


async def test_a_long_stream_goes_on_as_another() -> None:
    ear = Conveyor()
    spoken, words = utterance(ear)
    for end_ms in range(STEP_MS, 60_000, STEP_MS):
        ear.start_ms = spoken.window_ms
        await spoken.ask(audio(60_000)[: end_ms * BYTES_PER_MS], end_ms)
    assert ear.opened >= 3
    assert max(ear.asked_bytes) <= (SEGMENT_MS + STEP_MS) * BYTES_PER_MS
    spoken.drop()
    assert ear.dropped == 1
    # The word that a border cuts in two is lost, and no other.
    settled = [word.text for word in words]
    assert [word for word in settled if word != "cut"] == [
        f"word{n}" for n in range(150) if f"word{n}" in settled
    ]
    assert settled.count("cut") <= ear.opened
    assert len(settled) >= 140


class Failing:
    async def recognise(self, pcm: bytes) -> str:
        raise OSError("on purpose")


class Plain:
    async def recognise(self, pcm: bytes) -> str:
        return "look it up"


async def test_a_recogniser_that_fails_costs_the_words_only() -> None:
    spoken, words = utterance(Failing())
    await spoken.ask(audio(700), 700)
    assert await spoken.finish(audio(900), 900, 800) == ""
    assert words == []


async def test_a_recogniser_without_times_is_good_enough() -> None:
    spoken, words = utterance(Plain())
    assert await spoken.finish(audio(900), 900, 800) == "look it up"
    assert [word.start_ms for word in words] == [0, 300, 600]


def test_fragments_are_cells_of_the_timeline() -> None:
    sent: list[Fragment] = []
    queue = FragmentQueue(sent.append)
    queue.add(
        [HeardWord("can", 650, 700), HeardWord("you", 760, 990), HeardWord("say", 1010, 1300)]
    )
    queue.release(1299)
    assert sent == []
    queue.release(1300)
    assert sent == [Fragment("can you", 600, 800)]
    queue.add([HeardWord("it", 900, 1000)])
    queue.release(9000)
    assert sent[1:] == [Fragment(" say it", 1000, 1200)]


@pytest.mark.parametrize("size", [1, 2, 7, 960, 10_000])
def test_decimation_is_the_same_in_pieces_of_any_size(size: int) -> None:
    (pcm,) = utterances("hello.wav")
    wide = resample(pcm[:20_000], 16_000, 24_000)
    whole = Decimator().add(wide)
    stream = Decimator()
    parts = [stream.add(wide[at : at + size]) for at in range(0, len(wide), size)]
    assert b"".join(parts) == whole
    assert abs(len(whole) - len(wide) * 2 // 3) <= 4


def test_decimation_keeps_speech() -> None:
    """Up to the resampler's delay, the samples are nearly those that there were."""
    (pcm,) = utterances("weather.wav")
    again = array.array("h", Decimator().add(resample(pcm, 16_000, 24_000)))
    original = array.array("h", pcm)

    def difference(delay: int) -> float:
        pairs = list(zip(original[1000:20_000], again[1000 + delay : 20_000 + delay], strict=True))
        return sum((a - b) ** 2 for a, b in pairs) / sum(a * a for a, _ in pairs)

    assert min(map(difference, range(-20, 21))) < 0.02


def test_decimation_does_not_overflow() -> None:
    loud = array.array("h", [-32768, 32767, 32767, -32768] * 30).tobytes()
    assert Decimator().add(loud)
