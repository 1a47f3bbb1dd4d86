"""The emulator's GPT-Live events against recorded ones: the same order, shape and values.

Each recording is played again. What came from its client is sent to the emulator; what came from
the media (audio and words) is put into the session's media; everything else must come from the
emulator by itself, in the recorded order and with the recorded fields.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from realtime_emulator.live.media_interfaces import GRID_MS, SILENT_CHUNK, Fragment, Utterance
from realtime_emulator.live.media_listener import MediaListener
from realtime_emulator.live.session import LiveSession
from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import BEARER, body, post
from tests.support.emulator_server import Server, serving
from tests.support.live_media import FakeLiveMedia, valid
from tests.support.patience import PATIENCE

FIXTURES = Path(__file__).parents[2] / "fixtures" / "live"
RECORDINGS = sorted(FIXTURES.glob("*.jsonl"))
Frame = dict[str, Any]

MEDIA = {
    "session.input_audio.append",
    "session.output_audio.delta",
    "session.input_transcript.delta",
    "session.output_transcript.delta",
}
SAME = {
    *("type", "delta", "start_ms", "end_ms", "target", "reason", "code", "status", "role", "phase"),
    *("sequence_number", "output_index", "content_index", "name", "arguments", "text", "model"),
    *("instructions", "voice", "tools", "tool_choice", "input", "object", "store", "truncation"),
}
"""Fields whose values must be the recorded ones."""
ACCOUNT = {"access_programs", "user"}
"""What belongs to the account that was recorded."""
HEARD = "please delegate"


class Ids:
    """Which of the emulator's ids stands for which recorded one."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def translate(self, text: str) -> str:
        """A frame of the recorded client with the emulator's ids."""
        for theirs, ours in self.known.items():
            text = text.replace(theirs, ours)
        return text

    def check(self, ours: str, theirs: str) -> None:
        assert ours.partition("_")[0] == theirs.partition("_")[0]
        assert self.known.setdefault(theirs, ours) == ours, f"{theirs} is another here"


def compare(ours: Any, theirs: Any, ids: Ids, path: str = "") -> None:
    """The same fields in the same order, the same kinds of values, the same values of `SAME`."""
    name = path.rpartition(".")[2]
    if isinstance(theirs, dict):
        theirs = {key: value for key, value in theirs.items() if key not in ACCOUNT}
        ours = {key: value for key, value in ours.items() if key not in ACCOUNT}
        assert list(ours) == list(theirs), path
        for key, value in theirs.items():
            compare(ours[key], value, ids, f"{path}.{key}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), path
        for one, other in zip(ours, theirs, strict=True):
            compare(one, other, ids, path)
    elif name == "id" or name.endswith("_id"):
        if theirs is not None and path != ".client_event_id" and "(" not in theirs:
            ids.check(ours, theirs)
    elif name in SAME and theirs != "~":
        assert ours == theirs, path
    else:
        assert type(ours) is type(theirs) or {type(ours), type(theirs)} <= {int, float}, path


def read(path: Path) -> list[Frame]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [frame for frame in map(json.loads, lines) if "type" in frame["data"]]


def config_of(frames: list[Frame], *, is_primary: bool) -> Frame:
    """The session that was asked for."""
    resource = next(f["data"]["session"] for f in frames if f["data"]["type"] == "session.started")
    names = ("model", "instructions", "delegation", "client", *(["audio"] if is_primary else []))
    out = {name: resource[name] for name in names if name in resource}
    return {**out, "input": resource["input"]}


def script_of(frames: list[Frame]) -> Frame:
    """A script that delegates as recorded."""
    nested = [f["data"]["event"] for f in frames if f["data"]["type"] == "response.event"]
    done = {event["type"]: event for event in nested}
    task: Frame = {}
    script: Frame = {"text_delta_seconds": 0.1}
    items = [e["item"] for e in nested if e["type"] == "response.output_item.done"]
    for item in items:
        if item["type"] == "function_call":
            arguments = json.loads(item["arguments"])
            task["calls"] = [{"tool": item["name"], "arguments": arguments}]
    if "response.output_text.done" in done:
        script["tool_result"] = done["response.output_text.done"]["text"]
    live = {"close_seconds": 0.01, "backend_seconds": 0.3, "append_seconds": 0.7}
    return {**script, "rules": [{"words": ["delegate"], "delegate": task}], "live": live}


class Player:
    """Plays one recording to one session."""

    def __init__(self, server: Server, socket: Any) -> None:
        self.server, self.socket = server, socket
        self.ids = Ids()
        self.delegating = False

    @property
    def media(self) -> FakeLiveMedia:
        return self.server.fakes.live.made[-1]

    @property
    def session(self) -> LiveSession:
        listener = self.media.events
        assert isinstance(listener, MediaListener)
        assert isinstance(listener.context, LiveSession)
        return listener.context

    async def play(self, frame: Frame) -> None:
        data = frame["data"]
        if frame["dir"] == "out":
            await self.socket.send_str(self.ids.translate(json.dumps(data)))
            return
        if data["type"] in MEDIA:
            self.put_into_media(data)
        else:
            await self.cause(data)
        ours = valid(json.loads((await self.socket.receive(timeout=PATIENCE)).data))
        assert ours["type"] == data["type"], (ours, data)
        compare(ours, data, self.ids)
        if data["type"] == "session.delegation.created":
            self.check_offset(ours["offset_ms"], data["offset_ms"])
        if data["type"] == "session.started":
            self.media.is_silent = True

    def check_offset(self, ours: int, theirs: int) -> None:
        """The last word, as most are. Some came later, once the caller had paused."""
        last = self.session.heard_ms - GRID_MS
        assert ours == last
        assert theirs >= last

    def put_into_media(self, data: Frame) -> None:
        events = self.media.events
        if data["type"] == "session.input_audio.append":
            events.input_audio(SILENT_CHUNK)
        elif data["type"] == "session.output_audio.delta":
            events.output_audio(SILENT_CHUNK, data["start_ms"], data["end_ms"])
        else:
            fragment = Fragment(data["delta"], data["start_ms"], data["end_ms"])
            is_input = data["type"] == "session.input_transcript.delta"
            (events.input_words if is_input else events.output_words)(fragment)

    async def cause(self, data: Frame) -> None:
        """What makes the emulator send this event, where it is not the client."""
        kind = data["type"]
        if kind == "session.delegation.created":
            heard_ms = self.session.heard_ms
            self.media.events.speech_ended(Utterance(HEARD, 0, heard_ms))
        elif kind == "session.commentary.appended":
            self.media.now_ms = data["end_ms"] - 50
        elif kind == "session.usage.updated":
            self.media.now_ms = round(data["usage"]["seconds"] * 1000)
            self.session.meter.report_now()
        elif kind == "session.closed":
            self.media.now_ms = round(data["usage"]["seconds"] * 1000)
            await self.socket.send_json({"type": "session.close"})


@asynccontextmanager
async def player(path: Path, frames: list[Frame]) -> AsyncIterator[Player]:
    """A player on a primary WebSocket or a sideband, whichever was recorded."""
    provider: Provider = "azure" if path.name.startswith("azure") else "openai"
    async with serving(provider, **script_of(frames)) as server:
        is_primary = "-ws-" in path.name
        config = config_of(frames, is_primary=is_primary)
        url = f"{server.live}/sessions"
        if not is_primary:
            status, reply = await post(server, "", body(**config))
            assert status == 201, reply
            url += f"/{reply['session']['id']}/attach"
        async with server.http.ws_connect(url, headers=BEARER, max_msg_size=0) as socket:
            if is_primary and frames[0]["dir"] == "in":
                named = frames[0]["data"].get("client_event_id")
                start = {"type": "session.start", "session": config, "event_id": named}
                await socket.send_json(start)
            yield Player(server, socket)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
async def test_orders_equal_the_recorded_ones(path: Path) -> None:
    frames = read(path)
    async with player(path, frames) as it:
        for frame in frames:
            await it.play(frame)
        created = [f["data"] for f in frames if f["data"]["type"] == "session.delegation.created"]
        assert it.session.counts["session.delegation.created"] == len(created)
        assert it.session.counts["error"] == 0


def test_every_recording_is_played() -> None:
    assert len(RECORDINGS) == 7
    kinds = {frame["data"]["type"] for path in RECORDINGS for frame in read(path)}
    assert {"session.delegation.created", "response.event", "session.closed"} <= kinds


async def test_create_and_hang_up_over_http_as_recorded() -> None:
    path = FIXTURES / "oai-rtc-create-hangup.http.json"
    create, first, second = json.loads(path.read_text(encoding="utf-8"))
    async with serving("openai") as server:
        url = f"{server.live}/sessions"
        data = json.dumps(create["request"]["body"])
        headers = {**BEARER, "Content-Type": "application/json"}
        async with server.http.post(url, data=data, headers=headers) as reply:
            assert reply.status == create["response"]["status"]
            made = json.loads(text := await reply.text())
            assert text == json.dumps(made)
            compare(made, create["response"]["body"], Ids())
            for name in ("access-control-allow-origin", "timing-allow-origin", "content-type"):
                stated = reply.headers[name].partition(";")[0]
                assert stated == create["response"]["headers"][name]
            exposed = "access-control-expose-headers"
            assert reply.headers[exposed] == create["response"]["headers"][exposed]
        assert len(json.dumps(create["response"]["body"])) == 1729, "recorded content-length"
        for recorded in (first, second):
            hangup = f"{url}/{made['session']['id']}/hangup"
            async with server.http.post(hangup, headers=BEARER) as reply:
                assert reply.status == recorded["response"]["status"]
                text = await reply.text()
                assert (json.loads(text) if text else None) == recorded["response"]["body"]
