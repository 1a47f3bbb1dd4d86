"""Queue triggers and queue outputs: delivery, retries, poison queues, batches and renewal."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest
from azure.functions.meta import Datum

from local.host.config import QueueOptions
from local.host.queue_trigger import QueueListener
from shared.core.clock import utc_now
from shared.storage.interfaces import Message, Queue, StorageUnavailable
from shared.storage.memory import MemoryQueue, MemoryStorage
from tests.contract.host.test_http import host
from tests.support.azurite import shared_azurite
from tests.support.patience import PATIENCE
from tests.support.programs import running

SOON = timedelta(milliseconds=5)
FAST = QueueOptions(
    batch_size=4,
    new_batch_threshold=2,
    max_dequeue_count=3,
    max_polling_interval=SOON,
    first_polling_interval=SOON,
)
LONG = timedelta(minutes=1)


class Watched(MemoryQueue):
    """A queue that signals when a message is sent or deleted."""

    def __init__(self) -> None:
        super().__init__(utc_now)
        self.changed = threading.Event()
        self.deleted = threading.Event()
        self.extended: list[timedelta] = []

    def send(self, body: str, *, delay: timedelta = timedelta(0), encoded: bool = False) -> None:
        super().send(body, delay=delay, encoded=encoded)
        self.changed.set()

    def delete(self, message: Message) -> None:
        super().delete(message)
        self.deleted.set()
        self.changed.set()

    def extend(self, message: Message, visibility: timedelta) -> Message:
        self.extended.append(visibility)
        renewed = super().extend(message, visibility)
        self.changed.set()
        return renewed

    async def next(self) -> str:
        """Waits for the next message, deletes it and returns its body."""
        while True:
            self.changed.clear()
            for message in self.receive(visibility=LONG):
                super().delete(message)
                return message.body
            assert await asyncio.to_thread(self.changed.wait, 5)

    async def next_change(self) -> None:
        assert await asyncio.to_thread(self.changed.wait, 5)
        self.changed.clear()


class WatchedStorage(MemoryStorage):
    def __init__(self) -> None:
        super().__init__()
        self.watched: dict[str, Watched] = {}

    def queue(self, name: str) -> Watched:
        return self.watched.setdefault(name, Watched())


@asynccontextmanager
async def listening(storage: WatchedStorage) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        running(host(storage=storage).make_app()) as url,
        aiohttp.ClientSession(url) as session,
    ):
        yield session


async def test_from_an_output_through_a_trigger_to_an_output() -> None:
    storage = WatchedStorage()
    async with listening(storage) as session:
        async with session.post("/api/send", data="hello") as got:
            assert got.status == 202
        assert json.loads(await storage.queue("done").next()) == ["hello", 1, "work"]
        async with session.post("/api/send-many", json=["a", "b"]) as got:
            assert got.status == 202
        done = {json.loads(await storage.queue("done").next())[0] for _ in "ab"}
        assert done == {"a", "b"}


async def test_a_plain_str_and_a_returned_output_in_a_thread() -> None:
    storage = WatchedStorage()
    storage.queue("plain").send("text")
    async with listening(storage):
        assert await storage.queue("done").next() == "function text"


async def test_a_failed_message_comes_back_and_counts() -> None:
    storage = WatchedStorage()
    storage.queue("work").send("once")
    async with listening(storage):
        assert json.loads(await storage.queue("done").next()) == ["once", 2, "work"]


async def test_a_hopeless_message_goes_to_the_poison_queue() -> None:
    storage = WatchedStorage()
    storage.queue("work").send("fail for good")
    async with listening(storage):
        assert await storage.queue("work-poison").next() == "fail for good"
        assert await asyncio.to_thread(storage.queue("work").deleted.wait, 5)
    assert storage.queue("work").receive(visibility=LONG) == []


@pytest.mark.parametrize(("content", "attempts"), [("not base64!", 1), ("/w==", 3)])
async def test_content_that_is_no_text_reaches_the_poison_queue_as_it_is(
    content: str, attempts: int
) -> None:
    storage = WatchedStorage()
    work = Work()
    queue, poison = storage.queue("work"), storage.queue("work-poison")
    queue.send(content, encoded=True)
    task = asyncio.create_task(QueueListener(storage, "work", work.run, FAST).listen())
    assert await poison.next() == content
    assert await asyncio.to_thread(queue.deleted.wait, 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert work.begun.empty(), "the function was not run"
    assert len(queue.extended) == attempts - 1


class Work:
    """A function that blocks until it is allowed to finish."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.may_end = asyncio.Semaphore(0)
        self.failing = False

    async def run(self, message: Datum, _: dict[str, Datum]) -> None:
        await self.begun.put(message.value)
        await self.may_end.acquire()
        if self.failing:
            raise RuntimeError("told to fail")


@asynccontextmanager
async def listener(queue_name: str, work: Work, options: QueueOptions) -> AsyncIterator[Watched]:
    storage = WatchedStorage()
    task = asyncio.create_task(
        QueueListener(storage, queue_name, work.run, options).listen(), name="listener"
    )
    yield storage.queue(queue_name)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_batches_and_the_threshold_bound_what_runs_at_once() -> None:
    work = Work()
    storage = WatchedStorage()
    queue = storage.queue("busy")
    for number in range(10):
        queue.send(str(number))
    task = asyncio.create_task(QueueListener(storage, "busy", work.run, FAST).listen())
    first = {await work.begun.get() for _ in range(FAST.batch_size)}
    assert len(first) == 4
    work.may_end.release()
    queue.changed.clear()
    await queue.next_change()
    assert work.begun.empty(), "three still run, and two is the threshold"
    work.may_end.release()
    more = {await asyncio.wait_for(work.begun.get(), PATIENCE) for _ in range(FAST.batch_size)}
    assert len(first | more) == 8
    assert work.begun.empty(), "batch_size and new_batch_threshold together are the most"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_message_stays_hidden_while_its_function_runs() -> None:
    work = Work()
    options = replace(FAST, visibility=timedelta(seconds=1))
    async with listener("long", work, options) as queue:
        queue.send("x")
        queue.changed.clear()
        await work.begun.get()
        await queue.next_change()  # the renewal, at half-time
        assert queue.extended == [timedelta(seconds=1)]
        work.may_end.release()
        await queue.next_change()
        assert queue.receive(visibility=LONG) == []


async def test_a_poison_queue_has_no_poison_queue() -> None:
    work = Work()
    work.failing = True
    options = replace(FAST, max_dequeue_count=1)
    storage = WatchedStorage()
    queue = storage.queue("work-poison")
    queue.send("x")
    task = asyncio.create_task(QueueListener(storage, "work-poison", work.run, options).listen())
    work.may_end.release()
    assert await work.begun.get() == "x"
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert set(storage.watched) == {"work-poison"}


async def test_an_ended_host_gives_back_what_it_had_not_done() -> None:
    work = Work()
    async with listener("held", work, FAST) as queue:
        queue.send("x")
        await work.begun.get()
        assert queue.receive(visibility=LONG) == [], "hidden while it runs"
    [message] = queue.receive(visibility=LONG)
    assert (message.body, message.dequeue_count) == ("x", 2)


async def test_over_a_real_storage_protocol() -> None:
    """Azurite instead of memory: message encoding, receipts and the poison queue."""
    from shared.storage.azure import open_storage

    storage = open_storage(shared_azurite().connection)
    async with (
        running(host(storage=storage).make_app()) as url,
        aiohttp.ClientSession(url) as session,
    ):
        for body in ("hällo", "fail for good"):
            async with session.post("/api/send", data=body.encode()) as got:
                assert got.status == 202
        [done] = await arrived(storage.queue("done"))
        assert json.loads(done.body) == ["hällo", 1, "work"]
        [poison] = await arrived(storage.queue("work-poison"))
        assert poison.body == "fail for good"


async def arrived(queue: Queue) -> list[Message]:
    """Polls for messages, because a storage account does not notify."""
    async with asyncio.timeout(PATIENCE):
        while True:
            messages = await asyncio.to_thread(queue.receive, visibility=LONG)
            if messages:
                return messages
            await asyncio.sleep(0.02)


class OutOfReach(Watched):
    """A queue that cannot be reached until `calls` is 5."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def receive(self, *, visibility: timedelta, limit: int = 1) -> list[Message]:
        self.calls += 1
        if self.calls < 5:
            raise StorageUnavailable("refused")
        return super().receive(visibility=visibility, limit=limit)


async def test_an_outage_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    storage, work = WatchedStorage(), Work()
    queue = storage.watched["work"] = OutOfReach()
    queue.send("x")
    task = asyncio.create_task(QueueListener(storage, "work", work.run, FAST).listen())
    assert await asyncio.wait_for(work.begun.get(), PATIENCE) == "x"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    told = [r.getMessage() for r in caplog.records if r.name == "local.host.queue_trigger"]
    assert told[:2] == [
        "queue work: cannot fetch messages: refused; retrying",
        "queue work: messages can be fetched again",
    ]


async def test_a_host_that_is_to_stop_takes_no_more_messages_and_lets_functions_finish() -> None:
    queue, begun, release = Watched(), asyncio.Event(), asyncio.Event()
    storage = MemoryStorage(utc_now)
    storage.queues["work"] = queue
    handled: list[str] = []

    async def run(message: Datum, _: dict[str, Datum]) -> None:
        begun.set()
        await release.wait()
        handled.append(message.value)

    listener = QueueListener(storage, "work", run, FAST)
    listening = asyncio.create_task(listener.listen())
    queue.send("one")
    await asyncio.wait_for(begun.wait(), PATIENCE)
    listener.is_draining = True
    await asyncio.sleep(0.05)
    queue.send("two")
    release.set()
    await asyncio.wait_for(listening, PATIENCE)
    assert handled == ["one"]
    assert [each.body for each in queue.receive(visibility=LONG, limit=9)] == ["two"]
