"""The broker's queue and timer triggers, and nothing else: what they do is in queue_functions.py.

They import it when they run, because the first request of an instance should not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import azure.functions as func

SWEEP_SCHEDULE = "0 */5 * * * *"


async def observe_call(message: func.QueueMessage, context: func.Context) -> None:
    """Follows a call over its sideband WebSocket: transcript, usage, tools, policy."""
    from shared.api import queue_functions

    await queue_functions.observe(message, context)


async def end_call(message: func.QueueMessage, context: func.Context) -> None:
    """Enforces a call's time limit: hangs the call up, whether or not anything observes it."""
    from shared.api import queue_functions

    await queue_functions.end(message, context)


async def observe_call_poison(message: func.QueueMessage) -> None:
    """Takes up again what Functions has given up: a host was killed too often under it."""
    from shared.api import queue_functions

    await queue_functions.take_up(message, "observe-call")


async def end_call_poison(message: func.QueueMessage) -> None:
    """As observe_call_poison."""
    from shared.api import queue_functions

    await queue_functions.take_up(message, "end-call")


async def sweep_calls(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001
    """Finds calls that nobody follows, and calls past their end that nobody has settled."""
    from shared.api import queue_functions

    await queue_functions.sweep(context)


QUEUE_TRIGGERS: Mapping[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "observe-call": observe_call,
    "end-call": end_call,
    "observe-call-poison": observe_call_poison,
    "end-call-poison": end_call_poison,
}
"""Every queue that a function takes messages from."""
