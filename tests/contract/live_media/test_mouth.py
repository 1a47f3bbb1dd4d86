"""What the model says, on a timeline that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from realtime_emulator.call.services import Lazy
from realtime_emulator.live.media_interfaces import Fragment
from realtime_emulator.live.mouth import FRAME_MS, LEAD_MS, MOST_WAITING, Mouth
from realtime_emulator.speech.synthesis import ToneVoice, Voice

WORD_MS = 350
"""What the tones take for a word."""


class Stage:
    """A mouth and what comes out of it."""

    def __init__(self) -> None:
        self.fragments: list[Fragment] = []
        self.at_ms: list[int] = []
        """When each fragment was sent."""
        self.tasks: list[asyncio.Task[None]] = []
        voice: Lazy[Voice] = Lazy.ready(ToneVoice())
        self.mouth = Mouth(voice, "marin", on_words=self.keep, spawn=self.spawn)
        self.now_ms = 0
        self.sounding: list[int] = []
        """Where on the timeline there was sound."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    def keep(self, fragment: Fragment) -> None:
        self.fragments.append(fragment)
        self.at_ms.append(self.now_ms)

    async def settle(self) -> None:
        """Waits until everything has been synthesised."""
        await asyncio.gather(*self.tasks)

    def play(self, milliseconds: int, *, may_answer: bool = True) -> None:
        for _ in range(milliseconds // FRAME_MS):
            frame = self.mouth.next_frame(self.now_ms, may_answer=may_answer)
            if frame is not None:
                assert (len(frame.wide), len(frame.narrow)) == (1920, 960)
                self.sounding.append(self.now_ms)
            self.now_ms += FRAME_MS

    @property
    def said(self) -> str:
        return "".join(fragment.text for fragment in self.fragments)


async def test_words_come_two_to_six_hundred_milliseconds_ahead_of_their_sound() -> None:
    stage = Stage()
    saying = stage.mouth.say("One two three four five.", "answer")
    await stage.settle()
    stage.play(5000)
    assert await saying.wait_for_end()
    assert stage.said == saying.said == "One two three four five."
    sound = stage.sounding[0]
    assert sound == LEAD_MS
    for index, at_ms in enumerate(stage.at_ms):
        assert 200 <= sound + index * WORD_MS - at_ms <= 600
    assert all(f.start_ms % 200 == 0 and f.end_ms - f.start_ms == 200 for f in stage.fragments)
    starts = [fragment.start_ms for fragment in stage.fragments]
    assert starts == sorted(starts)


async def test_the_rest_of_an_interrupted_saying_is_never_sent() -> None:
    stage = Stage()
    saying = stage.mouth.say("One two three four five six seven eight.", "answer")
    following = stage.mouth.say("And an answer after it.", "answer")
    commentary = stage.mouth.say("Something else.", "commentary")
    await stage.settle()
    stage.play(1600)
    said = stage.said
    stage.mouth.interrupt()
    before = len(stage.sounding)
    stage.play(180)
    await stage.settle()
    assert len(stage.sounding) == before
    assert not await saying.wait_for_end()
    assert not await following.wait_for_end()
    stage.play(4000)
    assert await commentary.wait_for_end()
    assert stage.said == f"{said} Something else."
    assert said.startswith("One two")
    assert "eight" not in said


async def test_a_held_saying_goes_on_where_it_was() -> None:
    stage = Stage()
    saying = stage.mouth.say("One two three four.", "answer")
    await stage.settle()
    stage.play(1000)
    stage.mouth.hold()
    before, said = len(stage.sounding), stage.said
    stage.play(1000)
    assert (len(stage.sounding), stage.said) == (before, said)
    stage.mouth.resume()
    stage.play(4000)
    assert await saying.wait_for_end()
    assert stage.said == "One two three four."
    assert len(stage.sounding) * FRAME_MS == 4 * WORD_MS


async def test_an_answer_waits_for_the_caller_and_a_commentary_does_not() -> None:
    stage = Stage()
    stage.mouth.say("Answer.", "answer")
    await stage.settle()
    stage.play(1000, may_answer=False)
    assert stage.said == ""
    stage.play(1000)
    assert stage.said == "Answer."
    stage.mouth.say("News.", "commentary")
    await stage.settle()
    stage.play(1000, may_answer=False)
    assert stage.said == "Answer. News."


async def test_a_fixture_replaces_what_is_being_said() -> None:
    stage = Stage()
    saying = stage.mouth.say("One two three four.", "answer")
    await stage.settle()
    stage.play(1000)
    said = stage.said
    fixture = stage.mouth.play(bytes(48 * 500))
    await stage.settle()
    assert not await saying.wait_for_end()
    before = len(stage.sounding)
    stage.play(400)
    assert stage.mouth.plays_fixture
    stage.play(400)
    assert await fixture.wait_for_end()
    assert (len(stage.sounding) - before) * FRAME_MS == 500
    assert stage.said == said


async def test_what_is_cancelled_or_empty_or_late_says_nothing() -> None:
    stage = Stage()
    cancelled = stage.mouth.say("Never mind.", "answer")
    cancelled.cancel()
    assert await stage.mouth.say("  ", "answer").wait_for_end()
    await stage.settle()
    stage.play(2000)
    assert not await cancelled.wait_for_end()
    open_saying = stage.mouth.say("One two three.", "answer")
    stage.mouth.close()
    assert not await open_saying.wait_for_end()
    assert not await stage.mouth.say("Too late.", "answer").wait_for_end()
    await stage.settle()
    assert stage.said == ""
    assert not stage.mouth.is_busy


async def test_sayings_wait_as_text_and_not_without_end() -> None:
    stage = Stage()
    sayings = [stage.mouth.say(f"Number {n}.", "commentary") for n in range(MOST_WAITING + 1)]
    await stage.settle()
    assert [saying.sound is not None for saying in sayings[:4]] == [True, True, False, False]
    assert not await sayings[-1].wait_for_end()
    for _ in range(4):
        stage.play(1400)
        await stage.settle()
    assert stage.said.startswith("Number 0. Number 1. Number 2.")


async def test_a_voice_that_fails_costs_the_saying_only() -> None:
    stage = Stage()

    class Hoarse(ToneVoice):
        async def speak(self, text: str, **_: Any) -> Any:
            raise OSError("on purpose")

    stage.mouth.voice = Lazy.ready(Hoarse())
    assert not await stage.mouth.say("Nothing.", "answer").wait_for_end()
    stage.mouth.voice = Lazy.ready(ToneVoice())
    stage.mouth.say("Something.", "answer")
    await stage.settle()
    stage.play(2000)
    assert stage.said == "Something."
