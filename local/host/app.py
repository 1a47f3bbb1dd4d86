"""The function app as an aiohttp application with queue listeners and timers."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from aiohttp import HttpVersion11, web
from azure.functions.meta import Datum

from local.host.config import HostConfig, HostConfigError, read_host_json, read_local_settings
from local.host.connection import HostConnection
from local.host.http_adapter import (
    BodyTooLarge,
    datum_to_response,
    drop_length,
    frame_body,
    request_to_datum,
)
from local.host.indexing import IndexedFunction, index_functions
from local.host.invocation import Invoker, thread_count
from local.host.loading import load_app
from local.host.queue_trigger import QueueListener
from local.host.reserved_routes import reserved_response
from local.host.routing import Router
from local.host.timer_trigger import run_timer
from realtime_emulator.serving import server
from realtime_emulator.serving.application import MalformedBody, make_application
from realtime_emulator.serving.trusted_hosts import MISDIRECTED, TrustedHosts
from shared.core import stopping
from shared.credentials.identity import open_identity
from shared.storage.factory import (
    CONNECTION,
    is_configured,
    open_storage_from_env,
    with_connection,
)
from shared.storage.interfaces import Storage

logger = logging.getLogger(__name__)

STOPS_WITHIN = timedelta(seconds=10)
POLL = timedelta(milliseconds=100)
"""How often a host that is to stop looks for functions that have begun meanwhile."""
LARGEST_BODY_BYTES = 100 * 1024 * 1024


class FunctionHost:
    """Serves the functions of one app over HTTP and queues. `storage` holds its queues, and
    `others` those of triggers with a connection of their own, by its name."""

    def __init__(
        self,
        functions: Sequence[IndexedFunction],
        config: HostConfig,
        storage: Storage,
        *,
        threads: int,
        folder: str = "",
        others: Mapping[str, Storage] | None = None,
    ) -> None:
        self.others = others or {}
        self.functions = {function.name: function for function in functions}
        self.router = Router(function.route for function in functions if function.route)
        self.config = config
        self.storage = storage
        self.listeners: list[QueueListener] = []
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self.invoker = Invoker(self.threads, timeout=config.function_timeout, folder=folder)

    def make_app(self, trusted: TrustedHosts | None = None) -> web.Application:
        """The aiohttp application. Queue listeners and timers run as long as it does.

        It answers to the names of this machine and to `trusted`.
        """
        app = make_application(
            refuse,
            trusted=replace(trusted or TrustedHosts(), nameless=True),
            connection=HostConnection,
            client_max_size=0,
        )
        app.router.add_route(
            "*", "/{path:(?s:.*)}", self.handle_request, expect_handler=send_continue
        )
        app.on_response_prepare.append(drop_length)
        app.cleanup_ctx.append(self.run_triggers)
        for one, other in self.router.overlapping_routes():
            logger.warning(
                "routes %s and %s overlap; in Azure it is undefined which of them is called",
                one.template.text,
                other.template.text,
            )
        return app

    async def run_triggers(self, _: web.Application) -> AsyncIterator[None]:
        """Runs what starts functions by itself: the queue listeners and the timers."""
        self.listeners = [
            self.queue_listener(function) for function in self.functions.values() if function.queue
        ]
        triggers = [
            asyncio.create_task(listener.listen(), name=listener.name)
            for listener in self.listeners
        ]
        triggers += [
            asyncio.create_task(self.timer(function, function.period), name=function.name)
            for function in self.functions.values()
            if function.period
        ]
        yield
        for task in triggers:
            task.cancel()
        await asyncio.gather(*triggers, return_exceptions=True)
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def drain(self, within: timedelta = STOPS_WITHIN) -> None:
        """As the real host does at a SIGTERM: takes no more messages, and gives the functions that
        run ten seconds (WebJobsScriptHostService.StopAsync), or `within`. Requests are answered
        meanwhile. The app knows, as where its worker gets the signal, too (container/entry.py)."""
        for listener in self.listeners:
            listener.is_draining = True
        stopping.PROCESS.begin()
        give_up_at = time.monotonic() + within.total_seconds()
        while time.monotonic() < give_up_at:
            # Those that are done are still in the set.
            running = [task for each in self.listeners for task in each.running if not task.done()]
            if not running:
                return
            await asyncio.wait(running, timeout=POLL.total_seconds())

    async def timer(self, function: IndexedFunction, period: timedelta) -> None:
        async def run(request: Datum) -> None:
            result = await self.invoker.call_function(function, request, {})
            await self.send_messages(result.messages)

        await run_timer(function.name, period, run)

    def queue_listener(self, function: IndexedFunction) -> QueueListener:
        async def run(message: Datum, metadata: dict[str, Datum]) -> None:
            result = await self.invoker.call_function(function, message, metadata)
            await self.send_messages(result.messages)
            logger.info("queue %s: %s succeeded", function.queue, function.name)

        assert function.queue is not None
        storage = self.others.get(function.connection, self.storage)
        return QueueListener(storage, function.queue, run, self.config.queues)

    async def handle_request(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        response = await self.invoke_route(request)
        if logger.isEnabledFor(logging.INFO):
            took = (time.monotonic() - started) * 1000
            path = server.redact_path(request.path)
            logger.info("%s %s %d %.0f ms", request.method, path, response.status, took)
        return response

    async def invoke_route(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0]
        match = self.router.find_function(request.method, path)
        if match is None:
            return reserved_response(path) or web.Response(status=404)
        trace_parent = request.headers.get("traceparent", "")
        try:
            trigger = await request_to_datum(
                request, match.parameters, largest_body=LARGEST_BODY_BYTES
            )
            result = await self.invoker.call_function(
                self.functions[match.function], trigger, {}, trace_parent
            )
            await self.send_messages(result.messages)
            if result.returned is None:
                return web.Response(status=204)
            return frame_body(request, datum_to_response(result.returned))
        except BodyTooLarge:
            logger.warning("function %s: the body is over 100 MiB", match.function)
            return web.Response(status=500)
        except MalformedBody:
            raise
        except Exception:
            logger.exception("function %s failed", match.function)
            return web.Response(status=500)

    async def send_messages(self, messages: Sequence[tuple[str, str]]) -> None:
        for queue, text in messages:
            await asyncio.to_thread(self.storage.queue(queue).send, text)


def refuse(status: int, reason: str) -> web.Response:
    """Without a body, as the real host does. It answers to any name, so 421 is ours."""
    return web.Response(status=status, text=f"{reason}\n" if status == MISDIRECTED else None)


async def send_continue(request: web.Request) -> None:
    """Asks for a body that the client holds back. Other expectations are ignored."""
    expected = request.headers.get("Expect", "").lower() == "100-continue"
    if expected and request.version >= HttpVersion11 and "Content-Length" in request.headers:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def open_app(folder: Path, environment: Mapping[str, str] = os.environ) -> FunctionHost:
    """Loads the app in `folder`. Raises HostConfigError or IndexingError."""
    config = read_host_json(folder / "host.json", environment)
    try:
        threads = thread_count(environment)
    except ValueError as error:
        raise HostConfigError(str(error)) from None
    functions = index_functions(load_app(folder), route_prefix=config.route_prefix)
    storage = open_storage_from_env(environment, lambda: open_identity(environment, CONNECTION))
    others = open_connections(functions, environment)
    return FunctionHost(
        functions, config, storage, threads=threads, folder=str(folder), others=others
    )


def open_connections(
    functions: Sequence[IndexedFunction], environment: Mapping[str, str]
) -> dict[str, Storage]:
    """The storage behind each connection of a queue trigger but the app's own. Raises
    HostConfigError for one that no setting names."""
    found: dict[str, Storage] = {}
    for function in functions:
        name = function.connection
        if name == CONNECTION or name in found:
            continue
        settings = with_connection(environment, name)
        if not is_configured(settings):
            raise HostConfigError(
                f"function {function.name}: its connection {name!r} names no storage; set "
                f"{name} to a connection string."
            )
        identity = partial(open_identity, settings, CONNECTION)
        found[name] = open_storage_from_env(settings, identity)
    return found


def apply_local_settings(folder: Path) -> None:
    """Sets the `Values` of local.settings.json as environment variables that are not set yet.

    Raises HostConfigError.
    """
    for name, value in read_local_settings(folder / "local.settings.json").items():
        os.environ.setdefault(name, value)
