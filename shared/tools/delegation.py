"""Work that a Live call delegates to the server ("client delegation"): the model does not say what
is to be done, so a function is given what was said, and answers in words.

    @registry.delegation
    async def look_up(task: DelegatedTask) -> str:
        '''Answers what callers of the help desk ask.'''
        return await search(task.words)

The answer is told to the caller in the model's own words.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from shared.core import logs
from shared.core.bulkhead import Bulkhead, NoThreadFree
from shared.tools.runner import Result, ToolError, encode_result

TIMEOUT = timedelta(seconds=20)
"""The caller waits, and pays by the minute."""
NOTHING_FOUND = "Nothing was found."
NOT_DONE = "This did not work. It may work later."
TOO_LATE = "This took too long and was given up. Its work may or may not be done."
TOO_MANY = "Too much is being done at once. It may work in a moment."


@dataclass(frozen=True, slots=True)
class Said:
    """What one of the two has said, up to where the other took the word."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class DelegatedTask:
    """What is to be done, in the caller's words: `words` are those since the work that was
    delegated before, `conversation` is all that was said, the latest last. Both come from a
    stranger, through speech recognition."""

    words: str
    conversation: tuple[Said, ...]


Delegate = Callable[[DelegatedTask], Any | Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Delegation:
    """A function that work is delegated to, and its time limit."""

    name: str
    function: Delegate
    timeout: timedelta = TIMEOUT


async def run_delegation(delegation: Delegation, task: DelegatedTask, threads: Bulkhead) -> Result:
    """What the caller is told. Never raises, and never says nothing: the model would go on saying
    that it is still looking. A function that is not async runs on a thread, which it keeps if it
    outlives its time."""
    try:
        async with asyncio.timeout(delegation.timeout.total_seconds()):
            answer = await call_function(delegation.function, task, threads)
        text = "" if answer is None else encode_result(answer)
        return Result(text if text.strip() else NOTHING_FOUND, ok=True)
    except ToolError as told:
        return Result(str(told)[:1000].strip() or NOT_DONE, ok=False)
    except NoThreadFree:
        logs.event("delegation not run", logging.WARNING, function=delegation.name)
        return Result(TOO_MANY, ok=False)
    except TimeoutError:
        seconds = delegation.timeout.total_seconds()
        logs.event("delegation timed out", function=delegation.name, seconds=seconds)
        return Result(TOO_LATE, ok=False)
    except Exception:
        logs.failure("delegation failed", function=delegation.name)
        return Result(NOT_DONE, ok=False)


async def call_function(function: Delegate, task: DelegatedTask, threads: Bulkhead) -> Any:
    """Raises NoThreadFree, and what the function raises."""
    if inspect.iscoroutinefunction(function):
        return await function(task)
    return await threads.run(partial(copy_context().run, partial(function, task)))
