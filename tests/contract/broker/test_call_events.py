"""The sample app that learns of calls that have ended, beside the broker on one storage account."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from local.host.app import FunctionHost
from local.host.config import HostConfig
from local.host.indexing import index_functions
from local.host.loading import load_app
from shared.calls.queue_messages import call_message
from shared.storage.azure import open_storage
from shared.storage.memory import MemoryStorage
from tests.support.app_settings import app_settings
from tests.support.azurite import Azurite, shared_azurite
from tests.support.call_location import call_path
from tests.support.offers import OFFER
from tests.support.patience import PATIENCE
from tests.support.principals import signed_in
from tests.support.programs import ROOT, Program, program, running
from tests.support.scripted_endpoint import Said, Upstream, answer_reply

CALLS = "/openai/v1/realtime/calls"
SAMPLE = ROOT / "samples" / "call-ended"
AN_HOUR = timedelta(hours=1)
OFTEN = {"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.1"}
"""How often the hosts look at an idle queue."""
OPTIONS = ("--port", "0", "--without-local-settings", "--log", "info")


@asynccontextmanager
async def broker(endpoint: Upstream, connection: str) -> AsyncIterator[Program]:
    settings = app_settings(
        endpoint.url,
        CALLER_AUTH="static-web-apps",
        AzureWebJobsStorage=connection,
        CALL_ENDED_EVENTS="on",
        **OFTEN,
    )
    async with program("local.host", *OPTIONS, environment=settings) as host:
        yield host


@asynccontextmanager
async def sample(azurite: Azurite) -> AsyncIterator[Program]:
    arguments = (*OPTIONS, "--app", str(SAMPLE))
    environment = {"VOICE_STORAGE": azurite.connection, **OFTEN}
    async with program("local.host", *arguments, environment=environment) as host:
        yield host


class Caller:
    """One caller with one call."""

    def __init__(self, endpoint: Upstream, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.headers = {**signed_in(f"told-{uuid4().hex}"), "Content-Type": "application/sdp"}
        call_id = f"rtc_{uuid4().hex}"
        endpoint.on(CALLS, answer_reply(f"/v1/realtime/calls/{call_id}"))
        endpoint.on(f"{CALLS}/{call_id}/hangup", Said(200))

    async def start(self, host: Program) -> tuple[str, str]:
        """The call's path and its id."""
        async with self.session.post(
            f"{host.url}/api/connect", data=OFFER, headers=self.headers
        ) as answer:
            assert answer.status == 201
            place = call_path(answer)
        async with self.session.get(host.url + place, headers=self.headers) as shown:
            return place, (await shown.json())["id"]

    async def hang_up(self, host: Program, place: str) -> None:
        async with self.session.post(host.url + place + "/hangup", headers=self.headers) as answer:
            assert answer.status == 204


async def test_what_the_sample_app_does_not_know_comes_to_the_poison_queue_unchanged() -> None:
    storage = MemoryStorage()
    body = json.dumps({"schema": 2, "call": "of a later release"})
    storage.queue("call-ended").send(body)
    functions, others = index_functions(load_app(SAMPLE)), {"VOICE_STORAGE": storage}
    host = FunctionHost(functions, HostConfig(), MemoryStorage(), threads=1, others=others)
    poison = storage.queue("call-ended-poison")
    async with running(host.make_app()), asyncio.timeout(PATIENCE):
        while True:
            if found := poison.receive(visibility=AN_HOUR):
                break
            await asyncio.sleep(0.01)
    assert [each.body for each in found] == [body]
    assert not storage.queue("call-ended").messages


@asynccontextmanager
async def queues_that_hang(azurite: Azurite, name: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A connection whose queues are Azurite's, but for one that takes requests and never answers.
    The event is set at the first of them."""
    asked = asyncio.Event()
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def relay(request: web.Request) -> web.Response:
            if f"/{name}" in request.path:
                asked.set()
                await asyncio.Event().wait()
            url = f"http://127.0.0.1:{azurite.queue_port}{request.raw_path}"
            body = await request.read()
            async with session.request(
                request.method, url, headers=request.headers, data=body
            ) as answer:
                content = await answer.read()
                headers = answer.headers.copy()
                for each in ("Transfer-Encoding", "Content-Length", "Connection"):
                    headers.pop(each, None)
                return web.Response(status=answer.status, headers=headers, body=content)

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", relay)
        async with running(app) as url:
            direct = f"http://127.0.0.1:{azurite.queue_port}/"
            yield azurite.connection.replace(direct, f"{url}/"), asked


async def test_the_sample_app_learns_of_calls_also_of_a_host_that_is_killed_before_it_tells(
    endpoint: Upstream,
) -> None:
    azurite = shared_azurite()
    async with (
        queues_that_hang(azurite, "call-ended") as (connection, asked),
        aiohttp.ClientSession() as session,
        AsyncExitStack() as stack,
    ):
        listening, host, doomed = await asyncio.gather(
            *map(
                stack.enter_async_context,
                (
                    sample(azurite),
                    broker(endpoint, azurite.connection),
                    broker(endpoint, connection),
                ),
            )
        )
        caller = Caller(endpoint, session)
        place, name = await caller.start(host)
        await caller.hang_up(host, place)
        line = await listening.line_with(name)
        assert f"{name} ended by caller after " in line
        assert "transcript not kept" in line

        caller = Caller(endpoint, session)
        place, name = await caller.start(doomed)
        ending = asyncio.create_task(caller.hang_up(doomed, place))
        await asyncio.wait_for(asked.wait(), PATIENCE)
        doomed.process.kill()
        await doomed.process.wait()
        with pytest.raises(aiohttp.ClientError):
            await ending
        async with session.get(host.url + place, headers=caller.headers) as shown:
            assert (await shown.json())["status"] == "ended"
        assert not any(name in line for line in listening.errors)
        # As the message of its time limit, which is due in a quarter of an hour.
        queue = open_storage(azurite.connection).queue("end-call")
        await asyncio.to_thread(queue.send, call_message(name))
        assert "ended by caller" in await listening.line_with(name)
