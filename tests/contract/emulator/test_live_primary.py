"""GPT-Live on a primary WebSocket, and forks of what was stored."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from tests.contract.emulator.live_harness import (
    BACKEND,
    BEARER,
    QUICK,
    Socket,
    attached,
    body,
    create,
    post,
)
from tests.support.emulator_server import Server, serving

SECOND = base64.b64encode(bytes(48_000)).decode()
FORMAT = {"type": "audio/pcm", "rate": 24_000}
SOON = timedelta(seconds=0.05)


@asynccontextmanager
async def primary(server: Server, path: str = "", **session: Any) -> AsyncIterator[Socket]:
    """A primary connection that has sent its `session.start`."""
    url = f"{server.live}/sessions{path}"
    async with server.http.ws_connect(url, headers=BEARER, max_msg_size=0) as connection:
        socket = Socket(connection)
        await socket.tell("session.start", session=session, event_id="start")
        yield socket


async def test_a_session_from_start_to_close() -> None:
    async with (
        serving("openai", live=QUICK) as server,
        primary(server, model="gpt-live-1", audio={"format": FORMAT}) as socket,
    ):
        started = await socket.next()
        assert (started["type"], started["client_event_id"]) == ("session.started", "start")
        assert started["session"]["audio"] == {"output": {"voice": "marin"}, "format": FORMAT}
        media = server.fakes.live.made[0]
        assert media.format is not None
        await socket.tell("session.input_audio.append", audio=SECOND)
        await socket.tell("session.input_audio.append", audio="AA==", event_id="odd")
        await socket.tell("session.input_audio.append", audio="")
        odd, empty = await socket.expect("error"), await socket.expect("error")
        assert odd["error"] == {
            "type": "invalid_request_error",
            "code": "invalid_audio",
            "message": "PCM16 audio must contain an even number of bytes",
            "param": "audio",
            "client_event_id": "odd",
        }
        assert empty["error"]["code"] == "invalid_audio"
        assert media.position_ms == 1000
        media.events.output_audio(bytes(4800), 0, 100)
        await socket.tell("session.close")
        closed = await socket.expect("session.closed")
        assert (closed["reason"], closed["usage"]) == ("close_requested", {"seconds": 15.0})
        assert socket.audio == [
            {"type": "session.output_audio.delta", "delta": base64.b64encode(bytes(4800)).decode()}
        ]
        assert await socket.until_closed() == 1000
        assert (await server.state())["live_sessions"] == 0


async def test_appends_wait_for_audio() -> None:
    async with (
        serving("openai", live={**QUICK, "append_seconds": 0.7}) as server,
        primary(server, model="gpt-live-1") as socket,
    ):
        await socket.expect("session.started")
        await socket.tell("session.thinking.append", content="x", delegation_id=None)
        await socket.tell("session.update", session={})
        await socket.expect("session.updated")
        assert "session.thinking.appended" not in socket.kinds()
        await socket.tell("session.input_audio.append", audio=SECOND)
        appended = await socket.expect("session.thinking.appended")
        assert (appended["start_ms"], appended["end_ms"]) == (1000, 1200)


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "session.update", "session": {}}, "invalid_event"),
        ({"type": "session.start"}, "missing_required_parameter"),
        ({"type": "session.start", "session": {}}, "missing_required_parameter"),
        ({"type": "session.start", "session": {"model": "m"}}, "model_not_found"),
        ({"type": "session.start", "session": {"model": "gpt-live-1", "odd": 1}},
         "unknown_parameter"),
        ({"type": "session.start", "session": {"model": "gpt-live-1", "idle_timeout_s": 9}},
         "unknown_parameter"),
        ({"type": "session.start", "session": {
            "model": "gpt-live-1", "audio": {"format": {"type": "audio/pcm", "rate": 8000}}}},
         "invalid_value"),
        ({"type": "session.start", "session": {
            "model": "gpt-live-1", "instructions": "word " * 16_385}}, "invalid_value"),
    ],
)  # fmt: skip
async def test_a_start_that_is_refused(
    first: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_emulator.live.live_sockets.DROP_AFTER", SOON)
    async with serving("openai") as server:
        async with server.http.ws_connect(f"{server.live}/sessions", headers=BEARER) as connection:
            await connection.send_json(first)
            socket = Socket(connection)
            assert (await socket.next())["error"]["code"] == code
            assert await socket.until_closed() == 1006
        state = await server.state()
        assert (state["live_sessions"], state["started_sessions"]) == (0, 0)


async def test_a_connection_that_asks_for_nothing_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_emulator.live.live_sockets.START_WITHIN", SOON)
    async with (
        serving("openai") as server,
        server.http.ws_connect(f"{server.live}/sessions", headers=BEARER) as connection,
    ):
        assert await Socket(connection).until_closed() == 1000
        assert (await server.state())["started_sessions"] == 0


async def test_a_start_without_credit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_emulator.live.live_sockets.DROP_AFTER", SOON)
    async with (
        serving("openai", live={"has_credit": False}) as server,
        primary(server, model="gpt-live-1") as socket,
    ):
        assert (await socket.next())["error"]["code"] == "credit_balance_exhausted"


async def test_a_connection_that_goes_is_the_end() -> None:
    async with serving("openai", live=QUICK) as server:
        async with primary(server, model="gpt-live-1") as socket:
            session_id = (await socket.next())["session"]["id"]
            assert (await post(server, f"/{session_id}/hangup"))[0] == 200
            await socket.expect("session.closed")
        async with primary(server, model="gpt-live-1") as socket:
            session_id = (await socket.next())["session"]["id"]
            with pytest.raises(WSServerHandshakeError) as refused:
                async with attached(server, session_id):
                    pass
            assert refused.value.status == 404, "no sideband on a primary WebSocket"
        async with server.http.get(f"{server.root}/emulator") as reply:
            state = await reply.json()
        assert state["live_sessions"] == 0
        assert state["sessions"][0]["ended"] == "connection_lost"


async def test_a_fork_remembers_and_shows_no_history() -> None:
    history = [{"role": "user", "content": [{"type": "input_text", "text": "Hi."}]}]
    async with serving("openai", live=QUICK) as server:
        async with primary(
            server, model="gpt-live-1", store=True, input=history, delegation=BACKEND
        ) as socket:
            old = (await socket.next())["session"]
            assert old["input"] == history
            status, reply = await post(server, f"/{old['id']}/fork", {})
            assert (status, reply["error"]["code"]) == (400, "session_active")
            await socket.tell("session.input_audio.append", audio=SECOND)
            await socket.tell("session.close")
            await socket.until_closed()
        async with primary(server, f"/{old['id']}/fork") as fork:
            new = (await fork.next())["session"]
            assert new["id"] != old["id"]
            assert new["input"] == []
            assert {**new, "id": "", "input": 0, "expires_at": 0} == {
                **old,
                "id": "",
                "input": 0,
                "expires_at": 0,
            }
        change = {"type": "responses", "responses": {"instructions": "Be long."}}
        async with primary(server, f"/{old['id']}/fork", delegation=change, store=False) as fork:
            new = (await fork.next())["session"]
            assert new["delegation"]["responses"]["instructions"] == "Be long."
            assert new["delegation"]["responses"]["model"] == "gpt-5.6-sol"
        transport = {"type": "webrtc", "sdp": "v=0\r\n"}
        lists: dict[str, Any] = {"data_channel": {"allowed_client_events": []}}
        data = {"transport": transport, "session": {"client": lists}}
        status, reply = await post(server, f"/{old['id']}/fork", data)
        assert status == 201, reply
        async with attached(server, reply["session"]["id"]) as sideband:
            assert (await sideband.next())["session"]["client"] == lists


async def test_what_cannot_be_forked() -> None:
    async with serving("openai", live=QUICK) as server:
        session_id = await create(server)
        assert (await post(server, f"/{session_id}/fork", body()))[0] == 404
        await post(server, f"/{session_id}/hangup")
        assert (await post(server, "/live_unknown/fork", body()))[0] == 404
        url = f"{server.live}/sessions/{session_id}/fork"
        with pytest.raises(WSServerHandshakeError) as refused:
            await server.http.ws_connect(url, headers=BEARER)
        assert refused.value.status == 404


async def test_the_recording_of_a_stored_session() -> None:
    async with serving("openai", live=QUICK) as server:
        session_id = await create(server, store=True)
        url = f"{server.live}/sessions/{session_id}/content"
        async with server.http.get(url, headers=BEARER) as reply:
            assert reply.status == 400, "it has not ended"
        media = server.fakes.live.made[0]
        media.events.input_audio(b"\1\0" * 4800)
        media.events.output_audio(b"\2\0" * 4800, 200, 400)
        async with attached(server, session_id) as sideband:
            await post(server, f"/{session_id}/hangup")
            await sideband.until_closed()
        async with server.http.get(url, headers=BEARER) as reply:
            assert reply.status == 200
            with wave.open(io.BytesIO(await reply.read())) as file:
                assert (file.getnchannels(), file.getsampwidth()) == (2, 2)
                assert file.getframerate() == 24_000
                frames = file.readframes(file.getnframes())
        assert frames[: 4 * 4800] == b"\1\0\0\0" * 4800, "left is the caller"
        assert frames[4 * 4800 :] == b"\0\0\2\0" * 4800, "right is the model"
        other = await create(server)
        async with server.http.get(
            f"{server.live}/sessions/{other}/content", headers=BEARER
        ) as reply:
            assert reply.status == 404
