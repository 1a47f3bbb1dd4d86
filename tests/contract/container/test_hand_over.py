"""A host gets SIGTERM during twenty observed calls, and another host takes all of them over."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from shared.usage import tokens
from tests.contract.observer.harness import KEY
from tests.support.app_settings import app_settings
from tests.support.azurite import shared_azurite
from tests.support.call_location import call_path
from tests.support.emulator_server import Server, serving
from tests.support.offers import OFFER
from tests.support.patience import PATIENCE
from tests.support.principals import signed_in
from tests.support.programs import ROOT

CALLS = 20
ADMIN = signed_in("the-admin", "admin")
ENTRY = ROOT / "container" / "entry.py"
HOST = (sys.executable, "-m", "local.host", "--port", "0", "--without-local-settings")
QUIET = ("--log", "warning", "--exit-with-parent")
# Ten seconds are enough for a hand-over, but not on a machine that runs other tests as well.
PATIENT = ("--stops-within", str(int(PATIENCE)))
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")


@dataclass
class Host:
    """A host that was started as in the container."""

    process: asyncio.subprocess.Process
    url: str


@asynccontextmanager
async def host_in_container(environment: dict[str, str]) -> AsyncIterator[Host]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, ENTRY, *HOST, *QUIET, *PATIENT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STOP_GRACE_SECONDS": "90", **environment},
        cwd=ROOT,
    )
    assert process.stdin
    assert process.stdout
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
        assert line.startswith("ready "), line
        yield Host(process, line.removeprefix("ready ").strip())
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), PATIENCE)


@dataclass
class Talk:
    """One call, and what is said in it: by a sideband of the test's own."""

    server: Server
    place: str
    call_id: str
    user: str
    socket: ClientWebSocketResponse
    said: list[str] = field(default_factory=list)
    used: tokens.Usage = tokens.ZERO

    async def turn(self) -> None:
        """Says something and waits for the answer."""
        self.said.append(f"line {len(self.said)}")
        content = [{"type": "input_text", "text": self.said[-1]}]
        item = {"type": "message", "role": "user", "content": content}
        await self.socket.send_json({"type": "conversation.item.create", "item": item})
        response = {"output_modalities": ["text"]}
        await self.socket.send_json({"type": "response.create", "response": response})
        while True:
            event: dict[str, Any] = await self.socket.receive_json(timeout=PATIENCE)
            if event["type"] == "response.done":
                self.used += tokens.usage_of_response(event["response"])
                return


async def begin_call(server: Server, host: Host, number: int) -> Talk:
    user = f"stopped-{number}"
    headers = {**signed_in(user), "Content-Type": "application/sdp"}
    url = f"{host.url}/api/connect"
    async with server.http.post(url, data=OFFER, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        place = call_path(answer)
    server.fakes.peers[-1].open()
    call_id = (await server.state())["calls"][-1]["id"]
    socket = await server.http.ws_connect(f"{server.realtime}?call_id={call_id}", headers=KEY)
    return Talk(server, place, call_id, user, socket)


async def fewest_observers(server: Server) -> int:
    """Of any live call, beside the test's own."""
    calls = (await server.state())["calls"]
    return min(int(call["observers"]) - 1 for call in calls if call["live"])


async def until(server: Server, number: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await fewest_observers(server) != number:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def get(server: Server, url: str) -> Any:
    async with server.http.get(url, headers=ADMIN) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_the_calls_of_a_host_that_is_stopped_are_followed_without_a_break() -> None:
    async with serving() as server:
        server.fakes.now = time.time()
        settings = {
            "CALLER_AUTH": "static-web-apps",
            "AzureWebJobsStorage": shared_azurite().connection,
            "OBSERVER": "eager",
            "TRANSCRIPTS": "on",
            "LIMIT_STARTS_PER_MINUTE": "0",
            "AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.200",
        }
        environment = app_settings(server.root, **settings)
        async with host_in_container(environment) as first:
            talks = [await begin_call(server, first, number) for number in range(CALLS)]
            await until(server, 1)
            async with host_in_container(environment) as second:
                await asyncio.gather(*(talk.turn() for talk in talks))
                first.process.send_signal(signal.SIGTERM)
                stopped, fewest = asyncio.create_task(first.process.wait()), 1
                began = asyncio.get_running_loop().time()
                while not stopped.done():
                    await asyncio.gather(*(talk.turn() for talk in talks))
                    await asyncio.sleep(0.8)
                    fewest = min(fewest, await fewest_observers(server))
                took = asyncio.get_running_loop().time() - began
                assert stopped.result() == 0
                assert fewest == 1, "each call has an observer all the time"
                assert took < PATIENCE, "nothing is left to the end"
                await asyncio.gather(*(talk.turn() for talk in talks))
                for talk in talks:
                    url = f"{second.url}{talk.place}/hangup"
                    async with server.http.post(url, headers=signed_in(talk.user)) as answer:
                        assert answer.status == 204
                await check_records(server, second, talks)


def used_up(usage: dict[str, float]) -> dict[str, float]:
    return {name: number for name, number in usage.items() if number}


async def settled(server: Server, host: Host, talks: list[Talk]) -> list[dict[str, Any]]:
    """The calls' records once their observers have counted all of them. A hang-up ends a record
    before its observer has written what came last."""
    while True:
        listed = (await get(server, f"{host.url}/api/calls?limit=100"))["calls"]
        records = sorted(listed, key=lambda one: str(one["started_at"]))[-CALLS:]
        counted = [
            record["status"] == "ended" and used_up(record["usage"]) == used_up(asdict(talk.used))
            for record, talk in zip(records, talks, strict=True)
        ]
        if all(counted):
            return records
        await asyncio.sleep(0.1)


async def whole_transcript(server: Server, host: Host, call: str) -> list[dict[str, Any]]:
    """Its entries, once the observer has written that the call is over."""
    while True:
        whole = await get(server, f"{host.url}/api/calls/{call}/transcript")
        if whole["transcript"]["ended"]:
            return list(whole["transcript"]["entries"])
        await asyncio.sleep(0.1)


async def check_records(server: Server, host: Host, talks: list[Talk]) -> None:
    """Every record has all that was said, each line once, and no gap; and what was used."""
    async with asyncio.timeout(PATIENCE):
        records = await settled(server, host, talks)
        scripts = [await whole_transcript(server, host, record["id"]) for record in records]
    for entries, talk in zip(scripts, talks, strict=True):
        assert [entry["kind"] for entry in entries if entry["kind"] != "message"] == []
        assert [one["text"] for one in entries if one["role"] == "user"] == talk.said
        assert len([one for one in entries if one["role"] == "assistant"]) == len(talk.said)
    for talk in talks:
        await talk.socket.close()
