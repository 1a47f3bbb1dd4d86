"""Our host with Microsoft's runtime in the place of its own invoker, for tests."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import requests
from azure.functions.meta import Datum

from local.host.app import FunctionHost, open_app
from local.host.indexing import IndexedFunction
from local.host.invocation import Result
from realtime_emulator.serving.trusted_hosts import TrustedHosts
from tests.contract.host import datums
from tests.support.app_settings import app_settings
from tests.support.broker_programs import Running, scripted_endpoint
from tests.support.loop_thread import loop_in_thread
from tests.support.patience import PATIENCE
from tests.support.programs import ROOT, running

SCRIPT = Path(__file__).with_name("microsoft_worker.py")


class FunctionFailed(Exception):
    """What the runtime tells the host of an exception: its `repr`."""


class MicrosoftInvoker:
    """`Invoker` that has the runtime's process call the functions."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ids = itertools.count()
        self.waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def call_function(
        self,
        function: IndexedFunction,
        trigger: Datum,
        metadata: Mapping[str, Datum],
        trace_parent: str = "",
    ) -> Result:
        assert self.process.stdin
        name = f"{next(self.ids)} {trace_parent}"
        self.waiting[name] = asyncio.get_running_loop().create_future()
        asked = {
            "id": name,
            "function": function.name,
            "parameter": function.trigger_parameter,
            "trigger": datums.to_json(trigger),
            "metadata": {key: datums.to_json(value) for key, value in metadata.items()},
        }
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        answer = await asyncio.wait_for(self.waiting[name], PATIENCE)
        if not answer["ok"]:
            raise FunctionFailed(answer["error"])
        return Result(datums.from_json(answer["returned"], Datum), ())

    async def read_answers(self) -> None:
        assert self.process.stdout
        while line := await self.process.stdout.readline():
            answer = json.loads(line)
            self.waiting.pop(answer["id"]).set_result(answer)


@asynccontextmanager
async def microsoft_host(python: str, settings: Mapping[str, str]) -> AsyncIterator[FunctionHost]:
    """A host of the product's app, whose functions run in Microsoft's runtime."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    process = await asyncio.create_subprocess_exec(
        *(python, SCRIPT, str(ROOT)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**environment, **settings},
        limit=2**26,
    )
    assert process.stdin
    assert process.stdout
    host = open_app(ROOT, {})
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    assert json.loads(line)["ready"] == sorted(host.functions)
    invoker = MicrosoftInvoker(process)
    host.invoker = invoker  # type: ignore[assignment]
    reading = asyncio.create_task(invoker.read_answers())
    try:
        yield host
    finally:
        process.stdin.close()
        process.kill()
        await process.wait()
        await reading


@contextmanager
def running_in_microsofts_runtime(
    python: str, names: tuple[str, ...], settings: Mapping[str, str]
) -> Iterator[tuple[Running, FunctionHost, Any]]:
    """As `running_app`, with its host and the loop that it runs on."""
    with (
        scripted_endpoint() as endpoint,
        requests.Session() as session,
        loop_in_thread() as run,
    ):
        session.trust_env = False
        stack = AsyncExitStack()
        chosen = app_settings(endpoint.url, **settings)
        host = run(stack.enter_async_context(microsoft_host(python, chosen)))
        served = host.make_app(TrustedHosts.of(names))
        url = run(stack.enter_async_context(running(served)))
        try:
            yield Running(url, endpoint, session), host, run
        finally:
            run(stack.aclose())
