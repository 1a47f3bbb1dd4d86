"""Queue triggers: fetches messages, runs their functions, retries them, and moves poison messages.

The rules are those of the Functions storage queue extension. Up to `batch_size` messages are
fetched at a time, and the next batch once no more than `new_batch_threshold` are still running.
Polling of an idle queue backs off. A message is hidden while its function runs and deleted when it
succeeds; after a failure it is redelivered, until it has been dequeued `max_dequeue_count` times
and moves to `<queue>-poison`. The messages of a killed host are redelivered once their visibility
timeout ends.

A message that is not base64 goes to the poison queue at once, and one whose text is not UTF-8 after
as many attempts as a function that fails; neither reaches the function. Both keep their content.
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


class UndecodableMessage(Exception):
    """The content of the message is base64, but not of UTF-8: the function cannot be given it."""


RunFunction = Callable[[Datum, dict[str, Datum]], Awaitable[None]]
"""Runs the function for a message and its metadata; raises what the function raises."""


def trigger_data(message: Message) -> tuple[Datum, dict[str, Datum]]:
    """A message and its metadata as the worker receives them.

    `shared.storage` does not expose when a message was inserted, expires or becomes visible again,
    so a function sees None for those.
    """
    return Datum(message.body, "string"), {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        "PopReceipt": Datum(message.receipt, "string"),
    }


class QueueListener:
    """Delivers the messages of one queue to one function until it is cancelled."""

    def __init__(
        self, storage: Storage, name: str, run: RunFunction, options: QueueOptions
    ) -> None:
        self.name = name
        self.run_function = run
        self.options = options
        self.queue = storage.queue(name)
        # A poison queue has none of its own: a message that fails there stays hidden for its whole
        # visibility timeout before it is redelivered.
        self.poison_queue = (
            None if name.endswith(POISON_SUFFIX) else storage.queue(name + POISON_SUFFIX)
        )
        self.running: set[asyncio.Task[None]] = set()
        self.outage: str | None = None
        self.is_draining = False
        """Whether no more messages are fetched, while functions that run may finish."""

    async def listen(self) -> None:
        """Fetches and handles messages until it drains, and those that run to their end. Cancelling
        it releases unfinished messages."""
        pause = self.options.first_polling_interval
        try:
            while not self.is_draining:
                messages = await self.fetch_messages()
                for message in messages:
                    self.running.add(asyncio.create_task(self.handle_message(message)))
                if messages:
                    pause = self.options.first_polling_interval
                    await self.wait_for_room()
                    continue
                await asyncio.sleep(pause.total_seconds())
                pause = min(pause * 2, self.options.max_polling_interval)
            await asyncio.gather(*self.running)
        finally:
            for task in self.running:
                task.cancel()
            await asyncio.gather(*self.running, return_exceptions=True)

    async def fetch_messages(self) -> list[Message]:
        try:
            messages = await asyncio.to_thread(
                self.queue.receive,
                visibility=self.options.visibility,
                limit=self.options.batch_size,
            )
        except StorageError as error:
            if self.outage != str(error):  # logged once, not at each poll
                self.outage = str(error)
                logger.warning("queue %s: cannot fetch messages: %s; retrying", self.name, error)
            return []
        if self.outage is not None:
            self.outage = None
            logger.warning("queue %s: messages can be fetched again", self.name)
        return messages

    async def wait_for_room(self) -> None:
        while True:
            self.running = {task for task in self.running if not task.done()}
            if len(self.running) <= self.options.new_batch_threshold:
                return
            await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)

    async def handle_message(self, message: Message) -> None:
        lease = MessageLease(self.queue.extend, message, self.options.visibility)
        try:
            hopeless = message.dequeue_count > self.options.max_dequeue_count
            if self.poison_queue and (hopeless or message.malformed == "base64"):
                await self.move_to_poison_queue(lease.message)
                return
            async with lease:
                try:
                    if message.malformed:
                        raise UndecodableMessage(f"the content is not {message.malformed}")
                    await self.run_function(*trigger_data(message))
                except Exception:
                    failed = True
                    logger.exception(
                        "queue %s: message %s failed (dequeue count %d)",
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
            logger.warning(
                "queue %s: message %s was dequeued by another host", self.name, message.id
            )
        except StorageError as error:
            logger.warning(
                "queue %s: message %s will be redelivered: %s", self.name, message.id, error
            )
        except asyncio.CancelledError:
            self.release_message(lease.message)
            raise

    async def move_to_poison_queue(self, message: Message) -> None:
        assert self.poison_queue is not None
        await asyncio.to_thread(
            self.poison_queue.send, message.body, encoded=bool(message.malformed)
        )
        await asyncio.to_thread(self.queue.delete, message)
        logger.warning(
            "queue %s: message %s goes to %s", self.name, message.id, self.name + POISON_SUFFIX
        )

    def release_message(self, message: Message) -> None:
        """Makes the message visible at once, so that a restarted host need not wait for it."""
        try:
            self.queue.extend(message, timedelta(0))
        except StorageError:
            logger.debug(
                "queue %s: message %s was not released; it reappears when its timeout ends",
                self.name,
                message.id,
            )


class MessageLease:
    """Keeps a message hidden while its function runs. `message` holds the latest receipt."""

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
                # Shielded from cancellation: a new receipt must not be lost.
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
