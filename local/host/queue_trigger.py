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

logger = logging.getLogger(__name__)
POISON_SUFFIX = "-poison"

RunFunction = Callable[[Datum, dict[str, Datum]], Awaitable[None]]
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

    def __init__(
        self, storage: Storage, name: str, run: RunFunction, options: QueueOptions
    ) -> None:
        self.name = name
        self.run_function = run
        self.options = options
        self.queue = storage.queue(name)
        # A poison queue has no poison queue: what fails there stays hidden and comes back late.
        self.poison_queue = (
            None if name.endswith(POISON_SUFFIX) else storage.queue(name + POISON_SUFFIX)
        )
        self.running: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Fetches and runs messages for ever; cancelling it gives back what was not done."""
        pause = self.options.first_polling_interval
        try:
            while True:
                messages = await self.fetch_messages()
                for message in messages:
                    self.running.add(asyncio.create_task(self.handle_message(message)))
                if messages:
                    pause = self.options.first_polling_interval
                    await self.wait_for_room()
                    continue
                await asyncio.sleep(pause.total_seconds())
                pause = min(pause * 2, self.options.max_polling_interval)
        finally:
            for task in self.running:
                task.cancel()
            await asyncio.gather(*self.running, return_exceptions=True)

    async def fetch_messages(self) -> list[Message]:
        try:
            return await asyncio.to_thread(
                self.queue.receive,
                visibility=self.options.visibility,
                limit=self.options.batch_size,
            )
        except StorageError as error:
            logger.warning("queue %s cannot be read: %s", self.name, error)
            return []

    async def wait_for_room(self) -> None:
        while True:
            self.running = {task for task in self.running if not task.done()}
            if len(self.running) <= self.options.new_batch_threshold:
                return
            await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)

    async def handle_message(self, message: Message) -> None:
        lease = MessageLease(self.queue.extend, message, self.options.visibility)
        try:
            if self.poison_queue and message.dequeue_count > self.options.max_dequeue_count:
                await self.move_to_poison_queue(lease.message)
                return
            async with lease:
                try:
                    await self.run_function(*trigger_data(message))
                except Exception:
                    failed = True
                    logger.exception(
                        "queue %s: message %s failed (taken %d times)",
                        self.name,
                        message.id,
                        message.dequeue_count,
                    )
                else:
                    failed = False
            if not failed:
                await asyncio.to_thread(self.queue.delete, lease.message)
            elif self.poison_queue is None:
                return
            elif message.dequeue_count >= self.options.max_dequeue_count:
                await self.move_to_poison_queue(lease.message)
            else:
                await asyncio.to_thread(self.queue.extend, lease.message, self.options.retry_delay)
        except StaleReceipt:
            logger.warning("queue %s: message %s was taken by another", self.name, message.id)
        except StorageError as error:
            logger.warning("queue %s: message %s comes back: %s", self.name, message.id, error)
        except asyncio.CancelledError:
            self.release_message(lease.message)
            raise

    async def move_to_poison_queue(self, message: Message) -> None:
        assert self.poison_queue is not None
        await asyncio.to_thread(self.poison_queue.send, message.body)
        await asyncio.to_thread(self.queue.delete, message)
        logger.warning(
            "queue %s: message %s goes to %s", self.name, message.id, self.name + POISON_SUFFIX
        )

    def release_message(self, message: Message) -> None:
        """So that a restarted host finds the message at once."""
        try:
            self.queue.extend(message, timedelta(0))
        except StorageError:
            logger.debug("queue %s: message %s comes back by itself", self.name, message.id)


class MessageLease:
    """Keeps a message hidden while its function runs; `message` has the newest receipt."""

    def __init__(
        self,
        extend: Callable[[Message, timedelta], Message],
        message: Message,
        visibility: timedelta,
    ) -> None:
        self.message = message
        self.extend_visibility = extend
        self.visibility = visibility
        self.renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> MessageLease:
        self.renewal = asyncio.create_task(self.keep_renewing())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.renewal is not None
        self.renewal.cancel()
        await asyncio.gather(self.renewal, return_exceptions=True)

    async def keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self.visibility.total_seconds() / 2)
            try:
                # Not cut short: a receipt that was renewed but not noted would be lost.
                extending = asyncio.create_task(
                    asyncio.to_thread(self.extend_visibility, self.message, self.visibility)
                )
                try:
                    self.message = await asyncio.shield(extending)
                except asyncio.CancelledError:
                    self.message = await extending
                    raise
            except StorageError as error:
                logger.warning("message %s was not renewed: %s", self.message.id, error)
