"""The queue edge: what becomes of a message, whatever happens while it is handled.

A message about a call goes only when there is nothing left to do (calls/delivery.py). What cannot
be done now, because a setting is wrong or something is unavailable, comes back after pauses that
grow, and it has no end to its lives: Functions itself gives a message a few, seconds apart
(host.json), and then moves it to a poison queue. A host that is killed uses one up. So the poison
queues have functions too, which take their messages up again.

No exception leaves a queue function with its text: the worker would log it past our redaction.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import azure.functions as func

from shared.api import handlers, http
from shared.api.bulkheads import ENDS, MESSAGES
from shared.api.lazy_broker import current_queue
from shared.calls import queue_messages, redelivery
from shared.calls.delivery import Delivery
from shared.calls.queue_messages import NewerMessage
from shared.calls.retry import retry_until
from shared.core import logs
from shared.core.problems import Problem

OUTAGE = timedelta(minutes=10)
"""How long a function waits for storage to take a message before it fails."""
TAKEN_UP_AFTER = timedelta(minutes=1)
FRAMES = 3
ROOT = Path(__file__).parents[2]

Again = Callable[[], tuple[str, timedelta]]
"""Gives the body and the delay with which a message is sent again."""
Handle = Callable[[Delivery], Awaitable[None]]


class MessageFailed(Exception):
    """A message could not be handled, nor sent again. The text is a code or an exception's name."""


async def observe(message: func.QueueMessage, context: func.Context) -> None:
    """Follows the call that the message names."""

    async def handle(delivery: Delivery) -> None:
        worker = await http.off_the_loop(context, handlers.observer, MESSAGES)
        await worker.follow_call(delivery)

    await handle_message(message, queue_messages.OBSERVE_QUEUE, handle)


async def end(message: func.QueueMessage, context: func.Context) -> None:
    """Ends the call that the message names."""

    async def handle(delivery: Delivery) -> None:
        terminator = await http.off_the_loop(context, handlers.terminator, MESSAGES)
        await terminator.end_at_limit(delivery)

    await handle_message(message, queue_messages.END_QUEUE, handle)


async def handle_message(message: func.QueueMessage, queue: str, handle: Handle) -> None:
    """Has a message handled, and sends it again if that fails. Raises MessageFailed if storage does
    not take it for ten minutes, or if it is no message of ours."""
    delivery: Delivery | None = None
    again: Again | None = None
    try:
        body = message.get_body().decode()
        delivery = Delivery.of(body, redelivered=(message.dequeue_count or 1) > 1)
        await handle(delivery)
        return
    except NewerMessage:
        failure, again = "newer message", partial(queue_messages.put_back, body)
    except Exception as error:
        failure, where = describe(error)
        if delivery is not None:
            logs.event("message failed", logging.WARNING, queue=queue, error=failure, where=where)
            again = partial(after_failure, body)
    # Here, because an exception that is raised within `except` holds on to the other one.
    if delivery is not None and delivery.has_successor:
        return
    if again is None:
        raise MessageFailed(failure)
    await send_again(queue, again)


def after_failure(body: str) -> tuple[str, timedelta]:
    """The body and the delay with which a message is sent again that could not be handled."""
    again = queue_messages.tried_again(body)
    return again, redelivery.pause_after(queue_messages.tries_in(again))


async def send_again(queue: str, again: Again) -> None:
    """Sends a message again. Raises MessageFailed."""
    try:
        body, delay = again()
        work = partial(send, queue, body, delay)
        await retry_until(lambda: ENDS.run(work), OUTAGE)
        logs.event("message put back", logging.WARNING, queue=queue, seconds=delay.total_seconds())
        return
    except Exception as error:
        failure, _ = describe(error)
    raise MessageFailed(failure)


def send(queue: str, body: str, delay: timedelta) -> None:
    current_queue(queue).send(body, delay=delay)


async def take_up(message: func.QueueMessage, queue: str) -> None:
    """Takes a message of a poison queue up again: sends it to its queue, after a pause.

    What is not a message about a call is dropped: nothing can be done with it. Raises
    MessageFailed.
    """
    try:
        body = message.get_body().decode()
        again = queue_messages.tried_again(body)
        try:
            name = queue_messages.record_id_in(body)
        except NewerMessage:
            name = ""
    except (ValueError, RecursionError):
        logs.event("poison message dropped", logging.ERROR, queue=queue)
        return
    logs.event("poison message taken up", logging.ERROR, queue=queue, call=name)
    await send_again(queue, lambda: (again, TAKEN_UP_AFTER))


async def sweep(context: func.Context) -> None:
    """Finds the calls that no message is left for. Never raises: the next sweep is not far."""
    try:
        await http.off_the_loop(context, handlers.sweep_calls, MESSAGES)
    except Exception as error:
        failure, where = describe(error)
        logs.event("sweep failed", logging.WARNING, error=failure, where=where)


def describe(error: Exception) -> tuple[str, str]:
    """What an error may be called in a log, and where it was raised: without its text, which may
    quote a page or a secret."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    where = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return error.code if isinstance(error, Problem) else type(error).__name__, where
