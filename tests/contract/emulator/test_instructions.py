"""Responses with instructions of their own: a goodbye is a goodbye, whatever was said before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.emulator.harness import FakeCall, fake_call

PROFILES = Path(__file__).resolve().parents[3] / "profiles"
GOODBYES = [
    json.loads(path.read_text(encoding="utf-8")).get("goodbye")
    for path in sorted(PROFILES.glob("*.json"))
]
TEXT = {"output_modalities": ["text"]}
GOODBYE = "Goodbye! It was good to talk to you."
LEAVE = "The call has to end now. Say so in one short, friendly sentence."
ABSCHIED = "Verabschiede dich jetzt."


async def answer(it: FakeCall, instructions: str | None = None) -> str:
    """What a response says to this."""
    response = {"instructions": instructions} if instructions else {}
    it.tell("response.create", response=response)
    done = (await it.expect("response.done"))["response"]
    return str(done["output"][0]["content"][0]["text"])


def write(it: FakeCall, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    it.tell("conversation.item.create", item=item)


@pytest.mark.parametrize("instructions", [*filter(None, GOODBYES), "Say goodbye."])
async def test_a_goodbye_after_a_story_is_no_story(instructions: str) -> None:
    async with fake_call(config=TEXT) as it:
        write(it, "tell me a story")
        assert (await answer(it)).startswith("Once upon a time")
        assert await answer(it, instructions) == GOODBYE


@pytest.mark.parametrize(
    ("instructions", "said"), [(LEAVE, GOODBYE), (ABSCHIED, f"I was told: {ABSCHIED}")]
)
async def test_a_goodbye_that_cuts_the_story_is_no_story(instructions: str, said: str) -> None:
    async with fake_call(config=TEXT, text_delta_seconds=60) as it:
        write(it, "tell me a story")
        it.tell("response.create")
        await it.expect("response.output_text.delta")
        it.tell("response.cancel")
        await it.expect("response.done")
        it.call.services.script.apply_patch({"text_delta_seconds": 0})
        assert await answer(it, instructions) == said


async def test_a_goodbye_comes_before_what_was_said_last() -> None:
    async with fake_call(config=TEXT) as it:
        write(it, "tell me a story")
        assert await answer(it, LEAVE) == GOODBYE
        assert (await answer(it)).startswith("Once upon a time"), "that is still to be answered"


async def test_instructions_without_a_rule_leave_new_words_their_answer() -> None:
    async with fake_call(config=TEXT) as it:
        assert (await answer(it, "Greet the caller.")).startswith("Hello! This is the emulator.")
        write(it, "hello")
        assert await answer(it, "Answer in French.") == "Hello! How can I help you today?"


async def test_a_script_has_rules_for_instructions() -> None:
    rules = [
        {"instructed": ["sum up"], "say": "All in all, well.", "times": 1},
        {"words": [], "say": "Yes."},
    ]
    async with fake_call(config=TEXT, rules=rules) as it:
        write(it, "sum up")
        assert await answer(it) == "Yes."
        assert await answer(it, "Please sum up.") == "All in all, well."
        assert await answer(it, "Please sum up.") == "I was told: Please sum up."
