"""The sideband: who may attach, what it receives, how it ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from realtime_emulator.protocol.ids import Provider
from tests.support.emulator_server import Server, serving, valid
from tests.support.patience import PATIENCE

BEARER = {"Authorization": "Bearer standard"}


async def expect(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while True:
        event = valid(await socket.receive_json(timeout=PATIENCE))
        if event["type"] == kind:
            return event


async def refused(server: Server, query: str, headers: dict[str, str] = BEARER) -> int:
    with pytest.raises(WSServerHandshakeError) as refusal:
        await server.http.ws_connect(f"{server.realtime}{query}", headers=headers)
    return refusal.value.status


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_who_may_attach(provider: Provider) -> None:
    async with serving(provider) as server:
        call_id = await server.call()
        here = f"?call_id={call_id}"
        assert await refused(server, here, {}) == 401
        key = await server.mint()
        assert await refused(server, here, {"Authorization": f"Bearer {key}"}) == 401
        assert await refused(server, "?call_id=rtc_unknown") == 404
        assert await refused(server, "?model=gpt-realtime") == 400
        async with server.http.ws_connect(f"{server.realtime}{here}", headers=BEARER):
            pass
        state = await server.state()
        assert state["requests"]["sideband"] == 5


async def test_all_observers_and_the_browser_see_the_same_conversation() -> None:
    async with serving() as server:
        call_id = await server.call(query="?webrtcfilter=on")
        url = f"{server.realtime}?call_id={call_id}"
        peer = server.fakes.peers[0]
        peer.open()
        async with (
            server.http.ws_connect(url, headers={"api-key": "k"}) as one,
            server.http.ws_connect(url, headers=BEARER) as two,
        ):
            update = {"type": "realtime", "output_modalities": ["text"]}
            await one.send_json({"type": "session.update", "session": update})
            first = valid(await one.receive_json(timeout=PATIENCE))
            assert first["type"] == "session.updated", "nothing comes before it"
            assert first["session"]["expires_at"] == int(server.fakes.now) + 3600
            await expect(two, "session.updated")
            peer.callbacks["on_message"](json.dumps({"type": "response.create"}))
            assert await expect(one, "response.done") == await expect(two, "response.done")
        kinds = {event["type"] for event in peer.events}
        assert "response.output_text.done" in kinds
        assert "response.done" not in kinds
        (call,) = (await server.state())["calls"]
        assert call["events"]["response.done"] == 1
        assert call["client_events"] == {"session.update": 1, "response.create": 1}


async def closed(socket: ClientWebSocketResponse) -> tuple[list[str], int | None]:
    kinds = []
    while (message := await socket.receive(timeout=PATIENCE)).type is WSMsgType.TEXT:
        kinds.append(valid(json.loads(message.data))["type"])
    return kinds, socket.close_code


async def test_hanging_up_closes_it_cleanly() -> None:
    async with serving() as server:
        call_id = await server.call()
        url = f"{server.realtime}?call_id={call_id}"
        async with server.http.ws_connect(url, headers=BEARER) as socket:
            hangup = f"{server.realtime}/calls/{call_id}/hangup"
            async with server.http.post(hangup, headers=BEARER):
                pass
            assert await closed(socket) == ([], 1000)
        assert await refused(server, f"?call_id={call_id}") == 404


async def test_the_browser_leaving_closes_it_cleanly() -> None:
    async with serving() as server:
        url = f"{server.realtime}?call_id={await server.call()}"
        async with server.http.ws_connect(url, headers=BEARER) as socket:
            server.fakes.peers[0].callbacks["on_close"]()
            assert await closed(socket) == ([], 1000)


async def test_a_session_ends_when_its_time_is_up() -> None:
    async with serving(session_seconds=60) as server:
        url = f"{server.realtime}?call_id={await server.call()}"
        async with server.http.ws_connect(url, headers=BEARER) as socket:
            server.fakes.now += 60
            server.fakes.peers[0].open()
            error = valid(await socket.receive_json(timeout=PATIENCE))["error"]
            assert error["code"] == "session_expired"
            assert await closed(socket) == ([], 1001)
        assert server.fakes.peers[0].closed
        assert server.fakes.peers[0].events[-1]["type"] == "error"


async def test_a_call_that_nobody_connects_to_is_swept() -> None:
    async with serving(connect_seconds=1) as server:
        url = f"{server.realtime}?call_id={await server.call()}"
        async with server.http.ws_connect(url, headers=BEARER) as socket:
            assert await closed(socket) == ([], 1000)
        (call,) = (await server.state())["calls"]
        assert (call["live"], call["ended"]) == (False, "nobody connected")


@pytest.mark.parametrize(("hard", "code"), [(False, 1000), (True, 1006)])
async def test_losing_the_sideband_leaves_the_call(hard: bool, code: int) -> None:
    fault = {"drop_after_seconds": 0, "reset": hard, "times": 1}
    async with serving(faults={"sideband": [fault]}) as server:
        url = f"{server.realtime}?call_id={await server.call()}"
        async with server.http.ws_connect(url, headers=BEARER) as socket:
            assert await closed(socket) == ([], code)
        async with server.http.ws_connect(url, headers=BEARER) as socket:
            await socket.send_json({"type": "input_audio_buffer.clear"})
            await expect(socket, "input_audio_buffer.cleared")
            assert (await server.state())["live_calls"] == 1


async def test_shutting_down_leaves_nothing_open() -> None:
    async with serving() as server:
        url = f"{server.realtime}?call_id={await server.call()}"
        socket = await server.http.ws_connect(url, headers=BEARER)
        waiting = asyncio.create_task(closed(socket))
        peer = server.fakes.peers[0]
    await waiting
    assert peer.closed


async def test_a_sideband_that_is_refused_on_demand() -> None:
    async with serving(faults={"sideband": [{"status": 503, "times": 1}]}) as server:
        here = f"?call_id={await server.call()}"
        assert await refused(server, here) == 503
        async with server.http.ws_connect(f"{server.realtime}{here}", headers=BEARER):
            pass
        assert (await server.state())["answers"]["sideband"] == {"503": 1, "101": 1}
