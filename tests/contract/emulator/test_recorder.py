"""Recording a real endpoint, for which an emulator stands in, and what is done with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, WSServerHandshakeError

from realtime_emulator.__main__ import main
from realtime_emulator.protocol.ids import Provider
from realtime_emulator.recordings.drift import replay
from realtime_emulator.recordings.format import NotARecording, Recording, load
from realtime_emulator.recordings.planning import make_script
from realtime_emulator.recordings.recorder import make_recorder
from realtime_emulator.testing import Emulator
from tests.support.emulator_server import Server, serving
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.programs import program, run, running

KEY = "sk-a-real-key-0123456789"
SECRET_WORDS = ("pineapple", "Ludwigshafen", "Marigold", "confidential")
TOOL = {
    "type": "function",
    "name": "look_up",
    "description": "A confidential register.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
RULES = [
    {"words": ["city"], "call": {"tool": "look_up", "arguments": {"city": "Ludwigshafen"}}},
    {"words": [], "say": "A pineapple, said Marigold."},
]
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "You are Marigold.",
    "output_modalities": ["text"],
    "tools": [TOOL],
}


class Recorded:
    """A recorder in front of an endpoint, and a client of it."""

    def __init__(self, url: str, base: str, folder: Path, server: Server) -> None:
        self.url, self.base, self.folder, self.server = url, base, folder, server
        self.http = server.http

    def recordings(self, part: str) -> list[Recording]:
        return [load(path) for path in sorted(self.folder.glob(f"*{part}*"))]

    def text(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in self.folder.iterdir())

    async def mint(self, **headers: str) -> tuple[int, Any]:
        url = f"{self.base}/realtime/client_secrets"
        async with self.http.post(url, json={"session": SESSION}, headers=headers) as reply:
            return reply.status, await reply.json()

    async def call(self) -> str:
        """The id of a call, made through the recorder."""
        _, made = await self.mint()
        bearer = {"Authorization": f"Bearer {made['value']}", "Content-Type": "application/sdp"}
        url = f"{self.base}/realtime/calls?webrtcfilter=on"
        async with self.http.post(url, data="v=0\r\n", headers=bearer) as reply:
            assert reply.status == 201
            assert reply.headers["Access-Control-Expose-Headers"] == "Location,X-Request-Id"
            call_id = reply.headers["Location"].rpartition("/")[2]
        self.server.fakes.peers[-1].open()
        return call_id

    async def converse(self, call_id: str) -> list[str]:
        """A function is called and answered; the types of what the sideband got."""
        kinds: list[str] = []
        async with self.http.ws_connect(f"{self.base}/realtime?call_id={call_id}") as socket:

            async def answer() -> dict[str, Any]:
                while True:
                    event = await socket.receive_json(timeout=PATIENCE)
                    kinds.append(event["type"])
                    if event["type"] == "response.done":
                        return dict(event["response"]["output"][0])

            content = [{"type": "input_text", "text": "Which city has a pineapple?"}]
            item: dict[str, Any] = {"type": "message", "role": "user", "content": content}
            await socket.send_json({"type": "conversation.item.create", "item": item})
            await socket.send_json({"type": "response.create"})
            called = await answer()
            item = {
                "type": "function_call_output",
                "call_id": called["call_id"],
                "output": '{"owner": "Marigold"}',
            }
            await socket.send_json({"type": "conversation.item.create", "item": item})
            await socket.send_json({"type": "response.create"})
            await answer()
        return kinds

    async def hang_up(self, call_id: str) -> int:
        url = f"{self.base}/realtime/calls/{call_id}/hangup"
        async with self.http.post(url) as reply:
            return reply.status


@asynccontextmanager
async def recorder(
    folder: Path, provider: Provider = "azure", *, keep_words: bool = False, **script: Any
) -> AsyncIterator[Recorded]:
    """The endpoint takes one key only, which the recorder adds."""
    settings = {"credentials": [KEY], "rules": RULES, **script}
    async with serving(provider, **settings) as server:
        app = make_recorder(server.root, provider, folder, keep_words=keep_words, credential=KEY)
        async with running(app) as url:
            prefix = server.base.removeprefix(server.root)
            yield Recorded(url, url + prefix, folder, server)


async def test_a_call_is_kept_without_its_words_and_replayed_with_equal_orders(
    tmp_path: Path,
) -> None:
    async with recorder(tmp_path) as it:
        call_id = await it.call()
        kinds = await it.converse(call_id)
        assert [await it.hang_up(call_id), await it.hang_up(call_id)] == [200, 404]
    kept = it.text()
    for secret in (KEY, "ek_", call_id, *SECRET_WORDS):
        assert secret not in kept, secret
    [sideband] = it.recordings("sideband")
    assert (sideband.api, sideband.provider, sideband.is_masked) == ("realtime", "azure", True)
    assert sideband.session is not None
    assert sideband.session["tools"][0]["name"] == "look_up"
    assert [f["data"]["type"] for f in sideband.frames if f["dir"] == "in"] == kinds
    for recording in (sideband, *it.recordings("http")):
        emulated: list[dict[str, Any]] = []
        comparison = await replay(recording, emulated.append)
        assert [str(difference) for difference in comparison.differences] == []
        if recording is sideband:
            assert folded([event["type"] for event in emulated]) == folded(kinds)


def folded(kinds: list[str]) -> list[str]:
    return [k for i, k in enumerate(kinds) if not k.endswith("delta") or kinds[i - 1 : i] != [k]]


async def test_with_its_words_a_recording_is_a_script_that_says_them(tmp_path: Path) -> None:
    async with recorder(tmp_path, keep_words=True, rules=RULES, tool_result="Marigold.") as it:
        await it.converse(await it.call())
    assert KEY not in it.text()
    script = make_script(it.recordings("sideband")[0])
    assert script["replies"] == [
        {"call": {"tool": "look_up", "arguments": {"city": "Ludwigshafen"}}},
        {"say": "Marigold."},
    ]


async def test_refusals_become_faults(tmp_path: Path) -> None:
    faults = {"client_secrets": [{"status": 429, "retry_after": 7, "times": 1}]}
    async with recorder(tmp_path, faults=faults) as it:
        assert (await it.mint())[0] == 429
        assert (await it.mint())[0] == 200
        with pytest.raises(WSServerHandshakeError):
            await it.http.ws_connect(f"{it.base}/realtime?call_id=rtc_none")
    [recording] = it.recordings("http")
    [fault] = make_script(recording)["faults"]["client_secrets"]
    assert (fault["status"], fault["retry_after"], fault["times"]) == (429, "7", 1)
    assert [e["response"]["status"] for e in recording.exchanges] == [429, 200, 404]
    assert (await replay(recording)).differences == []


async def test_gpt_live_is_kept_too(tmp_path: Path) -> None:
    async with recorder(tmp_path, "openai") as it:
        session = {"model": "gpt-live-1", "instructions": "You are Marigold."}
        body = {"session": session, "transport": {"type": "webrtc", "sdp": "v=0\r\n"}}
        async with it.http.post(f"{it.base}/live/sessions", json=body) as reply:
            assert reply.status == 201
            made = (await reply.json())["session"]["id"]
        url = f"{it.base}/live/sessions/{made}/attach?graceful_close=true"
        async with it.http.ws_connect(url) as socket:
            assert (await socket.receive_json(timeout=PATIENCE))["type"] == "session.started"
            await socket.send_json({"type": "session.input_audio.mute", "event_id": "mine"})
            while (await socket.receive_json(timeout=PATIENCE))["type"] != (
                "session.input_audio.muted"
            ):
                pass
    kept = it.text()
    assert "Marigold" not in kept
    assert made not in kept
    [sideband] = it.recordings("live-sideband")
    assert [str(d) for d in (await replay(sideband)).differences] == []


async def test_it_is_no_open_proxy_and_lends_its_key_to_no_page(tmp_path: Path) -> None:
    async with recorder(tmp_path) as it:
        async with it.http.get(f"{it.url}/emulator") as reply:
            assert reply.status == 404
        async with it.http.get(it.base, headers={"Host": "rebound.example.com"}) as reply:
            assert reply.status == 421
        assert (await it.mint(Origin="https://elsewhere.example.com"))[0] == 401
        assert (await it.mint(**{"api-key": "sk-wrong"}))[0] == 401
        assert (await it.mint())[0] == 200


RECORDING = Path(__file__).parents[2] / "fixtures/realtime/azure-sideband-text-turn.jsonl"


def test_drift_says_what_differs_and_what_was_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", str(RECORDING)]) == 0
    assert capsys.readouterr().out == "1 recordings, 0 differences\n"
    changed = tmp_path / "changed.jsonl"
    text = RECORDING.read_text(encoding="utf-8").replace('"truncation": "auto", ', "")
    changed.write_text(text, encoding="utf-8")
    assert main(["drift", str(RECORDING), str(changed)]) == 1
    said = "session.updated.session.truncation: emulated, not recorded"
    assert capsys.readouterr().out == (f"changed.jsonl: {said}\n2 recordings, 1 differences\n")
    assert main(["drift", "--json", str(changed)]) == 1
    [difference] = json.loads(capsys.readouterr().out)["differences"]
    assert difference["where"] == "session.updated.session.truncation"
    accepted = tmp_path / "accepted.txt"
    accepted.write_text(f"# known\n{said}\nother: gone\n", encoding="utf-8")
    assert main(["drift", "--accept", str(accepted), str(changed)]) == 0
    assert "accepted, and no longer there: other: gone\n" in capsys.readouterr().out


HEADER = {"version": 1, "api": "live", "kind": "sideband", "provider": "openai"}
FORMLESS: list[Any] = [
    {"recording": {"version": 9}},
    {"recording": {"version": 1}},
    {"recording": {**HEADER, "provider": "acme"}},
    {"recording": {**HEADER, "session": "gpt-live-1"}},
    {"recording": "live"},
    {"dir": "in", "data": ["session.started"]},
    {"data": {"type": "session.started"}},
    {"http": "GET /v1/live"},
    [1],
]


@pytest.mark.parametrize("text", ["", "no JSON", *map(json.dumps, FORMLESS)])
def test_a_file_that_is_no_recording_is_one_sentence(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "it.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotARecording):
        load(path)
    with pytest.raises(SystemExit) as left:
        main(["drift", str(path)])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_script_prints_what_replay_serves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["script", str(RECORDING)]) == 0
    script = json.loads(capsys.readouterr().out)
    assert script["replies"] == [{"say": "Hello there!"}]


async def test_replay_serves_what_was_recorded() -> None:
    async with program("realtime_emulator", "replay", str(RECORDING), "--port", "0") as served:
        state = await asyncio.to_thread(lambda: Emulator(served.url).state)
        assert state["provider"] == "azure"
        assert state["script"]["replies"] == [{"say": "Hello there!"}]


async def test_record_is_a_program(tmp_path: Path) -> None:
    async with serving() as server:
        options = ("--upstream", server.root, "--out", str(tmp_path / "kept"), "--port", "0")
        environment = {"A_KEY": KEY}
        async with (
            program(
                "realtime_emulator", "record", *options, "--key-env", "A_KEY",
                environment=environment,
            ) as recording,
            ClientSession() as http,
        ):  # fmt: skip
            url = f"{recording.url}/openai/v1/realtime/client_secrets"
            async with http.post(url, json={"session": SESSION}) as reply:
                assert reply.status == 200
    [kept] = (tmp_path / "kept").iterdir()
    assert kept.name == "001-azure-realtime-http.jsonl"
    assert load(kept).exchanges[0]["response"]["body"]["value"] == "masked"


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.mark.parametrize(
    ("provider", "model"), [("azure", "gpt-realtime"), ("openai", "gpt-live-1")]
)
async def test_one_command_records_a_conversation_and_another_finds_no_drift_in_it(
    provider: str, model: str, tmp_path: Path
) -> None:
    """What a nightly job does, with an emulator for an endpoint."""
    options = ("--provider", provider, "--out", str(tmp_path), "--key-env", "A_KEY")
    async with program("realtime_emulator", "--port", "0", "--provider", provider) as endpoint:
        converse = ("record", "--upstream", endpoint.url, *options, "--converse", model)
        environment = {"A_KEY": KEY}
        code, _, errors = await run("realtime_emulator", *converse, environment=environment)
        assert (code, errors) == (0, "")
    kept = files_in(tmp_path)
    assert [path.name.rpartition("-")[2] for path in kept] == ["http.jsonl", "sideband.jsonl"]
    code, said, _ = await run("realtime_emulator", "drift", *map(str, kept))
    assert (code, said) == (0, "2 recordings, 0 differences\n")


async def test_a_conversation_that_fails_is_one_sentence(tmp_path: Path) -> None:
    async with serving(faults={"client_secrets": [{"status": 503}]}) as server:
        options = ("--upstream", server.root, "--out", str(tmp_path), "--converse", "gpt-realtime")
        code, _, errors = await run("realtime_emulator", "record", *options)
    assert code == 1
    assert errors == "record: the conversation failed: POST realtime/client_secrets: 503, not 200\n"


async def test_an_endpoint_that_is_not_there_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upstream = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with running(make_recorder(upstream, "azure", tmp_path)) as url, ClientSession() as http:
        async with http.post(f"{url}/openai/v1/realtime/client_secrets", json={}) as reply:
            assert reply.status == 502
            assert "cannot be reached" in (await reply.json())["error"]["message"]
        with pytest.raises(WSServerHandshakeError) as refused:
            await http.ws_connect(f"{url}/openai/v1/realtime?call_id=rtc_none")
    assert refused.value.status == 502
    assert caplog.text.count(upstream) == 2
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--upstream", "example.com"), "--upstream"),
        (("--upstream", "https://example.com/openai"), "--upstream"),
        (("--upstream", "https://example.com", "--key-env", "NO_SUCH_KEY"), "NO_SUCH_KEY"),
    ],
)
def test_what_cannot_be_recorded_is_said(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["record", *options]) == 2
    assert said in capsys.readouterr().err
