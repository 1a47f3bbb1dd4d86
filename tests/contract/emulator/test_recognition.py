"""Recognition of a caller's words outlives the response that waits for it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from realtime_emulator.call import hearing
from realtime_emulator.call.call import Ended
from realtime_emulator.call.services import Lazy
from realtime_emulator.call.stand_ins import StandInRecogniser
from realtime_emulator.script.script import Script
from tests.contract.emulator.harness import FakeCall, fake_call

TRANSCRIBED = {
    "output_modalities": ["text"],
    "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}},
}
COMPLETED = "conversation.item.input_audio_transcription.completed"


UNHEARD = Script().text("unheard")


class BrokenRecogniser:
    async def recognise(self, pcm: bytes) -> str:
        raise LookupError("on purpose")


class HeldRecogniser:
    """Understands `heard`, one utterance after the other, once it is `released`."""

    def __init__(self, *heard: str) -> None:
        self.heard = list(heard)
        self.asked = asyncio.Semaphore(0)
        self.released = asyncio.Event()
        self.cancelled: list[str] = []

    async def recognise(self, pcm: bytes) -> str:
        words = self.heard.pop(0)
        self.asked.release()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled.append(words)
            raise
        return words


@asynccontextmanager
async def held(*heard: str) -> AsyncIterator[tuple[FakeCall, HeldRecogniser]]:
    """A call whose first spoken turn is being recognised, with an answer that waits for it."""
    recogniser = HeldRecogniser(*heard)
    async with fake_call(config=TRANSCRIBED) as it:
        it.call.services.recogniser = Lazy.ready(recogniser)
        it.speak()
        await it.expect("response.created")
        await recogniser.asked.acquire()
        yield it, recogniser


async def transcripts(it: FakeCall, count: int) -> dict[str, str]:
    """The next transcripts of the caller's items."""
    found: dict[str, str] = {}
    while len(found) < count:
        event = await it.expect(COMPLETED)
        found[event["item_id"]] = event["transcript"]
    return found


def spoken_items(it: FakeCall) -> list[str]:
    return [e["item_id"] for e in it.events if e["type"] == "input_audio_buffer.committed"]


def said(it: FakeCall) -> list[str]:
    """The text of every response that was completed."""
    responses = [e["response"] for e in it.events if e["type"] == "response.done"]
    return [r["output"][0]["content"][0]["text"] for r in responses if r["status"] == "completed"]


async def test_a_caller_who_goes_on_speaking_is_still_understood() -> None:
    async with held("a question", "and more of it", "another") as (it, recogniser):
        it.speak()
        done = (await it.expect("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        await it.expect("response.created")
        recogniser.released.set()
        assert await transcripts(it, 2) == dict(
            zip(spoken_items(it), ["a question", "and more of it"], strict=True)
        )
        await it.expect("response.done")
        it.speak()
        await it.expect("response.done")
        assert said(it) == ["You said: a question and more of it.", "You said: another."]


async def test_a_caller_whose_answer_the_page_cancels_is_still_understood() -> None:
    async with held("a question", "another") as (it, recogniser):
        it.tell("response.cancel")
        done = (await it.expect("response.done"))["response"]
        assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        recogniser.released.set()
        assert await transcripts(it, 1) == {spoken_items(it)[0]: "a question"}
        it.speak()
        await it.expect("response.done")
        assert said(it) == ["You said: a question another."]


async def test_a_cancelled_response_beside_the_conversation_leaves_the_answer_alone() -> None:
    async with held("a question") as (it, recogniser):
        it.tell("response.create", response={"conversation": "none"})
        beside = (await it.expect("response.created"))["response"]["id"]
        await asyncio.sleep(0)  # it waits for the same words now
        it.tell("response.cancel", response_id=beside)
        assert (await it.expect("response.done"))["response"]["id"] == beside
        recogniser.released.set()
        await transcripts(it, 1)
        await it.expect("response.done")
        assert said(it) == ["You said: a question."]


async def test_a_response_beside_the_conversation_answers_nothing_in_it() -> None:
    async with held("a question", "and more of it") as (it, recogniser):
        it.tell("response.cancel")
        await it.expect("response.done")
        recogniser.released.set()
        it.tell("response.create", response={"conversation": "none"})
        await it.expect("response.done")
        it.speak()
        await it.expect("response.done")
        assert said(it) == ["You said: a question.", "You said: a question and more of it."]


async def test_a_cancel_without_an_id_spares_a_response_beside_the_conversation() -> None:
    async with held("a question") as (it, recogniser):
        it.tell("response.create", response={"conversation": "none"})
        it.tell("response.cancel")
        await it.expect("response.done")
        it.tell("response.cancel")
        assert (await it.expect("error"))["error"]["code"] == "response_cancel_not_active"
        recogniser.released.set()
        await it.expect("response.done")
        assert said(it) == ["You said: a question."]


def transcribed(it: FakeCall) -> list[str]:
    return [e["transcript"] for e in it.events if e["type"] == COMPLETED]


async def test_words_that_take_too_long_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LONGEST", timedelta(milliseconds=50))
    async with held("a question") as (it, recogniser):
        await transcripts(it, 1)
        await it.expect("response.done")
        assert (said(it), transcribed(it)) == ([UNHEARD], [""])
        assert recogniser.cancelled == ["a question"]


async def test_recognition_that_fails_costs_the_words_alone() -> None:
    async with fake_call(config=TRANSCRIBED) as it:
        it.call.services.recogniser = Lazy.ready(BrokenRecogniser())
        it.speak()
        await transcripts(it, 1)
        await it.expect("response.done")
        assert (said(it), transcribed(it)) == ([UNHEARD], [""])


async def test_a_recogniser_that_did_not_load_is_loaded_again() -> None:
    failures = [OSError("no memory")]

    def load() -> StandInRecogniser:
        if failures:
            raise failures.pop()
        return StandInRecogniser("a question")

    async with fake_call(config=TRANSCRIBED) as it:
        it.call.services.recogniser = Lazy(load)
        for _ in range(2):
            it.speak()
            await transcripts(it, 1)
            await it.expect("response.done")
        assert transcribed(it) == ["", "a question"]


async def test_a_page_that_commits_without_end_waits_for_sixteen_utterances() -> None:
    many = [str(number) for number in range(hearing.MOST_WAITING + 5)]
    async with held(*many) as (it, recogniser):
        for _ in many[1:]:
            it.speak()
        assert it.call.input_audio.hearing.waiting <= hearing.MOST_WAITING
        recogniser.released.set()
        await transcripts(it, len(many))
        assert sorted(filter(None, transcribed(it)), key=int) == many[: hearing.MOST_WAITING]


async def test_one_utterance_of_a_call_at_a_time_is_in_the_recogniser() -> None:
    async with held("a question", "and more of it") as (it, recogniser):
        it.speak()
        await it.expect("response.created")
        await asyncio.sleep(0)
        assert recogniser.heard == ["and more of it"]
        async with held("another call's") as (other, others):
            others.released.set()
            await transcripts(other, 1)
            assert transcribed(other) == ["another call's"]


async def test_the_end_of_one_call_leaves_anothers_recognition_alone() -> None:
    async with held("a question") as (it, recogniser):
        async with fake_call(config=TRANSCRIBED) as ending:
            ending.call.services.recogniser = it.call.services.recogniser
            recogniser.heard.append("given up")
            ending.speak()
            await recogniser.asked.acquire()
        recogniser.released.set()
        await transcripts(it, 1)
        assert (transcribed(it), recogniser.cancelled) == (["a question"], ["given up"])


async def test_an_item_of_two_pieces_of_audio_is_heard_whole() -> None:
    class Measuring:
        async def recognise(self, pcm: bytes) -> str:
            return f"{len(pcm)} bytes"

    async with fake_call(config=TRANSCRIBED) as it:
        it.call.services.recogniser = Lazy.ready(Measuring())
        second = base64.b64encode(bytes(2 * 24_000)).decode()
        content = [{"type": "input_audio", "audio": second}] * 2
        it.tell(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}
        )
        it.tell("response.create")
        await it.expect("response.done")
        assert said(it) == [f"You said: {2 * 2 * 16_000} bytes."]


async def test_recognition_ends_with_the_call() -> None:
    async with held("a question") as (it, recogniser):
        tasks = set(it.call.tasks)
        it.call.end(Ended(1000, "the caller hung up"))
        await asyncio.gather(*tasks, return_exceptions=True)
        assert recogniser.cancelled == ["a question"]
        assert not it.call.tasks
