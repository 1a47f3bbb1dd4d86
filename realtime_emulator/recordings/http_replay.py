"""Replays recorded HTTP exchanges to the emulator: the same requests, with its own ids and keys."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

from aiohttp import ClientResponse

from realtime_emulator.protocol.journal import LEFT_OUT
from realtime_emulator.recordings.comparison import Comparison
from realtime_emulator.recordings.format import Line, Recording
from realtime_emulator.recordings.masking import KEPT_HEADERS
from realtime_emulator.recordings.planning import make_script, route_of
from realtime_emulator.recordings.stage import BEARER, OFFER, OnEvent, Stage, staged

OF_THE_MOMENT: Final = frozenset({"location", "cache-control", "retry-after"})
WITH_KEY: Final = "calls"


async def replay_http(recording: Recording, on_event: OnEvent = lambda _: None) -> Comparison:
    """The differences. `on_event` gets every body that the emulator answers with."""
    comparison = Comparison(recording.name, recording.is_masked)
    async with staged(recording.provider, make_script(recording)) as stage:
        player = HttpPlayer(stage, comparison, on_event)
        for exchange in recording.exchanges:
            await player.play(exchange)
    return comparison


class HttpPlayer:
    """Sends the requests of one recording, in their order."""

    def __init__(self, stage: Stage, comparison: Comparison, on_event: OnEvent) -> None:
        self.stage, self.comparison, self.on_event = stage, comparison, on_event
        self.key = "ek_unknown"

    async def play(self, exchange: Line) -> None:
        request, recorded = exchange["request"], exchange["response"]
        where = f"{request['method']} {request['path']}"
        route = route_of(request["method"], request["path"])
        if route is None:
            self.comparison.report(where, "the emulator has no such route")
            return
        is_key_used = route == WITH_KEY and request.get("with_key", True)
        headers = {"Authorization": f"Bearer {self.key}"} if is_key_used else dict(BEARER)
        body, kind = request_body(request)
        headers |= {"Content-Type": kind} if kind else {}
        url = self.stage.url + self.comparison.translate(request["path"])
        if route.endswith("hangup") and recorded["status"] == HTTPStatus.NOT_FOUND:
            await self.end_call(url)
        async with self.stage.http.request(
            request["method"], url, data=body, headers=headers, params=request.get("query") or {}
        ) as reply:
            await self.compare(reply, recorded, f"{request['method']} {route}")

    async def end_call(self, url: str) -> None:
        """What ended the recorded call was not HTTP: its page, or a sideband."""
        async with self.stage.http.post(url, headers=BEARER):
            pass

    async def compare(self, reply: ClientResponse, recorded: Line, where: str) -> None:
        text = await reply.text()
        if reply.status != recorded["status"]:
            self.comparison.report(where, f"{recorded['status']} recorded, {reply.status} emulated")
            return
        for name, value in (recorded.get("headers") or {}).items():
            if name.lower() in KEPT_HEADERS - OF_THE_MOMENT:
                self.compare_header(reply.headers.get(name, ""), value, f"{where}: {name}")
        self.learn_location(reply, recorded)
        ours = parse(text)
        self.on_event({"status": reply.status, "body": ours})
        theirs = recorded.get("body")
        if isinstance(theirs, dict) and isinstance(ours, dict):
            if isinstance(ours.get("value"), str):
                self.key = ours["value"]
                ours, theirs = {**ours, "value": ""}, {**theirs, "value": ""}
            self.comparison.compare(ours, theirs, where, "")
        elif theirs != LEFT_OUT and bool(theirs) != bool(ours):
            self.comparison.report(where, "only one of them has a body")

    def compare_header(self, ours: str, theirs: str, where: str) -> None:
        if where.endswith("content-type"):
            ours, theirs = ours.partition(";")[0], theirs.partition(";")[0]
        if ours.replace(" ", "").lower() != theirs.replace(" ", "").lower():
            self.comparison.report(where, f"{theirs!r} recorded, {ours!r} emulated")

    def learn_location(self, reply: ClientResponse, recorded: Line) -> None:
        """The id of a call, which is in a header only."""
        theirs = (recorded.get("headers") or {}).get("location")
        ours = reply.headers.get("Location")
        if theirs and ours:
            self.comparison.ids[theirs.rpartition("/")[2]] = ours.rpartition("/")[2]


def request_body(request: Line) -> tuple[Any, str | None]:
    """The body to send and its type; an offer in place of the one that was left out."""
    body = request.get("body")
    kind = (request.get("headers") or {}).get("content-type", "application/json")
    if isinstance(body, dict):
        transport = body.get("transport")
        if isinstance(transport, dict):
            body = {**body, "transport": {**transport, "sdp": OFFER}}
        return json.dumps(body), kind
    if body == LEFT_OUT:
        return OFFER, "application/sdp"
    return body, None if body is None else kind


def parse(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
