"""Calls with real media: speech in, speech out, and interruptions."""

from __future__ import annotations

import asyncio
from typing import Any

from realtime_emulator.caller import Caller
from tests.support.emulator_server import Server, serving, valid
from tests.support.patience import PATIENCE
from tests.support.voice import SPEECH, read_wav

PATIENT = {"turn_detection": {"type": "server_vad", "silence_duration_ms": 400}}
SESSION = {"type": "realtime", "model": "gpt-realtime", "audio": {"input": PATIENT}}


async def connect(server: Server, caller: Caller, query: str = "") -> str:
    key = await server.mint(session=SESSION)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/sdp"}
    url = f"{server.realtime}/calls{query}"
    async with server.http.post(url, data=await caller.offer(), headers=headers) as reply:
        assert reply.status == 201, await reply.text()
        await caller.accept(await reply.text())
        return reply.headers["Location"].rsplit("/", 1)[-1]


async def test_the_caller_interrupts_a_story() -> None:
    script: dict[str, Any] = {
        "rules": [
            {"words": ["story"], "say": "It was a dark night, " * 20},
            {"words": ["hello"], "say": "Hello!"},
        ]
    }
    async with serving(real_media=True, **script) as server, Caller() as caller:
        await connect(server, caller)
        caller.say(*read_wav(SPEECH / "story.wav"))
        await caller.expect("output_audio_buffer.started")
        first = await caller.expect("response.output_audio_transcript.delta")
        caller.say(*read_wav(SPEECH / "hello.wav"))
        await caller.expect("input_audio_buffer.speech_started")
        await caller.expect("output_audio_buffer.cleared")
        cut = await caller.expect("conversation.item.truncated")
        assert cut["item_id"] == first["item_id"]
        assert 0 < cut["audio_end_ms"] < 10_000
        done = await caller.expect("response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        told = await caller.expect("response.output_audio_transcript.done")
        assert told["transcript"] == "Hello!"
        await caller.expect("output_audio_buffer.stopped")
        assert caller.energy > 0
        for event in caller.events:
            valid(event)


async def test_the_page_hangs_up() -> None:
    async with serving(real_media=True) as server, Caller() as caller:
        await connect(server, caller, "?webrtcfilter=on")
        assert caller.events == [], "session.created is withheld"
        url = f"{server.realtime}?call_id={(await server.state())['calls'][0]['id']}"
        async with server.http.ws_connect(url, headers={"api-key": "k"}) as socket:
            await caller.close()
            assert (await socket.receive(timeout=PATIENCE)).data == 1000


async def test_the_service_hangs_up() -> None:
    async with serving(real_media=True) as server, Caller() as caller:
        call_id = await connect(server, caller)
        url = f"{server.realtime}/calls/{call_id}/hangup"
        async with server.http.post(url, headers={"api-key": "k"}) as reply:
            assert reply.status == 200
        async with asyncio.timeout(PATIENCE):
            await caller.closed.wait()
