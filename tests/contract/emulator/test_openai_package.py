"""The unmodified `openai` package against the emulator, with a real WebRTC peer as the caller."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from realtime_emulator.caller import Caller
from realtime_emulator.protocol.ids import Provider
from tests.support.emulator_server import Server, serving
from tests.support.patience import PATIENCE
from tests.support.voice import SPEECH, read_wav

WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
RULES = [
    {"words": ["weather"], "call": {"tool": "weather", "arguments": {"city": "London"}}},
    {"words": ["hello"], "say": "Hello!"},
]
SESSION: Any = {
    "type": "realtime",
    "model": "gpt-realtime",
    "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}},
    "tools": [WEATHER],
}


def client(server: Server, key: str = "standard") -> AsyncOpenAI:
    return AsyncOpenAI(base_url=server.base, api_key=key, max_retries=0)


async def collect_until(connection: AsyncRealtimeConnection, kind: str) -> dict[str, Any]:
    """The coming events up to one of this type; of each type the last."""
    seen: dict[str, Any] = {}
    async with asyncio.timeout(PATIENCE):
        async for event in connection:
            seen[event.type] = event
            if event.type == kind:
                return seen
    raise AssertionError(f"closed before {kind}")


async def until(connection: AsyncRealtimeConnection, kind: str) -> Any:
    return (await collect_until(connection, kind))[kind]


async def ask(connection: AsyncRealtimeConnection, text: str) -> Any:
    """The response to a written turn."""
    content: Any = [{"type": "input_text", "text": text}]
    await connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": content}
    )
    await connection.response.create()
    return (await until(connection, "response.done")).response


async def start_call(server: Server, caller: Caller, provider: Provider) -> str:
    """The id of a call made with the package."""
    async with client(server) as standard:
        secret = await standard.realtime.client_secrets.create(
            session=SESSION, expires_after={"anchor": "created_at", "seconds": 60}
        )
    assert secret.value.startswith("ek_")
    offer = await caller.offer()
    key = secret.value if provider == "azure" else "standard"
    extra: Any = {} if provider == "azure" else {"session": SESSION}
    async with client(server, key) as ephemeral:
        reply = await ephemeral.realtime.calls.with_raw_response.create(sdp=offer, **extra)
        await caller.accept(reply.text)
    return str(reply.headers["location"]).rsplit("/", 1)[-1]


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_a_whole_call(provider: Provider) -> None:
    script: dict[str, Any] = {"rules": RULES}
    async with serving(provider, real_media=True, **script) as server, Caller() as caller:
        call_id = await start_call(server, caller, provider)
        async with (
            client(server) as standard,
            standard.realtime.connect(call_id=call_id) as connection,
        ):
            await connection.session.update(
                session={"type": "realtime", "output_modalities": ["text"]}
            )
            updated = await until(connection, "session.updated")
            assert updated.session.output_modalities == ["text"]

            answer = await ask(connection, "hello")
            assert answer.output[0].content[0].text == "Hello!"

            call = (await ask(connection, "what is the weather")).output[0]
            assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "London"})
            await connection.conversation.item.create(
                item={
                    "type": "function_call_output",
                    "call_id": call.call_id,
                    "output": "Fog.",
                }
            )
            await connection.session.update(
                session={"type": "realtime", "output_modalities": ["audio"]}
            )
            await connection.response.create()
            answer = (await until(connection, "response.done")).response
            assert answer.output[0].content[0].transcript == "The tool says: Fog."
            await until(connection, "output_audio_buffer.stopped")

            caller.say(*read_wav(SPEECH / "hello.wav"))
            seen = await collect_until(connection, "output_audio_buffer.stopped")
            heard = seen["conversation.item.input_audio_transcription.completed"]
            assert "hello" in heard.transcript
            answer = seen["response.done"].response
            assert answer.output[0].content[0].transcript == "Hello!"
            assert answer.usage.input_token_details.audio_tokens > 0

            await standard.realtime.calls.hangup(call_id)
            async for event in connection:
                raise AssertionError(f"{event.type} after the end")
            with pytest.raises(openai.NotFoundError):
                await standard.realtime.calls.hangup(call_id)
        assert caller.energy > 0
        assert (await server.state())["live_calls"] == 0


async def test_refusals_are_the_packages_errors() -> None:
    async with serving() as server, client(server) as standard:
        session: Any = {"type": "realtime", "model": "gpt-realtime", "voice": "alloy"}
        with pytest.raises(openai.BadRequestError) as bad:
            await standard.realtime.client_secrets.create(session=session)
        assert (bad.value.code, bad.value.param) == ("unknown_parameter", "session.voice")
        with pytest.raises(openai.AuthenticationError, match="requires ephemeral tokens"):
            await standard.realtime.calls.create(sdp="v=0\r\n")
        await server.change(faults={"client_secrets": [{"status": 429, "retry_after": 1}]})
        with pytest.raises(openai.RateLimitError):
            await standard.realtime.client_secrets.create(session=SESSION)
