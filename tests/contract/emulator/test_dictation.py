"""Sessions that only transcribe: what is said is written down, and nobody answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from openai.types.realtime import ClientSecretCreateResponse

from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.harness import fake_call
from tests.support.emulator_server import serving

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
SESSION: dict[str, Any] = json.loads((CASES / "dictation.json").read_text())["session"]


async def test_a_turn_is_transcribed_and_not_answered() -> None:
    async with fake_call(heard=("good morning",), config=SESSION) as it:
        it.speak()
        done = await it.expect("conversation.item.input_audio_transcription.completed")
        assert done["transcript"] == "good morning"
        assert done["usage"]["type"] == "duration"
        it.tell("session.update", session={"type": "transcription", "include": None})
        await it.expect("session.updated")
        assert not [each for each in it.events if each["type"].startswith("response.")]


@pytest.mark.parametrize(
    ("kind", "fields", "param"),
    [
        ("response.create", {}, "type"),
        ("session.update", {"session": {"type": "realtime"}}, "session.type"),
        ("session.update", {"session": {"type": "transcription", "tools": []}}, "session.tools"),
    ],
)
async def test_what_such_a_session_refuses(kind: str, fields: dict[str, Any], param: str) -> None:
    async with fake_call(config=SESSION) as it:
        it.tell(kind, **fields)
        assert (await it.expect("error"))["error"]["param"] == param


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_keys_for_it(provider: Provider) -> None:
    no_transcriber = {"input": {"transcription": {"model": "gpt-realtime"}}}
    async with serving(provider) as server:
        url = f"{server.realtime}/client_secrets"
        headers = {"api-key": "standard", "Authorization": "Bearer standard"}
        for session, status in (
            (SESSION, 200),
            ({"type": "transcription"}, 400),
            ({"type": "transcription", "audio": no_transcriber}, 404),
            ({**SESSION, "instructions": "x"}, 400),
        ):
            async with server.http.post(url, json={"session": session}, headers=headers) as reply:
                assert reply.status == status
                if status == 200:
                    secret = await reply.json()
        ClientSecretCreateResponse.model_validate(secret, strict=True)
        assert secret["session"]["type"] == "transcription"
