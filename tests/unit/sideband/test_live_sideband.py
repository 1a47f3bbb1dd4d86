"""The sideband of a Live session over a real socket: where it is, and what a refusal means."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from shared.live.frames import AudioFrame
from shared.live.sideband_contract import LIVE_SIDEBAND, LIVE_SIDEBAND_WITH_AUDIO
from shared.sideband.connector import SidebandConnector
from shared.sideband.contract import SidebandContract
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandUnavailable, Timeouts

SOON = timedelta(seconds=5)
GONE = {"error": {"message": "No session found", "code": "session_id_not_found"}}
SESSION = "live_u1_ETYIzp3oMdsOgToLqu6XD9tADPzN3Caj"


class Endpoint:
    """Answers each handshake with `status` and `body`, and is asked by `connect`."""

    def __init__(self) -> None:
        self.status = 101
        self.body: Any = GONE
        self.headers: dict[str, str] = {}
        self.frames: list[str] = []
        self.asked: list[Request] = []
        self.port = 0

    def answer(self, _: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request)
        if self.status == 101:
            return None
        headers = Headers({**self.headers, "Content-Type": "application/json"})
        body = json.dumps(self.body).encode()
        headers["Content-Length"] = str(len(body))
        return Response(self.status, HTTPStatus(self.status).phrase, headers, body)

    async def send(self, socket: ServerConnection) -> None:
        await socket.recv()
        for frame in self.frames:
            await socket.send(frame)
        await socket.close()

    async def connect(self, contract: SidebandContract = LIVE_SIDEBAND) -> Sideband:
        base, timeouts = f"http://127.0.0.1:{self.port}/openai/v1/live", Timeouts(SOON, SOON, SOON)
        headers = {"api-key": "our-key"}
        return await SidebandConnector(base, lambda: headers, contract, timeouts=timeouts)(SESSION)


@pytest.fixture
async def endpoint() -> Any:
    there = Endpoint()
    async with serve(
        there.send, "127.0.0.1", 0, process_request=there.answer, compression=None
    ) as server:
        there.port = server.sockets[0].getsockname()[1]
        yield there


async def test_a_session_is_attached_to_with_our_key(endpoint: Endpoint) -> None:
    await (await endpoint.connect()).close()
    (request,) = endpoint.asked
    path = f"/openai/v1/live/sessions/{SESSION}/attach?graceful_close=true"
    assert (request.path, request.headers["api-key"]) == (path, "our-key")


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    suffix = LIVE_SIDEBAND.suffix("../../realtime?x=1#")
    assert suffix == "/sessions/..%2F..%2Frealtime%3Fx%3D1%23/attach?graceful_close=true"


async def test_a_session_that_is_over_is_no_such_call(endpoint: Endpoint) -> None:
    endpoint.status = 404
    with pytest.raises(NoSuchCall):
        await endpoint.connect()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"error": {"code": "call_id_not_found"}}),
        (404, {"error": {"code": "404", "message": "Resource not found"}}),
        (404, "not found"),
        (401, {"error": {"code": "invalid_api_key"}}),
        (410, GONE),
        (500, {}),
    ],
)
async def test_another_refusal_says_nothing_of_the_session(
    endpoint: Endpoint, status: int, body: Any
) -> None:
    endpoint.status, endpoint.body = status, body
    with pytest.raises(SidebandUnavailable) as refused:
        await endpoint.connect()
    assert refused.value.status == status


async def test_a_redirect_is_not_followed(endpoint: Endpoint) -> None:
    """Azure answers a key in the wrong header with one that has it in the URL (measured)."""
    endpoint.status, endpoint.headers = 302, {"Location": "/elsewhere?api-key=our-key"}
    with pytest.raises(SidebandUnavailable) as refused:
        await endpoint.connect()
    assert (refused.value.status, refused.value.problem) == (302, "sideband_not_served")
    assert len(endpoint.asked) == 1


def audio(kind: str, name: str, *, spaces: bool) -> str:
    separators = None if spaces else (",", ":")
    return json.dumps({"type": kind, name: "A" * 12_800}, separators=separators)


@pytest.mark.parametrize("spaces", [False, True])
async def test_audio_is_dropped_unless_it_is_recorded(endpoint: Endpoint, spaces: bool) -> None:
    endpoint.frames = [
        audio("session.input_audio.append", "audio", spaces=spaces),
        audio("session.output_audio.delta", "delta", spaces=spaces),
        '{"type":"info","event_id":"e","code":"data_channel_permissions"}',
    ]
    for contract, heard in ((LIVE_SIDEBAND, 0), (LIVE_SIDEBAND_WITH_AUDIO, 2)):
        sideband = await endpoint.connect(contract)
        await sideband.send_event({"type": "session.update", "session": {}})
        async with asyncio.timeout(SOON.total_seconds()):
            found = [await sideband.receive_event() for _ in range(1 + heard)]
        assert [isinstance(each, AudioFrame) for each in found] == [True] * heard + [False]
        await sideband.close()
