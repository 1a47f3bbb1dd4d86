"""Callers with real media, who type, speak and listen; what they said is kept for comparison."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from pathlib import Path

from aiortc.exceptions import InvalidStateError

from tests.contract.emulator.caller import Caller, wav
from tests.soak.load import Load
from tests.soak.spoken import Conversation

SPEECH = Path(__file__).parents[2] / "tests" / "contract" / "emulator" / "speech"
TYPISTS, SPEAKERS = 3, 1
TURNS = 3
ANSWER = 15.0
SENTENCES = (
    "Hello, who is there?",
    "What is the weather like in the mountains?",
    "Tell me something about rivers.",
    "Please say that again.",
)
HEARD = "response.output_audio_transcript.done"


async def converse(load: Load, user: str, aloud: bool, until: float) -> list[Conversation]:
    """One call after another, until then; gives what was said in each."""
    talks = []
    while time.monotonic() < until:
        async with Caller() as caller:
            got = await load.connect(user, await caller.offer(), "conversation")
            if got.request.status != 201:
                await asyncio.sleep(random.uniform(0.5, 1.5))
                continue
            talk = Conversation(got.request.number)
            talks.append(talk)
            try:
                await caller.accept(got.text)
                # Some begin before their observer has come, some after.
                await asyncio.sleep(random.uniform(0, 4))
                for _ in range(TURNS):
                    await turn(caller, talk, aloud)
            except (TimeoutError, ConnectionError, InvalidStateError):
                # The call was ended meanwhile: by its limit, mostly.
                pass
            if random.random() < 0.5:
                await load.hang_up(user, got.place)
    return talks


async def turn(caller: Caller, talk: Conversation, aloud: bool) -> None:
    """Says something and listens to the answer. Raises TimeoutError where none comes."""
    if aloud:
        talk.spoken += 1
        caller.say(*wav(SPEECH / "hello.wav"))
    else:
        item = f"item_{secrets.token_hex(8)}"
        text = random.choice(SENTENCES)
        content = [{"type": "input_text", "text": text}]
        message = {"id": item, "type": "message", "role": "user", "content": content}
        caller.send({"type": "conversation.item.create", "item": message})
        await said(caller, item)
        talk.said[item] = text
        caller.send({"type": "response.create"})
    answer = await caller.expect(HEARD, timeout=ANSWER)
    talk.heard[answer["item_id"]] = answer["transcript"]
    await caller.expect("output_audio_buffer.stopped", timeout=ANSWER)


async def said(caller: Caller, item: str) -> None:
    """Returns once the model's endpoint has told that the item is in the conversation."""
    while (await caller.expect("conversation.item.added", timeout=ANSWER))["item"]["id"] != item:
        pass
