"""One GPT-Live session of an emulator in this process, with a sideband, on fake media.

Every event must match the `openai` package's types.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType

from realtime_emulator.live.stand_in_media import StandInLiveMedia
from realtime_emulator.protocol.ids import Provider
from tests.support.emulator_server import Server, serving
from tests.support.live_media import valid
from tests.support.patience import PATIENCE

BEARER = {"Authorization": "Bearer standard"}
AUDIO = ("session.input_audio.append", "session.output_audio.delta")
QUICK: dict[str, Any] = {
    "append_seconds": 0.01,
    "backend_seconds": 0.01,
    "spoken_seconds": 0.01,
    "close_seconds": 0.01,
}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
TIME: dict[str, Any] = {"type": "function", "name": "get_time"}
BACKEND: dict[str, Any] = {
    "type": "responses",
    "responses": {"model": "gpt-5.6-sol", "instructions": "Be brief.", "tools": [WEATHER, TIME]},
}
LOOK_UP = "please look up the weather for me"


def body(**session: Any) -> dict[str, Any]:
    """A create."""
    return {
        "session": {"model": "gpt-live-1", **session},
        "transport": {"type": "webrtc", "sdp": "v=0\r\n"},
    }


async def post(
    server: Server, path: str, data: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """The status and the JSON of a POST."""
    url = f"{server.live}/sessions{path}"
    async with server.http.post(url, json=data, headers=headers or BEARER) as reply:
        text = await reply.text()
        return reply.status, json.loads(text) if text else None


async def create(server: Server, **session: Any) -> str:
    """The id of a new session."""
    status, reply = await post(server, "", body(**session))
    assert status == 201, reply
    return str(reply["session"]["id"])


async def steer(server: Server, session_id: str, path: str, data: Any) -> Any:
    """A request to the control route about one session."""
    url = f"{server.root}/emulator/sessions/{session_id}/{path}"
    async with server.http.post(url, json=data) as reply:
        assert reply.status == 200, await reply.text()
        return await reply.json()


class Socket:
    """A WebSocket and what came on it; audio events are kept apart."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.audio: list[dict[str, Any]] = []

    async def tell(self, kind: str, **fields: Any) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def next(self) -> dict[str, Any]:
        """The next event that is not audio."""
        while True:
            message = await self.socket.receive(timeout=PATIENCE)
            assert message.type is WSMsgType.TEXT, message
            event = valid(json.loads(message.data))
            if event["type"] not in AUDIO:
                self.events.append(event)
                return event
            self.audio.append(event)

    async def expect(self, kind: str) -> dict[str, Any]:
        """The next event of this type; others are skipped."""
        while (event := await self.next())["type"] != kind:
            pass
        return event

    async def nested(self, kind: str) -> dict[str, Any]:
        """The next event of the backend of this type."""
        while True:
            nested: dict[str, Any] = (await self.expect("response.event"))["event"]
            if nested["type"] == kind:
                return nested

    async def until_closed(self) -> int | None:
        """Reads to the end of the connection. Returns its close code."""
        while (message := await self.socket.receive(timeout=PATIENCE)).type is WSMsgType.TEXT:
            self.events.append(valid(json.loads(message.data)))
        return self.socket.close_code

    def kinds(self) -> list[str]:
        """The types so far, those of the backend by their own."""
        return [e["event"]["type"] if "event" in e else e["type"] for e in self.events]


@asynccontextmanager
async def attached(server: Server, session_id: str, query: str = "") -> AsyncIterator[Socket]:
    url = f"{server.live}/sessions/{session_id}/attach{query}"
    async with server.http.ws_connect(url, headers=BEARER, max_msg_size=0) as socket:
        yield Socket(socket)


class Live:
    """A session with a sideband that has seen `session.started`."""

    def __init__(self, server: Server, session_id: str, sideband: Socket) -> None:
        self.server, self.id, self.sideband = server, session_id, sideband

    @property
    def media(self) -> StandInLiveMedia:
        return self.server.fakes.live.made[-1]

    async def hear(self, text: str) -> None:
        """Lets the caller say it."""
        await steer(self.server, self.id, "speech", {"text": text, "at_once": True})

    async def tell(self, kind: str, **fields: Any) -> None:
        await self.sideband.tell(kind, **fields)

    async def expect(self, kind: str) -> dict[str, Any]:
        return await self.sideband.expect(kind)

    async def refusal(self) -> dict[str, Any]:
        """The next error."""
        error: dict[str, Any] = (await self.expect("error"))["error"]
        return error

    async def until_said(self, text: str) -> None:
        """Waits until the model has said it."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.media.spoken:
                self.media.has_said.clear()
                await self.media.has_said.wait()


@asynccontextmanager
async def live_session(
    provider: Provider = "openai",
    *,
    live: dict[str, Any] | None = None,
    script: dict[str, Any] | None = None,
    **session: Any,
) -> AsyncIterator[Live]:
    """A session in progress. `live` and `script` change the script."""
    settings = {**(script or {}), "live": {**QUICK, **(live or {})}}
    async with serving(provider, **settings) as server:
        session_id = await create(server, **session)
        async with attached(server, session_id) as sideband:
            await sideband.expect("session.started")
            yield Live(server, session_id, sideband)
