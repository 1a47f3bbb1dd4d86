"""A short conversation with an endpoint, through the recorder: what a nightly job records.

A written turn, a function call, a spoken answer and a hang-up over Realtime; the microphone muted
and a close over GPT-Live. It costs a few hundred tokens, or some seconds of a session.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse

from realtime_emulator.caller import Caller
from realtime_emulator.contract import PREFIX
from realtime_emulator.protocol.ids import Provider

SECONDS: Final = 60.0
"""How long each answer is waited for."""
TOOL: Final = {
    "type": "function",
    "name": "get_price",
    "description": "The price of an article.",
    "parameters": {
        "type": "object",
        "properties": {"article": {"type": "string"}},
        "required": ["article"],
    },
}
INSTRUCTIONS: Final = "Answer in two words."
TEXT: Final = {"type": "realtime", "output_modalities": ["text"]}
SPOKEN: Final = {"type": "realtime", "output_modalities": ["audio"]}


class ConversationFailed(Exception):
    """The endpoint did not do its part. The message says which."""


async def converse(url: str, provider: Provider, model: str, *, is_local: bool = False) -> None:
    """Holds it. `url` is the recorder's; `is_local` if the endpoint is on this machine.

    Raises ConversationFailed.
    """
    base = url + PREFIX[provider]
    try:
        async with ClientSession() as http, Caller(is_local=is_local) as caller:
            if "live" in model:
                await converse_live(http, caller, f"{base}/live/sessions", model)
            else:
                await converse_realtime(http, caller, f"{base}/realtime", model, provider)
    except (ClientError, TimeoutError, TypeError, ValueError, KeyError) as error:
        raise ConversationFailed(f"{type(error).__name__}: {error}") from error


async def converse_realtime(
    http: ClientSession, caller: Caller, base: str, model: str, provider: Provider
) -> None:
    session = {"type": "realtime", "model": model, "instructions": INSTRUCTIONS, "tools": [TOOL]}
    wanted = {"session": session, "expires_after": {"anchor": "created_at", "seconds": 60}}
    made = await post(http, f"{base}/client_secrets", 200, json=wanted)
    headers = {"Authorization": f"Bearer {made['value']}", "Content-Type": "application/sdp"}
    query = "?webrtcfilter=on" if provider == "azure" else ""
    offer = await caller.offer()
    async with http.post(f"{base}/calls{query}", data=offer, headers=headers) as reply:
        if reply.status != 201:
            raise ConversationFailed(f"the offer was answered with {reply.status}")
        call_id = reply.headers["Location"].rpartition("/")[2]
        await caller.accept(await reply.text(), SECONDS)
    async with http.ws_connect(f"{base}?call_id={call_id}", max_msg_size=0) as socket:
        await send(socket, "session.update", session=TEXT)
        await expect(socket, "session.updated")
        await ask(socket, "Say hello.")
        called = await ask(socket, "What does the article cost?", tool_choice="required")
        if called["type"] == "function_call":
            output = {"type": "function_call_output", "call_id": called["call_id"]}
            await answer(socket, {**output, "output": '{"price": "ten euros"}'})
        await send(socket, "session.update", session=SPOKEN)
        await expect(socket, "session.updated")
        await ask(socket, "Say goodbye.")
        await expect(socket, "output_audio_buffer.stopped")
    await post(http, f"{base}/calls/{call_id}/hangup", 200)
    await post(http, f"{base}/calls/{call_id}/hangup", 404)


async def converse_live(http: ClientSession, caller: Caller, base: str, model: str) -> None:
    session = {"model": model, "instructions": INSTRUCTIONS}
    transport = {"type": "webrtc", "sdp": await caller.offer()}
    made = await post(http, base, 201, json={"session": session, "transport": transport})
    session_id = made["session"]["id"]
    url = f"{base}/{session_id}/attach?graceful_close=true"
    async with http.ws_connect(url, max_msg_size=0) as socket:
        await caller.accept(made["transport"]["sdp"], SECONDS)
        await expect(socket, "session.started")
        for command in ("mute", "unmute"):
            await send(socket, f"session.input_audio.{command}")
            await expect(socket, f"session.input_audio.{command}d")
        await send(socket, "session.close")
        await expect(socket, "session.closed")
    await post(http, f"{base}/{session_id}/hangup", 404)


async def post(http: ClientSession, url: str, status: int, **body: Any) -> Any:
    """The JSON of the answer. Raises ConversationFailed if it has another status."""
    async with http.post(url, **body) as reply:
        if reply.status != status:
            path = url.partition("/v1/")[2]
            raise ConversationFailed(f"POST {path}: {reply.status}, not {status}")
        with suppress(ValueError, ClientError):
            return await reply.json()
    return None


async def send(socket: ClientWebSocketResponse, kind: str, **fields: Any) -> None:
    await socket.send_json({"type": kind, **fields})


async def expect(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next event of this type. Raises ConversationFailed if an error comes first."""
    async with asyncio.timeout(SECONDS):
        while True:
            event: dict[str, Any] = await socket.receive_json()
            if event["type"] == kind:
                return event
            if event["type"] == "error":
                raise ConversationFailed(f"an error before {kind}: {event['error'].get('code')}")


async def ask(socket: ClientWebSocketResponse, text: str, **options: Any) -> dict[str, Any]:
    """Says something, and returns the item that answers it."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return await answer(socket, item, **options)


async def answer(
    socket: ClientWebSocketResponse, item: dict[str, Any], **options: Any
) -> dict[str, Any]:
    await send(socket, "conversation.item.create", item=item)
    await send(socket, "response.create", **({"response": options} if options else {}))
    response = (await expect(socket, "response.done"))["response"]
    if response["status"] != "completed":
        raise ConversationFailed(f"a response is {response['status']}")
    return dict(response["output"][0])
