"""Calls functions, using the converters of `azure.functions` for their inputs and outputs."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import random
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from local.host.config import NEVER
from local.host.indexing import GENERIC, IndexedFunction, Output

logger = logging.getLogger(__name__)
THREAD_COUNT_SETTING = "PYTHON_THREADPOOL_THREAD_COUNT"
MAX_THREADS = 32


class FunctionTimeout(Exception):
    """A function exceeded host.json's functionTimeout."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """W3C trace context of an invocation, as its `Context` exposes it."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RetryContext:
    """Always empty: retry policies are not supported."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


class Context(func.Context):
    """The argument for a function's `context` parameter."""

    storage = threading.local()

    def __init__(self, invocation: str, function: str, folder: str, trace_parent: str) -> None:
        self.invocation = invocation
        self.function = function
        self.folder = folder
        self.trace = TraceContext(trace_parent)

    @property
    def invocation_id(self) -> str:
        return self.invocation

    @property
    def thread_local_storage(self) -> Any:
        return self.storage

    @property
    def function_name(self) -> str:
        return self.function

    @property
    def function_directory(self) -> str:
        return self.folder

    @property
    def trace_context(self) -> Any:
        return self.trace

    @property
    def retry_context(self) -> Any:
        return RetryContext()


class OutValue(func.Out[Any]):
    """The argument for an `Out` parameter."""

    def __init__(self) -> None:
        self.value: Any = None

    def set(self, val: Any) -> None:
        self.value = val

    def get(self) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a call: the return value, and (queue, text) of each message to send."""

    returned: Datum | None
    messages: tuple[tuple[str, str], ...]


def thread_count(environment: Mapping[str, str] = os.environ) -> int:
    """How many synchronous functions run at once: the worker's setting, or Python's default.

    Raises ValueError for a setting that the worker would reject.
    """
    text = environment.get(THREAD_COUNT_SETTING, "")
    if not text:
        return min(MAX_THREADS, (os.cpu_count() or 1) + 4)
    if not text.isdigit() or not 1 <= int(text) <= MAX_THREADS:
        raise ValueError(f"{THREAD_COUNT_SETTING} must be an integer from 1 to {MAX_THREADS}.")
    return int(text)


class Invoker:
    """Calls functions: asynchronous ones on the event loop, synchronous ones in `threads`."""

    def __init__(self, threads: Executor, *, timeout: timedelta, folder: str = "") -> None:
        self.threads = threads
        self.timeout = None if timeout == NEVER else timeout.total_seconds()
        self.folder = folder

    async def call_function(
        self,
        function: IndexedFunction,
        trigger: Datum,
        metadata: Mapping[str, Datum],
        trace_parent: str = "",
    ) -> Result:
        """Runs `function`. Raises FunctionTimeout, or whatever the function raises.

        A synchronous function that times out keeps its thread, because nothing can stop it. The
        real host restarts the whole worker.
        """
        invocation = str(uuid.UUID(int=random.getrandbits(128), version=4))
        arguments: dict[str, Any] = {
            function.trigger_parameter: decode_input(function.trigger_kind, trigger, metadata)
        }
        outputs = {output.parameter: OutValue() for output in function.outputs}
        arguments.update(outputs)
        if function.wants_context:
            arguments["context"] = Context(invocation, function.name, self.folder, trace_parent)
        try:
            async with asyncio.timeout(self.timeout) as limit:
                returned = await self.run_function(function, arguments, invocation)
        except TimeoutError:
            if not limit.expired():
                raise
            raise FunctionTimeout(
                f"function {function.name} exceeded functionTimeout ({self.timeout:g} s)"
            ) from None
        if function.returns is None and returned is not None:
            raise RuntimeError(
                f"function {function.name} returns a value, but has no output bound to it"
            )
        sent: list[tuple[str, str]] = []
        for output in function.outputs:
            value = outputs[output.parameter].get()
            if value is not None:
                sent += queue_messages(output, value)
        if function.returns is None:
            return Result(None, tuple(sent))
        if function.returns.queue is None:
            return Result(encode_output(function.returns, returned), tuple(sent))
        if returned is not None:
            sent += queue_messages(function.returns, returned)
        return Result(None, tuple(sent))

    async def run_function(
        self, function: IndexedFunction, arguments: Mapping[str, Any], invocation: str
    ) -> Any:
        if function.is_async:
            Context.storage.invocation_id = invocation
            return await function.call(**arguments)

        def run() -> Any:
            Context.storage.invocation_id = invocation
            return function.call(**arguments)

        # The worker's threads start without context variables too.
        context = contextvars.Context()
        return await asyncio.get_running_loop().run_in_executor(self.threads, context.run, run)


def binding_converter(kind: str) -> Any:
    registry: Callable[[], Any] = func.get_binding_registry
    return registry().get(kind)


def decode_input(kind: str, data: Datum, metadata: Mapping[str, Datum]) -> Any:
    """Decodes an input into the Python value that the function receives."""
    if kind == GENERIC:
        return data.value
    return binding_converter(kind).decode(data, trigger_metadata=metadata)


def encode_output(output: Output, value: Any) -> Datum:
    """Encodes an output. Raises TypeError for a value that its binding cannot carry."""
    try:
        if output.kind == GENERIC:
            return Datum(value, "bytes" if isinstance(value, bytes) else "string")
        return binding_converter(output.kind).encode(value, expected_type=None)  # type: ignore[no-any-return]
    except NotImplementedError:  # how azure-functions' converters refuse a type
        raise TypeError(
            f"a {output.kind} output cannot carry a value of type {type(value).__name__}"
        ) from None


def queue_messages(output: Output, value: Any) -> list[tuple[str, str]]:
    """(queue, text) of every message in a queue output.

    `value` is a str, bytes or QueueMessage, or a list of them. Only the body of a QueueMessage is
    sent.
    """
    assert output.queue is not None
    queue = output.queue
    values = list(value) if isinstance(value, list | tuple) else [value]
    texts: list[str] = []
    for one in values:
        if isinstance(one, func.QueueMessage):
            texts.append(one.get_body().decode())
            continue
        datum = encode_output(output, one)
        texts.append(datum.value.decode() if datum.type == "bytes" else str(datum.value))
    return [(queue, text) for text in texts]
