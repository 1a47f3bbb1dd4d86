"""A proxy in front of a real endpoint that keeps what passes: HTTP, and the frames of WebSockets.

Media and data channels do not pass it: they run between the page and the endpoint. A sideband shows
what happens in a call all the same.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from pathlib import Path
from typing import Any, Final

from aiohttp import (
    ClientError,
    ClientSession,
    ClientWebSocketResponse,
    WSMessage,
    WSMsgType,
    WSServerHandshakeError,
    web,
)

from realtime_emulator.protocol.ids import Provider
from realtime_emulator.protocol.journal import LEFT_OUT
from realtime_emulator.recordings.format import Kind, Line, Recording
from realtime_emulator.recordings.masking import Masker
from realtime_emulator.recordings.sessions import KnownSessions, route_kind
from realtime_emulator.serving.application import make_application
from realtime_emulator.serving.trusted_hosts import TrustedHosts

logger = logging.getLogger(__name__)
PATHS: Final = re.compile(r"(/openai)?/v1/(realtime|live)(/.*)?")
NOT_PASSED_ON: Final = frozenset(
    {
        *("host", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"),
        *("content-length", "content-encoding", "accept-encoding", "proxy-authorization"),
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"),
        *("sec-websocket-protocol",),
    }
)
LARGEST_BODY: Final = 4 * 1024 * 1024


class Journalist:
    """Writes recordings into a folder, a line as it passes, masked."""

    def __init__(self, folder: Path, provider: Provider, masker: Masker) -> None:
        self.folder, self.provider, self.masker = folder, provider, masker
        self.started = time.monotonic()
        self.count = 0
        self.http: Path | None = None

    def open(self, api: str, kind: Kind, session: Line | None = None) -> Path:
        """A new file with its first line."""
        self.count += 1
        path = self.folder / f"{self.count:03}-{self.provider}-{api}-{kind}.jsonl"
        is_masked = not self.masker.keep_words
        masked = None if session is None else self.masker.mask(session)
        about = Recording("live" if api == "live" else "realtime", kind, self.provider)
        about.is_masked, about.session = is_masked, masked
        self.write(path, about.header())
        return path

    def write(self, path: Path, line: Line) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def now(self) -> float:
        return round(time.monotonic() - self.started, 3)

    def note_exchange(self, api: str, request: Line, response: Line) -> None:
        if self.http is None:
            self.http = self.open(api, "http")
        self.write(
            self.http, {"at": self.now(), "http": {"request": request, "response": response}}
        )

    def note_frame(self, path: Path, direction: str, text: str) -> None:
        try:
            data = json.loads(text)
        except ValueError:
            self.write(path, {"at": self.now(), "dir": direction, "characters": len(text)})
            return
        self.write(path, {"at": self.now(), "dir": direction, "data": self.masker.mask(data)})

    def note_close(self, path: Path, code: int | None) -> None:
        self.write(path, {"at": self.now(), "close": {"code": code}})


class Recorder:
    """The handler of every request. `credential` is added to those that bring none."""

    def __init__(
        self,
        upstream: str,
        provider: Provider,
        journalist: Journalist,
        credential: str | None = None,
        trusted: TrustedHosts | None = None,
    ) -> None:
        self.upstream = upstream.rstrip("/")
        self.provider, self.journalist = provider, journalist
        self.credential = credential
        self.trusted = trusted or TrustedHosts()
        self.sessions = KnownSessions()
        self.http: ClientSession | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if not PATHS.fullmatch(request.path):
            return refuse(404, "Only /v1/realtime and /v1/live are recorded.")
        if self.http is None:
            self.http = ClientSession()
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        relay = self.relay_socket if is_socket else self.relay_request
        try:
            return await relay(request, self.http)
        except ClientError as error:
            logger.warning("no answer from %s: %s", self.upstream, error)
            return refuse(502, "The endpoint cannot be reached.")

    def headers_for(self, request: web.Request) -> dict[str, str]:
        """The request's own, and the recorder's credential where it has none. Not for pages of
        other origins, which could otherwise use it."""
        kept = {n: v for n, v in request.headers.items() if n.lower() not in NOT_PASSED_ON}
        named = {name.lower() for name in kept}
        brings_one = bool(named & {"authorization", "api-key"})
        if self.credential and not brings_one and self.trusted.may_drive(request):
            is_azure = self.provider == "azure"
            name = "api-key" if is_azure else "Authorization"
            kept[name] = self.credential if is_azure else f"Bearer {self.credential}"
        return kept

    async def relay_request(self, request: web.Request, http: ClientSession) -> web.Response:
        body = await request.read()
        async with http.request(
            request.method,
            self.upstream + request.rel_url.raw_path_qs,
            data=body or None,
            headers=self.headers_for(request),
            allow_redirects=False,
        ) as reply:
            content = await reply.read()
            headers = [(n, v) for n, v in reply.headers.items() if n.lower() not in NOT_PASSED_ON]
            response = web.Response(status=reply.status, body=content)
            for name, value in headers:
                if name.lower() == "content-type":
                    response.headers[name] = value
                else:
                    response.headers.add(name, value)
        self.note(request, body, response, content)
        return response

    def note(
        self, request: web.Request, body: bytes, response: web.Response, content: bytes
    ) -> None:
        asked, answered = shown(body), shown(content)
        self.sessions.learn(request, asked, response, answered)
        masker = self.journalist.masker
        bearer = request.headers.get("Authorization", "")
        self.journalist.note_exchange(
            route_kind(request.path)[0],
            {
                "method": request.method,
                "path": masker.mask_path(request.path),
                "query": masker.mask_query(dict(request.query)),
                "headers": masker.mask_headers(dict(request.headers)),
                "with_key": bearer.startswith("Bearer ek_"),
                "body": masker.mask(asked),
            },
            {
                "status": response.status,
                "headers": masker.mask_headers(dict(response.headers)),
                "body": masker.mask(answered),
            },
        )

    async def relay_socket(self, request: web.Request, http: ClientSession) -> web.StreamResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = tuple(name.strip() for name in offered.split(",") if name.strip())
        try:
            upstream = await http.ws_connect(
                "ws" + self.upstream.removeprefix("http") + request.rel_url.raw_path_qs,
                headers=self.headers_for(request),
                protocols=protocols,
                max_msg_size=0,
            )
        except WSServerHandshakeError as refused:
            response = refuse(refused.status, "The endpoint refused the WebSocket.")
            self.note(request, b"", response, LEFT_OUT.encode())
            return response
        named = (upstream.protocol,) if upstream.protocol else ()
        socket = web.WebSocketResponse(protocols=named, max_msg_size=0)
        await socket.prepare(request)
        api, kind = route_kind(request.path, request.query)
        path = self.journalist.open(api, kind, self.sessions.of_socket(request))
        try:
            await self.relay_frames(socket, upstream, path)
        finally:
            await upstream.close()
        return socket

    async def relay_frames(
        self, socket: web.WebSocketResponse, upstream: ClientWebSocketResponse, path: Path
    ) -> None:
        """Until either side closes."""

        async def to_upstream() -> None:
            async for message in socket:
                self.note_message(path, "out", message)
                await (upstream.send_str if is_text(message) else upstream.send_bytes)(message.data)

        async def to_client() -> None:
            async for message in upstream:
                self.note_message(path, "in", message)
                await (socket.send_str if is_text(message) else socket.send_bytes)(message.data)

        both = [asyncio.create_task(to_upstream()), asyncio.create_task(to_client())]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        self.journalist.note_close(path, upstream.close_code or socket.close_code)
        await socket.close(code=upstream.close_code or 1000)

    def note_message(self, path: Path, direction: str, message: WSMessage) -> None:
        if message.type is WSMsgType.TEXT:
            self.journalist.note_frame(path, direction, message.data)

    async def close(self) -> None:
        if self.http is not None:
            await self.http.close()


def is_text(message: WSMessage) -> bool:
    return message.type is WSMsgType.TEXT


def shown(body: bytes) -> Any:
    """JSON as it is; SDP and forms are left out."""
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return LEFT_OUT


def refuse(status: int, reason: str) -> web.Response:
    return web.json_response({"error": {"code": str(status), "message": reason}}, status=status)


def make_recorder(
    upstream: str,
    provider: Provider,
    folder: Path,
    *,
    keep_words: bool = False,
    credential: str | None = None,
    trusted: TrustedHosts | None = None,
) -> web.Application:
    """The proxy as an application. It answers to the names of this machine and to `trusted`."""
    folder.mkdir(parents=True, exist_ok=True)
    journalist = Journalist(folder, provider, Masker(keep_words=keep_words))
    recorder = Recorder(upstream, provider, journalist, credential, trusted)
    app = make_application(refuse, trusted=trusted, client_max_size=LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", recorder.handle)

    async def close(_: web.Application) -> None:
        await recorder.close()

    app.on_cleanup.append(close)
    return app
