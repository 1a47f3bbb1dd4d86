"""Queue triggers: fetches messages, runs their functions, retries, and puts the hopeless aside.

The rules are those of the Functions' storage queue extension: up to `batch_size` messages are
fetched at a time, and the next batch when no more than `new_batch_threshold` are still running; an
idle queue is asked less and less often; a message is hidden while its function runs and deleted
when it is done; after a failure it comes back, until it has been taken `max_dequeue_count` times
and goes to `<queue>-poison`. The message of a killed host comes back when its hiding ends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from azure.functions.meta import Datum

from local.host.config import QueueOptions
from shared.storage.interfaces import Message, StaleReceipt, Storage, StorageError

log = logging.getLogger("host")
POISON = "-poison"

Run = Callable[[Datum, dict[str, Datum]], Awaitable[None]]
"""Runs the function for one message; raises what the function raises."""


def trigger_data(message: Message) -> tuple[Datum, dict[str, Datum]]:
    """A message and its metadata as the worker gets them. The storage seam does not tell when a
    message was inserted, expires or shows again, so those are None to a function."""
    return Datum(message.body, "string"), {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        "PopReceipt": Datum(message.receipt, "string"),
    }


class QueueListener:
    """Serves one queue to one function until it is cancelled."""

    def __init__(self, storage: Storage, name: str, run: Run, options: QueueOptions) -> None:
        self._name = name
        self._run = run
        self._options = options
        self._queue = storage.queue(name)
        # A poison queue has no poison queue: what fails there stays hidden and comes back late.
        self._poison = None if name.endswith(POISON) else storage.queue(name + POISON)
        self._running: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Fetches and runs messages for ever; cancelling it gives back what was not done."""
        pause = self._options.first_polling_interval
        try:
            while True:
                messages = await self._fetch()
                for message in messages:
                    self._running.add(asyncio.create_task(self._handle(message)))
                if messages:
                    pause = self._options.first_polling_interval
                    await self._until_there_is_room()
                    continue
                await asyncio.sleep(pause.total_seconds())
                pause = min(pause * 2, self._options.max_polling_interval)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _fetch(self) -> list[Message]:
        try:
            return await asyncio.to_thread(
                self._queue.receive,
                visibility=self._options.visibility,
                limit=self._options.batch_size,
            )
        except StorageError as error:
            log.warning("queue %s cannot be read: %s", self._name, error)
            return []

    async def _until_there_is_room(self) -> None:
        while True:
            self._running = {task for task in self._running if not task.done()}
            if len(self._running) <= self._options.new_batch_threshold:
                return
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _handle(self, message: Message) -> None:
        lease = _Lease(self._queue.extend, message, self._options.visibility)
        try:
            if self._poison and message.dequeue_count > self._options.max_dequeue_count:
                await self._set_aside(lease.message)
                return
            async with lease:
                try:
                    await self._run(*trigger_data(message))
                except Exception:
                    failed = True
                    log.exception(
                        "queue %s: message %s failed (taken %d times)",
                        self._name,
                        message.id,
                        message.dequeue_count,
                    )
                else:
                    failed = False
            if not failed:
                await asyncio.to_thread(self._queue.delete, lease.message)
            elif self._poison is None:
                return
            elif message.dequeue_count >= self._options.max_dequeue_count:
                await self._set_aside(lease.message)
            else:
                await asyncio.to_thread(
                    self._queue.extend, lease.message, self._options.retry_delay
                )
        except StaleReceipt:
            log.warning("queue %s: message %s was taken by another", self._name, message.id)
        except StorageError as error:
            log.warning("queue %s: message %s comes back: %s", self._name, message.id, error)
        except asyncio.CancelledError:
            self._give_back(lease.message)
            raise

    async def _set_aside(self, message: Message) -> None:
        assert self._poison is not None
        await asyncio.to_thread(self._poison.send, message.body)
        await asyncio.to_thread(self._queue.delete, message)
        log.warning("queue %s: message %s goes to %s", self._name, message.id, self._name + POISON)

    def _give_back(self, message: Message) -> None:
        """So that a restarted host finds the message at once."""
        try:
            self._queue.extend(message, timedelta(0))
        except StorageError:
            log.debug("queue %s: message %s comes back by itself", self._name, message.id)


class _Lease:
    """Keeps a message hidden while its function runs; `message` has the newest receipt."""

    def __init__(
        self,
        extend: Callable[[Message, timedelta], Message],
        message: Message,
        visibility: timedelta,
    ) -> None:
        self.message = message
        self._extend = extend
        self._visibility = visibility
        self._renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Lease:
        self._renewal = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._renewal is not None
        self._renewal.cancel()
        await asyncio.gather(self._renewal, return_exceptions=True)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._visibility.total_seconds() / 2)
            try:
                # Not cut short: a receipt that was renewed but not noted would be lost.
                extending = asyncio.create_task(
                    asyncio.to_thread(self._extend, self.message, self._visibility)
                )
                try:
                    self.message = await asyncio.shield(extending)
                except asyncio.CancelledError:
                    self.message = await extending
                    raise
            except StorageError as error:
                log.warning("message %s was not renewed: %s", self.message.id, error)
