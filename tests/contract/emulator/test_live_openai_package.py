"""The unmodified `openai` package's `client.live` against the emulator, with real WebRTC."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from realtime_emulator.caller import Caller
from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import BACKEND, LOOK_UP, steer
from tests.support.emulator_server import Server, serving
from tests.support.live_media import valid
from tests.support.patience import PATIENCE

CHUNK = base64.b64encode(bytes(4800)).decode()
QUICK = {"append_seconds": 0.1, "backend_seconds": 0.05, "spoken_seconds": 0.05}


def client(server: Server) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=server.base, api_key="standard", max_retries=0)


async def until(connection: Any, kind: str, nested: str | None = None) -> Any:
    """The next event of this type, every one before it checked against the package's types."""
    async with asyncio.timeout(PATIENCE):
        while True:
            raw = json.loads(await connection.recv_bytes())
            event = connection.parse_event(json.dumps(valid(raw)))
            if event.type == kind and (nested is None or event.event["type"] == nested):
                return event


async def answer_call(connection: Any, output: str) -> Any:
    """Waits for a function call that is complete, and gives it its output."""
    while True:
        event = await until(connection, "response.event", "response.output_item.done")
        if event.event["item"]["type"] == "function_call":
            break
    call = event.event["item"]
    item: Any = {"type": "function_call_output", "call_id": call["call_id"], "output": output}
    await connection.response.item.create(item=item)
    await connection.response.create()
    return call


async def said(connection: Any, text: str) -> None:
    """Waits until the model's transcript has this."""
    spoken = ""
    while text not in spoken:
        spoken += (await until(connection, "session.output_transcript.delta")).delta


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_a_whole_session_over_webrtc(provider: Provider) -> None:
    script: dict[str, Any] = {"live": {**QUICK, "usage_seconds": 0.5}}
    async with (
        serving(provider, real_media=True, **script) as server,
        Caller() as caller,
        client(server) as standard,
    ):
        made = await standard.live.create(
            session={"model": "gpt-live-1", "instructions": "Be kind.", "delegation": BACKEND},  # type: ignore[typeddict-item]
            transport={"type": "webrtc", "sdp": await caller.offer()},
        )
        await caller.accept(made.transport.sdp)
        session_id = made.session.id
        async with standard.live.sideband.connect(session_id=session_id) as sideband:
            started = await until(sideband, "session.started")
            assert started.session.id == session_id
            assert (await caller.expect("session.started"))["session"]["id"] == session_id
            assert (await until(sideband, "session.input_audio.append")).audio
            assert (await until(sideband, "session.output_audio.delta")).end_ms

            await steer(server, session_id, "speech", {"text": LOOK_UP, "at_once": True})
            created = await until(sideband, "session.delegation.created")
            assert created.delegation.target == "responses"
            call = await answer_call(sideband, "14 degrees")
            assert (call["name"], call["arguments"]) == ("get_weather", '{"city":"London"}')
            await said(sideband, "14 degrees")

            await sideband.session.commentary.append(
                content="Tell the user that dinner is ready.", delegation_id=None
            )
            appended = await until(sideband, "session.commentary.appended")
            assert appended.start_ms <= appended.end_ms
            await until(sideband, "session.usage.updated")

            await sideband.session.update(session={})
            assert (await until(sideband, "session.updated")).session.instructions == "Be kind."

            await standard.live.sessions.hangup(session_id)
            closed = await until(sideband, "session.closed")
            assert closed.usage.seconds == 15.0
            assert (await caller.expect("session.closed"))["session"]["id"] == session_id
        with pytest.raises(openai.NotFoundError) as refused:
            await standard.live.sessions.hangup(session_id)
        assert refused.value.code == "session_id_not_found"
        assert (await server.state())["live_sessions"] == 0


async def speak_silence(connection: Any, done: asyncio.Event) -> None:
    """What moves the timeline of a primary WebSocket."""
    while not done.is_set():
        await connection.session.input_audio.append(audio=CHUNK)
        await asyncio.sleep(0.02)


async def test_a_primary_websocket_its_fork_and_its_recording() -> None:
    script: dict[str, Any] = {"live": QUICK}
    async with (
        serving("openai", real_media=True, **script) as server,
        client(server) as standard,
    ):
        async with standard.live.connect() as connection:
            await connection.session.start(session={"model": "gpt-live-1", "store": True})
            started = await until(connection, "session.started")
            done = asyncio.Event()
            silence = asyncio.create_task(speak_silence(connection, done))
            await connection.session.commentary.append(
                content="Tell the user their package arrives on Friday.", delegation_id=None
            )
            await said(connection, "Friday")
            await until(connection, "session.output_audio.delta")
            await steer(server, started.session.id, "speech", {"text": LOOK_UP, "at_once": True})
            created = await until(connection, "session.delegation.created")
            await connection.session.commentary.append(
                content="It rains.", delegation_id=created.delegation.id
            )
            await said(connection, "rains")
            done.set()
            await silence
            await connection.session.close()
            assert (await until(connection, "session.closed")).reason == "close_requested"
        recording = await standard.live.sessions.download_recording(started.session.id)
        with wave.open(io.BytesIO(recording.content)) as file:
            assert file.getnchannels() == 2
            assert any(file.readframes(file.getnframes())), "the model can be heard"
        async with standard.live.forks.connect(session_id=started.session.id) as fork:
            await fork.session.start(session={})
            again = await until(fork, "session.started")
            assert again.session.id != started.session.id
            assert again.session.input == []
            await fork.session.close()
            await until(fork, "session.closed")
        assert (await server.state())["live_sessions"] == 0


async def test_a_fork_over_webrtc() -> None:
    script: dict[str, Any] = {"live": {**QUICK, "close_seconds": 0}}
    async with (
        serving("openai", real_media=True, **script) as server,
        Caller() as first,
        Caller() as second,
        client(server) as standard,
    ):
        made = await standard.live.create(
            session={"model": "gpt-live-1", "store": True},
            transport={"type": "webrtc", "sdp": await first.offer()},
        )
        await standard.live.sessions.hangup(made.session.id)
        fork = await standard.live.sessions.fork(
            made.session.id, transport={"type": "webrtc", "sdp": await second.offer()}
        )
        await second.accept(fork.transport.sdp)
        started = await second.expect("session.started")
        assert started["session"]["id"] == fork.session.id != made.session.id


async def test_what_the_package_is_refused() -> None:
    async with serving("openai", real_media=True) as server, client(server) as standard:
        session: Any = {"model": "gpt-live-1", "voice": "marin"}
        with pytest.raises(openai.BadRequestError) as refused:
            await standard.live.create(
                session=session, transport={"type": "webrtc", "sdp": "v=0\r\n"}
            )
        assert (refused.value.code, refused.value.param) == ("unknown_parameter", "session.voice")
        with pytest.raises(openai.BadRequestError) as refused:
            await standard.live.create(
                session={"model": "gpt-live-1"}, transport={"type": "webrtc", "sdp": "v=0\r\n"}
            )
        assert refused.value.code == "invalid_offer"
        with pytest.raises(openai.NotFoundError):
            await standard.live.sessions.download_recording("live_unknown")
        assert (await server.state())["started_sessions"] == 0
