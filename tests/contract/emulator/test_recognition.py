"""Recognition of a caller's words outlives the response that waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from local.emulator.call.call import Ended
from local.emulator.call.services import Lazy
from tests.contract.emulator.harness import FakeCall, fake_call

TRANSCRIBED = {
    "output_modalities": ["text"],
    "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}},
}
COMPLETED = "conversation.item.input_audio_transcription.completed"


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


async def test_recognition_ends_with_the_call() -> None:
    async with held("a question") as (it, recogniser):
        tasks = set(it.call.tasks)
        it.call.end(Ended(1000, "the caller hung up"))
        await asyncio.gather(*tasks, return_exceptions=True)
        assert recogniser.cancelled == ["a question"]
        assert not it.call.tasks
