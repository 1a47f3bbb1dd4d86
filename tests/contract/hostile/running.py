"""The broker in this process, an emulator as a program, and what must hold after a hostile call.

    async with stack.call() as call:            # a page over real WebRTC, observed
        call.caller.send_event({...})
        await call.ordinary_turn()              # is recorded and counted
    # the call is over by now, settled, and nothing of it is left

The function app runs in a thread of its own: what holds its event loop up shows in `/api/health`,
which is asked all the while. Storage is this process's memory.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession

import shared
from local.host.app import open_app
from realtime_emulator.caller import Caller
from shared.api import lazy_broker
from shared.api.lazy_broker import LazyBroker
from shared.broker import Broker
from shared.observer.timing import USUAL_TIMING
from shared.storage import memory
from shared.storage.memory import MemoryStorage
from tests.contract.hostile.page_call import ANSWER, POLL, PageCall, until
from tests.support.app_settings import app_settings
from tests.support.call_location import call_path
from tests.support.emulated import Emulator
from tests.support.loop_thread import Runner, loop_in_thread
from tests.support.patience import PATIENCE
from tests.support.principals import signed_in
from tests.support.programs import program, running

ROOT: Final = Path(__file__).resolve().parents[3]
PRODUCT: Final = str(Path(shared.__file__).parent)
Fault = Mapping[str, Any]
"""A fault of the emulator's script."""
MARK: Final = "hostile0words"
"""In every text that a page or an upstream of these tests makes up, so that no log may have it."""
SCRIPT: Final[dict[str, Any]] = {
    "text_delta_seconds": 0,
    "rules": [{"words": ["ordinary"], "say": ANSWER}],
}
RECORD_BYTES: Final = 3 * 1024 * 1024
"""A page's own share is 1 MiB (docs/recording.md)."""
HEALTH_WITHIN: Final = 5.0
"""Seconds. What held the loop up took half a minute; a busy machine takes one."""
QUICK: Final = replace(
    USUAL_TIMING,
    first_pause=timedelta(milliseconds=20),
    pauses_after_404=(timedelta(milliseconds=20),) * 4,
    write_every=timedelta(milliseconds=20),
)
"""What an observer waits for before it is of any use to a test."""


class KeptLogs(logging.Handler):
    """Everything that this process logs, as text, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@dataclass
class Health:
    """What `/api/health` answered, and the longest time that it took to."""

    statuses: set[int] = field(default_factory=set)
    longest: float = 0.0

    async def watch(self, http: ClientSession, url: str) -> None:
        while True:
            started = time.monotonic()
            async with http.get(f"{url}/api/health") as answer:
                self.statuses.add(answer.status)
            self.longest = max(self.longest, time.monotonic() - started)
            await asyncio.sleep(POLL)


@dataclass
class Stack:
    """The served function app, its parts, and the emulator."""

    url: str
    loop: asyncio.AbstractEventLoop
    storage: MemoryStorage
    emulator: Emulator
    logs: KeptLogs
    users: Iterator[int] = field(default_factory=itertools.count)

    @property
    def http(self) -> ClientSession:
        return self.emulator.http

    @property
    def broker(self) -> Broker:
        return lazy_broker.current_broker()

    @asynccontextmanager
    async def call(self, *, observed: bool = True) -> AsyncIterator[PageCall]:
        """A page's call, `observed` from its start. At its end: hung up, and everything of
        `assert_over`."""
        caller, headers = Caller(), signed_in(f"user-{next(self.users)}")
        async with self.watched():
            try:
                call = await self.start_call(caller, headers)
                if observed:
                    await until(call.is_observed, "observed")
                yield call
                await call.hang_up()
                await self.assert_over(call)
            finally:
                await caller.close()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Meanwhile the broker answers others at once, no function fails, and nothing that is said
        to it is logged; at the end nothing is left that works or waits."""
        health, first_log = Health(), len(self.logs.texts)
        watching = asyncio.create_task(health.watch(self.http, self.url))
        try:
            yield
            await until(lambda: bool(health.statuses), "healthy")
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await until(lambda: not self.work_in_progress(), lambda: f"idle: {self.work_in_progress()}")
        assert health.statuses == {200}
        assert health.longest < HEALTH_WITHIN
        self.assert_quiet(first_log)

    async def start_call(self, caller: Caller, headers: dict[str, str]) -> PageCall:
        dials = (await self.emulator.state())["requests"].get("sideband", 0)
        place = await self.connect(caller, headers)
        who = self.broker.authenticator.authenticate(headers)
        sealed = self.broker.calls.open_handle(place.rpartition("/")[2], who)
        return PageCall(self, caller, headers, place, sealed.call_id, sealed.record_id, dials)

    async def connect(self, caller: Caller, headers: dict[str, str]) -> str:
        """Starts a call; the path that it has at the broker."""
        async with self.http.post(
            f"{self.url}/api/connect",
            data=await caller.offer(),
            headers={**headers, "Content-Type": "application/sdp"},
        ) as answer:
            assert answer.status == 201, await answer.text()
            await caller.accept(await answer.text())
            return call_path(answer)

    async def assert_over(self, call: PageCall) -> None:
        """The call is over upstream and on record, its lease and its line are free, its record is
        of a bounded size, and no message was given up."""
        await until(lambda: call.record.ended_at is not None, "settled")
        await until(lambda: not call.lease_holder, "without a lease")
        assert call.counted.live_calls == 0
        assert call.said - call.left_out <= {entry.text for entry in call.entries}
        assert len(call.log) < RECORD_BYTES
        assert not self.poison_messages(call.name)
        assert not (await call.upstream())["live"]

    def assert_quiet(self, first_log: int) -> None:
        """No function failed, and nothing that was said to it is in the log since then."""
        texts = self.logs.texts[first_log:]
        assert not [text for text in texts if "failed (dequeue count" in text]
        assert not [text for text in texts if MARK in text]

    @contextmanager
    def without_transcripts(self) -> Iterator[None]:
        """As with `TRANSCRIPTS=off`, for calls that begin meanwhile."""
        process, worker = lazy_broker.PROCESS, lazy_broker.current_observer_worker()
        process.worker = replace(worker, terms=replace(worker.terms, keep_words=False))
        try:
            yield
        finally:
            process.worker = worker

    def poison_messages(self, name: str) -> list[str]:
        """Those about the call with that record."""
        return [
            message.body
            for name, queue in self.storage.queues.items()
            if name.endswith("-poison")
            for message in queue.messages.values()
            if name in message.body
        ]

    def work_in_progress(self) -> list[str]:
        """The functions of the product that a task or a thread is in."""
        tasks = asyncio.run_coroutine_threadsafe(tasks_of_this_loop(), self.loop).result(PATIENCE)
        return tasks + threads_at_work()


async def tasks_of_this_loop() -> list[str]:
    """The functions of the product that tasks of this loop are waiting in."""
    found = []
    for task in asyncio.all_tasks():
        waiting: Any = task.get_coro()
        while waiting is not None:
            code = getattr(waiting, "cr_code", None)
            if code is not None and code.co_filename.startswith(PRODUCT):
                found.append(code.co_qualname)
                break
            waiting = getattr(waiting, "cr_await", None)
    return found


def threads_at_work() -> list[str]:
    """The functions of the product that other threads are in."""
    found = []
    for thread, innermost in sys._current_frames().items():
        frame = innermost if thread != threading.get_ident() else None
        while frame is not None:
            if frame.f_code.co_filename.startswith(PRODUCT):
                found.append(frame.f_code.co_qualname)
                break
            frame = frame.f_back
    return found


@contextmanager
def served_app(endpoint: str, **changes: str) -> Iterator[tuple[Runner, str, MemoryStorage]]:
    """The function app in a thread, on empty storage in memory, with queues that are polled
    often."""
    before, storage_before = lazy_broker.PROCESS, memory.PROCESS_STORAGE
    memory.PROCESS_STORAGE = MemoryStorage()
    lazy_broker.PROCESS = process = LazyBroker(app_settings(endpoint, **changes))
    process.worker = replace(process.observer_worker(), timing=QUICK)
    host = open_app(ROOT, {})
    often = timedelta(milliseconds=20)
    queues = replace(host.config.queues, max_polling_interval=often, retry_delay=timedelta(0))
    host.config = replace(host.config, queues=queues)
    with loop_in_thread() as run:
        served = AsyncExitStack()
        url = run(served.enter_async_context(running(host.make_app())))
        try:
            yield run, url, memory.PROCESS_STORAGE
        finally:
            run(served.aclose())
            lazy_broker.PROCESS, memory.PROCESS_STORAGE = before, storage_before


@contextmanager
def kept_logs() -> Iterator[KeptLogs]:
    kept, root = KeptLogs(), logging.getLogger()
    root.addHandler(kept)
    try:
        yield kept
    finally:
        root.removeHandler(kept)


async def this_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@asynccontextmanager
async def running_stack(**changes: str) -> AsyncIterator[Stack]:
    """A broker that observes all calls and keeps transcripts; `changes` are app settings."""
    settings = {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "CALLER_AUTH": "static-web-apps",
        # Counted, but never used up: not even by what an upstream makes up.
        "LIMIT_TOKENS_PER_DAY": "1000000000000",
        "OBSERVER": "eager",
        "REALTIME_PROFILES": str(Path(__file__).parent / "profiles"),
        "TRANSCRIPTS": "on",
        **changes,
    }
    async with program("realtime_emulator", "--port", "0") as emulator, ClientSession() as http:
        with kept_logs() as logs, served_app(emulator.url, **settings) as (run, url, storage):
            control = Emulator(http, emulator.url)
            await control.change(SCRIPT)
            yield Stack(url, run(this_loop()), storage, control, logs)
