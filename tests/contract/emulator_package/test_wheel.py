"""The emulator as others install it: its wheel, in an environment without the repository.

Only this file uses that environment: two processes of one run must not fill it at once.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tomllib
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from packaging.requirements import Requirement

from realtime_emulator.caller import Caller
from realtime_emulator.contract import __version__
from tests.support.emulator_package import FOLDER, ROOT, bare_variables, run
from tests.support.patience import PATIENCE
from tests.support.voice import SPEECH, read_wav

PROJECT: dict[str, Any] = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime",
    "audio": {"input": {"transcription": {"model": "gpt-realtime-whisper"}}},
    "tools": [WEATHER],
}
SCRIPT = {
    "rules": [
        {"words": ["hello"], "say": "Hi."},
        {"words": ["weather"], "call": {"tool": "get_weather", "arguments": {"city": "Oslo"}}},
    ]
}


def pins(file: str) -> dict[str, str]:
    lines = (ROOT / file).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", lines, re.M))


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", FOLDER.name],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    ours = {
        name
        for name in listed
        if name.endswith((".py", ".json", "py.typed")) and "/examples/" not in name
    }
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    assert files == ours
    assert "realtime_emulator/script/script.json" in files
    assert "License-Expression: MIT" in text
    assert (FOLDER / "README.md").read_text(encoding="utf-8") in text
    assert (FOLDER / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_its_version_is_that_of_the_contract() -> None:
    spoken = pins("requirements-dev.in")["openai"].rpartition(".")[0]
    assert __version__.rpartition(".")[0] == spoken, "every event is tested against these types"
    assert f"realtime-emulator~={spoken}.0" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_it_asks_for_what_it_is_tested_with() -> None:
    tested = pins("requirements-dev.in")
    wanted = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    for requirement in wanted:
        assert tested[requirement.name] in requirement.specifier, str(requirement)
    (backend,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert tested[backend.name] in backend.specifier


def test_the_container_starts_the_command() -> None:
    lines = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    (entry,) = re.findall(r'ENTRYPOINT \["([^"]+)"\]', lines)
    assert entry in PROJECT["project"]["scripts"]
    assert re.search(r"^USER (?!root)", lines, re.M)


@asynccontextmanager
async def installed(programs: Path, *options: str) -> AsyncIterator[str]:
    """The installed command in another folder, and its URL."""
    process = await asyncio.create_subprocess_exec(
        str(programs / "realtime-emulator"),
        *("--port", "0", "--exit-with-parent", *options),
        cwd=programs,
        env=bare_variables(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("ready "), line
        yield line.split()[1]
    finally:
        process.stdin.close()
        await process.wait()


def test_it_says_what_it_is_and_where_it_comes_from(programs: Path) -> None:
    said = run(str(programs / "realtime-emulator"), "--version")
    assert said.startswith(f"realtime-emulator {__version__}, ")
    recording = ROOT / "tests/fixtures/live/oai-sideband-spoken-turn.jsonl"
    drift = run(str(programs / "realtime-emulator"), "drift", str(recording))
    assert drift == "1 recordings, 0 differences\n"
    found = "import realtime_emulator as e; print(e.__file__)"
    assert str(programs.parent) in run(str(programs / "python"), "-c", found)


async def test_it_hears_and_speaks_and_calls_tools_where_it_is_installed(programs: Path) -> None:
    async with installed(programs) as url, Caller() as caller, ClientSession() as http:
        realtime = f"{url}/openai/v1/realtime"
        secrets = f"{realtime}/client_secrets"
        body = {"session": SESSION}
        async with http.post(secrets, json=body, headers={"api-key": "any"}) as reply:
            key = (await reply.json())["value"]
        bearer = {"Authorization": f"Bearer {key}"}
        offer = await caller.offer()
        async with http.post(f"{realtime}/calls", data=offer, headers=bearer) as reply:
            assert reply.status == 201
            await caller.accept(await reply.text())
        async with http.patch(f"{url}/emulator", json=SCRIPT) as reply:
            assert reply.status == 200
        caller.say(*read_wav(SPEECH / "hello.wav"))
        heard = await caller.expect("conversation.item.input_audio_transcription.completed")
        assert "hello" in heard["transcript"]
        await caller.expect("output_audio_buffer.stopped")
        assert caller.energy > 0
        content = [{"type": "input_text", "text": "What is the weather?"}]
        item = {"type": "message", "role": "user", "content": content}
        caller.send_event({"type": "conversation.item.create", "item": item})
        caller.send_event({"type": "response.create"})
        called = await caller.expect("response.function_call_arguments.done")
        assert json.loads(called["arguments"]) == {"city": "Oslo"}


async def test_gpt_live_answers_where_it_is_installed(programs: Path) -> None:
    headers = {"Authorization": "Bearer any"}
    async with (
        installed(programs, "--provider", "openai") as url,
        ClientSession() as http,
        http.ws_connect(f"{url}/v1/live/sessions", headers=headers) as socket,
    ):
        await socket.send_json({"type": "session.start", "session": {"model": "gpt-live-1"}})
        async with asyncio.timeout(PATIENCE):
            assert (await socket.receive_json())["type"] == "session.started"


def test_pytest_finds_the_plugin_where_it_is_installed(programs: Path, tmp_path: Path) -> None:
    """As in somebody's project: the entry point, and no word about the plugin."""
    test = "def test_it(realtime_emulator):\n    assert realtime_emulator.calls == []\n"
    (tmp_path / "test_it.py").write_text(test, encoding="utf-8")
    options = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert "1 passed" in run(str(programs / "python"), *options, cwd=tmp_path)
