"""Callers with real media, who type, speak and listen; what was said is kept for comparison."""

from __future__ import annotations

import asyncio
import random
import secrets
import time

from aiortc.exceptions import InvalidStateError

from realtime_emulator.caller import Caller
from tests.soak.callers import SimulatedCallers
from tests.soak.transcript_check import Conversation
from tests.support.voice import SPEECH, read_wav

TYPISTS, SPEAKERS = 3, 1
TURNS = 3
ANSWER_LIMIT = 15.0
SENTENCES = (
    "Hello, who is there?",
    "What is the weather like in the mountains?",
    "Tell me something about rivers.",
    "Please say that again.",
)
ANSWERED = "response.output_audio_transcript.done"


async def hold_conversations(
    callers: SimulatedCallers, user: str, aloud: bool, until: float
) -> list[Conversation]:
    """One call after another, until then; gives what was said in each."""
    talks = []
    while time.monotonic() < until:
        async with Caller() as caller:
            answer = await callers.start_call(user, await caller.offer(), "conversation")
            if answer.request.status != 201:
                await asyncio.sleep(random.uniform(0.5, 1.5))
                continue
            talk = Conversation(answer.request.number)
            talks.append(talk)
            try:
                await caller.accept(answer.text)
                # Some begin before their observer is connected, some after.
                await asyncio.sleep(random.uniform(0, 4))
                for _ in range(TURNS):
                    await take_turn(caller, talk, aloud)
            except (TimeoutError, ConnectionError, InvalidStateError):
                # The call was ended meanwhile, mostly by its limit.
                pass
            if random.random() < 0.5:
                await callers.hang_up(user, answer.location)
    return talks


async def take_turn(caller: Caller, talk: Conversation, aloud: bool) -> None:
    """Says something and waits for the answer. Raises TimeoutError where none comes."""
    if aloud:
        talk.spoken += 1
        caller.say(*read_wav(SPEECH / "hello.wav"))
    else:
        await type_message(caller, talk)
        caller.send_event({"type": "response.create"})
    answer = await caller.expect(ANSWERED, timeout=ANSWER_LIMIT)
    talk.answered[answer["item_id"]] = answer["transcript"]
    await caller.expect("output_audio_buffer.stopped", timeout=ANSWER_LIMIT)


async def type_message(caller: Caller, talk: Conversation) -> None:
    """Adds a message to the conversation. Raises TimeoutError where that does not happen."""
    item = f"item_{secrets.token_hex(8)}"
    text = random.choice(SENTENCES)
    content = [{"type": "input_text", "text": text}]
    message = {"id": item, "type": "message", "role": "user", "content": content}
    caller.send_event({"type": "conversation.item.create", "item": message})
    await expect_item(caller, item)
    talk.typed[item] = text


async def expect_item(caller: Caller, item: str) -> None:
    """Returns once the model's endpoint has said that the item is in the conversation."""
    while True:
        added = await caller.expect("conversation.item.added", timeout=ANSWER_LIMIT)
        if added["item"]["id"] == item:
            return
