"""The function app as a web application."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web
from azure.functions.meta import Datum

from local.common import server
from local.host.config import ConfigError, HostConfig, read_host_json, read_local_settings
from local.host.http_adapter import to_datum, to_response
from local.host.indexing import IndexedFunction, index
from local.host.invocation import Invoker, thread_count
from local.host.loading import load
from local.host.queue_trigger import QueueListener
from local.host.routing import Router
from shared.credentials.identity import identity
from shared.storage.factory import CONNECTION, open_storage_from_env
from shared.storage.interfaces import Storage

log = logging.getLogger("host")

LARGEST_BODY = 100 * 1024 * 1024


HOST_VERSION = "4.0.0"


class FunctionHost:
    """The functions of one app, behind HTTP and queues. `storage` is where its queues are."""

    def __init__(
        self,
        functions: Sequence[IndexedFunction],
        config: HostConfig,
        storage: Storage,
        *,
        threads: int,
        folder: str = "",
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._router = Router(function.route for function in functions if function.route)
        self._config = config
        self._storage = storage
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._invoker = Invoker(self._threads, timeout=config.function_timeout, folder=folder)
        self._started = time.monotonic()

    def make_app(self) -> web.Application:
        """An aiohttp application; its queues are listened to while it runs."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_get("/", self._home)
        app.router.add_get("/admin/functions", self._list)
        app.router.add_get("/admin/host/status", self._status)
        app.router.add_route("*", "/{path:(?s:.*)}", self._answer)
        app.cleanup_ctx.append(self._listening)
        for one, other in self._router.overlapping():
            log.warning(
                "routes %s and %s overlap; in Azure nothing says which of them answers",
                one.template.text,
                other.template.text,
            )
        return app

    async def _listening(self, _: web.Application) -> AsyncIterator[None]:
        listeners = [
            asyncio.create_task(self._listener(function).listen(), name=function.name)
            for function in self._functions.values()
            if function.queue
        ]
        yield
        for task in listeners:
            task.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _listener(self, function: IndexedFunction) -> QueueListener:
        async def run(message: Datum, metadata: dict[str, Datum]) -> None:
            result = await self._invoker.call(function, message, metadata)
            await self._send(result.messages)
            log.info("queue %s: %s done", function.queue, function.name)

        assert function.queue is not None
        return QueueListener(self._storage, function.queue, run, self._config.queues)

    async def _answer(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        response = await self._invoke(request)
        took = (time.monotonic() - started) * 1000
        path = server.shown_path(request.path)
        log.info("%s %s %d %.0f ms", request.method, path, response.status, took)
        return response

    async def _invoke(self, request: web.Request) -> web.Response:
        match = self._router.find(request.method, request.raw_path.partition("?")[0])
        if match is None:
            return web.Response(status=404)
        trigger = await to_datum(request, match.parameters)
        trace_parent = request.headers.get("traceparent", "")
        try:
            result = await self._invoker.call(
                self._functions[match.function], trigger, {}, trace_parent
            )
            await self._send(result.messages)
            return (
                web.Response(status=204)
                if result.returned is None
                else to_response(result.returned)
            )
        except Exception:
            log.exception("function %s failed", match.function)
            return web.Response(status=500)

    async def _send(self, messages: Sequence[tuple[str, str]]) -> None:
        for queue, text in messages:
            await asyncio.to_thread(self._storage.queue(queue).send, text)

    async def _home(self, request: web.Request) -> web.Response:
        if self._router.find(request.method, "/"):
            return await self._answer(request)
        return web.Response(text="The function host is running.\n")

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(
            [
                {"name": f.name, "language": "python", "config": {"bindings": _plain(f.bindings)}}
                for f in self._functions.values()
            ]
        )

    async def _status(self, _: web.Request) -> web.Response:
        uptime = int((time.monotonic() - self._started) * 1000)
        return web.json_response(
            {"id": "local", "state": "Running", "version": HOST_VERSION, "processUptime": uptime}
        )


def _plain(value: Any) -> Any:
    """Enumerations as their names, the rest as JSON can hold it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def open_app(folder: Path, environment: Mapping[str, str] = os.environ) -> FunctionHost:
    """The app in `folder`, ready to serve. Raises ConfigError and IndexingError."""
    config = read_host_json(folder / "host.json")
    try:
        threads = thread_count(environment)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    functions = index(load(folder), route_prefix=config.route_prefix)
    storage = open_storage_from_env(environment, lambda: identity(environment, CONNECTION))
    return FunctionHost(functions, config, storage, threads=threads, folder=str(folder))


def apply_local_settings(folder: Path) -> None:
    """Puts the Values of local.settings.json below the environment. Raises ConfigError."""
    for name, value in read_local_settings(folder / "local.settings.json").items():
        os.environ.setdefault(name, value)
