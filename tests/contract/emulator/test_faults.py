"""Odd replies, dripping responses, forgotten connections, and sidebands that misbehave."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientError, ClientSession, WSMsgType, WSServerHandshakeError

from tests.contract.emulator.harness import fake_call
from tests.support.emulator_server import Server, serving
from tests.support.patience import PATIENCE

BEARER = {"Authorization": "Bearer standard"}
MINT = {"session": {"type": "realtime", "model": "gpt-realtime"}}


async def mint(server: Server, http: ClientSession | None = None) -> tuple[int, Any, Any]:
    url = f"{server.realtime}/client_secrets"
    async with (http or server.http).post(url, json=MINT, headers=BEARER) as reply:
        return reply.status, await reply.read(), reply.headers


@pytest.mark.parametrize(
    ("changed", "value"),
    [({"expires_at": 1e30}, 1e30), ({"expires_at": 1}, 1), ({"value": "ek_\r\n"}, "ek_\r\n")],
)
async def test_a_reply_with_other_json(changed: dict[str, Any], value: Any) -> None:
    async with serving(faults={"client_secrets": [{"reply": {"json": changed}}]}) as server:
        status, body, _ = await mint(server)
        reply = json.loads(body)
        assert status == 200
        assert reply[next(iter(changed))] == value
        assert set(reply) == {"value", "expires_at", "session"}


async def test_a_reply_with_another_body_and_other_headers() -> None:
    deep = "[" * 100_000
    reply = {"body": deep, "headers": {"Content-Type": "text/odd", "apim-request-id": None}}
    async with serving() as server:
        await server.change(faults={"client_secrets": [{"reply": reply}]})
        status, body, headers = await mint(server)
        assert (status, body.decode()) == (200, deep)
        assert headers["Content-Type"] == "text/odd"
        assert "apim-request-id" not in headers
        await server.change(faults={"client_secrets": [{"reply": {"body": "\udcff\udc80"}}]})
        assert (await mint(server))[1] == b"\xff\x80", "bytes that are not UTF-8"


async def test_a_call_whose_answer_is_odd_runs() -> None:
    odd = [
        {"reply": {"headers": {"Location": None}}, "times": 1},
        {"reply": {"body": "no SDP"}},
    ]
    async with serving() as server:
        headers = {"Authorization": f"Bearer {await server.mint()}"}
        await server.change(faults={"calls": odd})
        seen = []
        for _ in odd:
            url = f"{server.realtime}/calls"
            async with server.http.post(url, data="v=0\r\n", headers=headers) as reply:
                seen.append((reply.status, "Location" in reply.headers, await reply.text()))
        assert seen[0][:2] == (201, False)
        assert seen[1] == (201, True, "no SDP")
        assert (await server.state())["live_calls"] == 2


async def test_a_refusal_with_another_body() -> None:
    page = {"body": "<h1>404</h1>", "headers": {"Content-Type": "text/html"}}
    faults = [{"status": 404, "reply": page, "times": 1}, {"status": 404, "reply": {"status": 302}}]
    async with serving() as server:
        url = f"{server.realtime}?call_id={await server.call()}"
        await server.change(faults={"sideband": faults})
        for status in (404, 302):
            with pytest.raises(WSServerHandshakeError) as refusal:
                await server.http.ws_connect(url, headers=BEARER)
            assert refusal.value.status == status
        assert (await server.state())["answers"]["sideband"] == {"404": 1, "302": 1}


async def raw_reply(server: Server) -> list[bytes]:
    """The response to a request for a key as it came, in the pieces it came in."""
    parts = urlsplit(server.realtime)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = json.dumps(MINT)
    writer.write(
        f"POST {parts.path}/client_secrets HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"api-key: any\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    pieces = []
    async with asyncio.timeout(PATIENCE):
        while piece := await reader.read(65536):
            pieces.append(piece)
    writer.close()
    return pieces


@pytest.mark.parametrize("part", ["all", "body"])
async def test_a_response_that_drips(part: str) -> None:
    fault = {"drip_seconds": 0.001, "drip": part, "reply": {"body": "drop by drop"}}
    async with serving(faults={"client_secrets": [fault]}) as server:
        pieces = await raw_reply(server)
        head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"drop by drop"
        assert (b"\r\n\r\n" in pieces[0]) == (part == "body")
        status, body, _ = await mint(server)
        assert (status, body) == (200, b"drop by drop"), "the response is valid, only slow"


async def test_a_client_that_gives_up_a_dripping_response() -> None:
    async with serving(faults={"client_secrets": [{"drip_seconds": 0.01}]}) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await mint(server)
        await server.change(faults={"client_secrets": []})
        assert (await mint(server))[0] == 200


@pytest.mark.parametrize("hard", [False, True])
async def test_a_forgotten_connection(hard: bool) -> None:
    fault = {"forget_after_seconds": 0, "reset": hard, "times": 1}
    async with serving(faults={"client_secrets": [fault]}) as server, ClientSession() as http:
        assert (await mint(server, http))[0] == 200
        if hard:
            with pytest.raises((ClientError, ConnectionError)):
                await mint(server, http)
        else:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await mint(server, http)
        state = await server.state()
        assert state["requests"]["client_secrets"] == 1
        assert state["answers"]["client_secrets"] == {"200": 1, "forgotten": 1}
        assert (await mint(server, http))[0] == 200, "a fresh connection works"


async def test_a_connection_that_is_not_idle_for_long_enough_is_remembered() -> None:
    async with serving(faults={"client_secrets": [{"forget_after_seconds": 60}]}) as server:
        assert [(await mint(server))[0] for _ in range(3)] == [200, 200, 200]


async def messages(server: Server, call_id: str) -> tuple[list[str], int | None]:
    """What a new sideband receives, and its close code."""
    url = f"{server.realtime}?call_id={call_id}"
    async with server.http.ws_connect(url, headers=BEARER) as sideband:
        await sideband.send_json({"type": "input_audio_buffer.clear"})
        texts = []
        while (message := await sideband.receive(timeout=PATIENCE)).type is WSMsgType.TEXT:
            texts.append(message.data)
        return texts, sideband.close_code


@pytest.mark.parametrize(
    ("fault", "number", "code"),
    [
        ({"drop_after_seconds": 0, "close_code": 1012, "close_reason": "service restart"}, 0, 1012),
        ({"drop_after_events": 0, "close_code": 1000}, 0, 1000),
        ({"drop_after_events": 1, "close_code": 3000}, 1, 3000),
        ({"drop_after_events": 1, "reset": True}, 1, 1006),
        ({"send": ["odd", "{}"], "drop_after_seconds": 0, "close_code": 1013}, 2, 1013),
    ],
)
async def test_a_sideband_that_closes_again_and_again(
    fault: dict[str, Any], number: int, code: int
) -> None:
    async with serving() as server:
        call_id = await server.call()
        await server.change(faults={"sideband": [fault]})
        for _ in range(2):
            texts, closed_with = await messages(server, call_id)
            assert (len(texts), closed_with) == (number, code)
            assert texts == fault.get("send", texts)
        assert (await server.state())["live_calls"] == 1


async def test_a_sideband_that_falls_silent() -> None:
    async with serving(faults={"sideband": [{"forget_after_seconds": 0}]}) as server:
        url = f"{server.realtime}?call_id={await server.call()}"
        async with server.http.ws_connect(url, headers=BEARER, heartbeat=0.2) as sideband:
            await sideband.send_json({"type": "input_audio_buffer.clear"})
            message = await sideband.receive(timeout=PATIENCE)
            assert message.type is WSMsgType.ERROR, "no event and no pong"
        assert (await server.state())["live_calls"] == 1


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"error","error":"boom"}',
        b'{"type":"conversation.item.added","item":{"id":"' + b"i" * 5_000_000 + b'"}}',
        b'{"type":"response.done","response":{"usage":{"total_tokens":99999999999999999999}}}',
        b'{"type":"x","value":NaN,"name":"\\ud83d"}',
        b"[" * 100_000,
        b"",
    ],
    ids=["not an object", "5 MB", "over 64 bits", "NaN and a surrogate", "deep", "empty"],
)
async def test_any_frame_can_be_injected(frame: bytes) -> None:
    async with serving() as server:
        call_id = await server.call()
        url = f"{server.realtime}?call_id={call_id}"
        there = f"{server.root}/emulator/calls/{call_id}/frames"
        async with server.http.ws_connect(url, headers=BEARER, max_msg_size=0) as sideband:
            async with server.http.post(there, data=io.BytesIO(frame)) as reply:
                assert (reply.status, await reply.json()) == (200, {"observers": 1})
            assert (await sideband.receive_str(timeout=PATIENCE)).encode() == frame
            async with server.http.post(f"{there}?binary", data=b"\x00"):
                pass
            assert await sideband.receive_bytes(timeout=PATIENCE) == b"\x00"


async def test_frames_of_no_call() -> None:
    async with serving() as server:
        there = f"{server.root}/emulator/calls/rtc_none/frames"
        async with server.http.post(there, data=b"{}") as reply:
            assert reply.status == 404


async def test_a_client_event_that_the_script_refuses() -> None:
    refusal = {
        "event": "conversation.item.create",
        "item": "message",
        "code": "some_code",
        "anonymous": True,
        "times": 1,
    }
    async with fake_call(refusals=[refusal]) as call:
        item = {"type": "message", "role": "user", "content": []}
        call.tell("conversation.item.create", item=item, event_id="mine")
        error = (await call.expect("error"))["error"]
        assert (error["code"], error["event_id"]) == ("some_code", None)
        call.tell("input_audio_buffer.clear")
        await call.expect("input_audio_buffer.cleared")
        call.tell("conversation.item.create", item=item, event_id="mine")
        await call.expect("conversation.item.added")


async def test_a_reset_is_an_rst() -> None:
    async with serving(faults={"client_secrets": [{"reset": True}]}) as server:
        parts = urlsplit(server.realtime)

        def post() -> bytes:
            address = (str(parts.hostname), int(parts.port or 0))
            with socket.create_connection(address, timeout=PATIENCE) as connection:
                connection.sendall(
                    f"POST {parts.path}/client_secrets HTTP/1.1\r\nHost: {parts.netloc}\r\n"
                    "Content-Length: 0\r\n\r\n".encode()
                )
                return connection.recv(100)

        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(post)


@pytest.mark.parametrize("depth", [101, 1_000, 100_000])
async def test_client_events_that_are_nested_too_deeply(depth: int) -> None:
    async with fake_call() as call:
        call.call.receive_event('{"type":"session.update","session":' + "[" * depth)
        assert (await call.expect("error"))["error"]["code"] == "invalid_json"
        call.call.receive_event('{"type":"x","y":' + "[" * depth + "]" * depth + "}")
        assert (await call.expect("error"))["error"]["code"] == "invalid_json"
        call.tell("input_audio_buffer.clear")
        await call.expect("input_audio_buffer.cleared")
