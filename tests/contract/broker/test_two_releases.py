"""The last release's host and this one's on one storage: each sees, registers and ends the other's
calls."""

from __future__ import annotations

import asyncio
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from tests.support.app_settings import app_settings
from tests.support.azurite import NoAzurite, start_azurite, stop
from tests.support.broker_programs import scripted_endpoint
from tests.support.call_location import call_path
from tests.support.offers import OFFER
from tests.support.patience import PATIENCE
from tests.support.principals import signed_in
from tests.support.programs import ROOT, Program, program
from tests.support.scripted_endpoint import Said, Upstream, answer_reply

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAST_RELEASE = "082bc4d7d8269a97cef3499c901b3bb3e24fbddb"
PARTS = ("function_app.py", "host.json", "shared", "profiles", "local")
CALLS = "/openai/v1/realtime/calls"
POLL_SECONDS = 0.2
OPTIONS = ("--port", "0", "--without-local-settings", "--log", "warning")


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last release's app and local host, from the repository's history."""
    folder = tmp_path_factory.mktemp("last-release")
    archive = folder / "app.zip"
    command = ["git", "archive", "-o", str(archive), LAST_RELEASE, *PARTS]
    try:
        made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not on the PATH")
    if made.returncode:
        pytest.skip(f"commit {LAST_RELEASE[:7]} is not in this clone: {made.stderr.strip()}")
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    return folder


@dataclass
class Releases:
    """A host of each release on one storage, and a caller who talks to both."""

    folders: dict[str, Path]
    environment: dict[str, str]
    session: aiohttp.ClientSession
    endpoint: Upstream
    caller: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, Program] = field(default_factory=dict)
    stacks: dict[str, AsyncExitStack] = field(default_factory=dict)

    def new_call(self) -> str:
        """The id of the next call, which the endpoint can hang up."""
        call_id = f"rtc_{uuid4().hex}"
        self.endpoint.on(CALLS, answer_reply(f"/v1/realtime/calls/{call_id}"))
        self.endpoint.on(f"{CALLS}/{call_id}/hangup", Said(200))
        return call_id

    def hang_ups(self, call_id: str) -> int:
        return self.endpoint.count(f"{CALLS}/{call_id}/hangup")

    async def ask(
        self, release: str, method: str, path: str, **request: object
    ) -> tuple[int, dict[str, str]]:
        """The status and the headers of an answer; of a 200, the body's members too."""
        headers = {**self.caller, "Content-Type": "application/sdp"}
        if "json" in request:
            del headers["Content-Type"]
        url = self.hosts[release].url + path
        async with self.session.request(method, url, headers=headers, **request) as answer:  # type: ignore[arg-type]
            body = await answer.json() if answer.status == 200 else {}
            return answer.status, {**answer.headers, **body, "path": call_path(answer)}

    async def connect(self, release: str) -> tuple[int, str]:
        status, answer = await self.ask(release, "POST", "/api/connect", data=OFFER)
        return status, answer["path"]

    async def get_key(self, release: str) -> int:
        return (await self.ask(release, "POST", "/api/token"))[0]

    async def register(self, release: str, call_id: str) -> tuple[int, str]:
        status, answer = await self.ask(release, "POST", "/api/calls", json={"call_id": call_id})
        return status, answer["path"]

    async def hang_up(self, release: str, place: str) -> int:
        return (await self.ask(release, "POST", place + "/hangup"))[0]

    async def state(self, release: str, place: str) -> tuple[str, str]:
        status, shown = await self.ask(release, "GET", place)
        assert status == 200
        return shown["status"], shown["ended_by"]

    async def end_of(self, release: str, place: str) -> str:
        """Who ended the call, once it is over. The end comes over a queue: there is no event to
        wait for."""
        for _ in range(round(PATIENCE / POLL_SECONDS)):
            status, ended_by = await self.state(release, place)
            if status == "ended":
                return ended_by
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError("the call never ended")

    async def start(self, release: str) -> None:
        folder, stack = self.folders[release], AsyncExitStack()
        environment = {**self.environment, "PYTHONPATH": str(folder)}
        host = program("local.host", *OPTIONS, environment=environment, cwd=folder)
        self.hosts[release] = await stack.enter_async_context(host)
        self.stacks[release] = stack

    async def stop(self, release: str) -> None:
        await self.stacks.pop(release).aclose()


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """A storage of their own: other tests count all live calls of the shared one."""
    try:
        azurite, child = start_azurite()
    except NoAzurite as reason:
        pytest.skip(str(reason))
    yield azurite.connection
    stop(child)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Upstream]:
    with scripted_endpoint() as script:
        yield script


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(last_release: Path, storage: str, endpoint: Upstream) -> AsyncIterator[Releases]:
    environment = app_settings(
        endpoint.url,
        CALLER_AUTH="static-web-apps",
        AzureWebJobsStorage=storage,
        LIMIT_LIVE_CALLS="2",
        LIMIT_LIVE_CALLS_TOTAL="1000",
        LIMIT_CALL_SECONDS="10",
    )
    async with aiohttp.ClientSession() as session:
        releases = Releases({"last": last_release, "this": ROOT}, environment, session, endpoint)
        try:
            yield releases
        finally:
            for release in list(releases.stacks):
                await releases.stop(release)


@pytest_asyncio.fixture(loop_scope="module")
async def releases(running: Releases) -> Releases:
    """Both run, also after a test that has stopped one, and the caller has no calls."""
    for release in running.folders.keys() - running.stacks.keys():
        await running.start(release)
    running.caller = signed_in(f"both-{uuid4().hex}")
    return running


BOTH_WAYS = pytest.mark.parametrize(("first", "second"), [("last", "this"), ("this", "last")])


@BOTH_WAYS
async def test_a_call_that_one_release_started_is_shown_and_hung_up_by_the_other(
    releases: Releases, first: str, second: str
) -> None:
    call_id = releases.new_call()
    status, place = await releases.connect(first)
    assert status == 201
    assert await releases.state(second, place) == ("live", "")
    assert await releases.hang_up(second, place) == 204
    assert releases.hang_ups(call_id) == 1
    assert await releases.state(first, place) == ("ended", "caller")
    for release in (first, second):
        releases.new_call()
        assert (await releases.connect(release))[0] == 201, "the line is free for both"
    assert (await releases.connect(first))[0] == 429


@BOTH_WAYS
async def test_a_key_that_one_release_issued_registers_its_call_with_the_other(
    releases: Releases, first: str, second: str
) -> None:
    assert await releases.get_key(first) == 200
    call_id = releases.new_call()
    status, place = await releases.register(second, call_id)
    assert status == 201
    assert await releases.state(first, place) == ("live", "")
    releases.new_call()
    assert (await releases.connect(second))[0] == 201, "key and call are one line"
    for release in (first, second):
        assert await releases.get_key(release) == 429
    assert await releases.hang_up(first, place) == 204
    assert releases.hang_ups(call_id) == 1


@BOTH_WAYS
async def test_a_call_that_one_release_started_is_ended_at_its_limit_by_the_other(
    releases: Releases, first: str, second: str
) -> None:
    started_id = releases.new_call()
    _, started = await releases.connect(first)
    assert await releases.get_key(second) == 200
    registered_id = releases.new_call()
    _, registered = await releases.register(first, registered_id)
    await releases.stop(first)
    for call_id, place in ((started_id, started), (registered_id, registered)):
        assert await releases.end_of(second, place) == "limit"
        assert releases.hang_ups(call_id) >= 1
