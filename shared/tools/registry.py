"""Functions that the model may call on the server.

    registry = Registry()

    @registry.tool
    def order_status(number: str) -> dict[str, str]:
        '''Says where an order is.

        number: The order's number, as on the receipt.
        '''

The signature and the docstring give the JSON Schema that the model sees
(shared/tools/signature.py).
`Registry.call` never raises for what the model or the function did wrong: the model reads a
sentence that it can act on, never a traceback, and the log has the rest.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, overload

from shared.core import logs
from shared.tools.signature import Parameters, WrongArguments, parameters_of

F = TypeVar("F", bound=Callable[..., Any])

TIMEOUT = timedelta(seconds=10)
OUTPUT_CHARACTERS = 16_000
"""The longest result that the model is given; what is over it is paid for at each later turn."""
ARGUMENT_CHARACTERS = 32_000


class ToolError(Exception):
    """Raised by a tool: its text is for the model ("There is no order of that number.")."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the model is told, and whether the tool did its work."""

    output: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with its schema and its time limit."""

    name: str
    description: str
    parameters: Parameters
    function: Callable[..., Any]
    timeout: timedelta

    def definition(self) -> dict[str, Any]:
        """The tool as it stands in a session's `tools`."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters.schema,
        }


class Registry:
    """The tools of one app, by name. `executor` runs those that are not async."""

    def __init__(self, executor: Executor | None = None) -> None:
        self.executor = executor
        self.tools: dict[str, Tool] = {}

    @overload
    def tool(self, function: F, /) -> F: ...
    @overload
    def tool(
        self, /, *, name: str | None = None, timeout: timedelta = TIMEOUT
    ) -> Callable[[F], F]: ...
    def tool(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        timeout: timedelta = TIMEOUT,
    ) -> Any:
        """Registers a function, which stays as it is. Raises TypeError or ValueError at once for a
        function that the model could not be told of: no docstring, a parameter without a type."""

        def register(function: F) -> F:
            called = name or function.__name__
            if called in self.tools:
                raise ValueError(f"there is a tool {called} already")
            description, parameters = parameters_of(function)
            self.tools[called] = Tool(called, description, parameters, function, timeout)
            return function

        return register if function is None else register(function)

    def __contains__(self, name: object) -> bool:
        return name in self.tools

    def completed(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """A session config in which every function tool that only has the name of a registered one
        also has its description and its parameters."""
        if "tools" not in session:
            return dict(session)
        return {**session, "tools": [self.complete(tool) for tool in session["tools"]]}

    def complete(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        known = self.tools.get(str(tool.get("name")))
        if tool.get("type") != "function" or known is None:
            return dict(tool)
        return {**known.definition(), **tool}

    async def call(self, name: str, arguments: str) -> Result:
        """Runs the tool with the model's arguments (JSON text)."""
        tool = self.tools.get(name)
        if tool is None:
            return failed(f"There is no tool {name}.")
        try:
            given = tool.parameters.check(parsed(arguments))
        except WrongArguments as wrong:
            return failed(str(wrong))
        try:
            async with asyncio.timeout(tool.timeout.total_seconds()):
                value = await self.run(tool, given)
            return Result(written(value), ok=True)
        except ToolError as told:
            return failed(str(told))
        except TimeoutError:
            logs.event("tool timed out", tool=name, seconds=tool.timeout.total_seconds())
            return failed(f"{name} took too long. Its work may or may not be done.")
        except Exception:
            logs.failure("tool failed", tool=name)
            return failed(f"{name} failed. It may work later.")

    async def run(self, tool: Tool, given: Mapping[str, Any]) -> Any:
        """A plain function runs beside the event loop: one that outlives its timeout is left
        behind, its thread cannot be stopped."""
        if inspect.iscoroutinefunction(tool.function):
            return await tool.function(**given)
        work = partial(copy_context().run, partial(tool.function, **given))
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)


def failed(message: str) -> Result:
    return Result(json.dumps({"error": message[:1000]}, ensure_ascii=False), ok=False)


def parsed(arguments: str) -> dict[str, Any]:
    """The model's arguments. Raises WrongArguments."""
    if len(arguments) > ARGUMENT_CHARACTERS:
        raise WrongArguments("The arguments are too long.")
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        raise WrongArguments("The arguments are not JSON.") from None
    if not isinstance(given, dict):
        raise WrongArguments("The arguments are not a JSON object.")
    return given


def written(value: Any) -> str:
    """A result as JSON text; text stays text. One that is too long says that it was cut."""
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False)
    if len(text) <= OUTPUT_CHARACTERS:
        return text
    note = " … (the rest was left out: too long)"
    return text[: OUTPUT_CHARACTERS - len(note)] + note


def jsonable(value: Any) -> Any:
    """`value` in JSON's types: what JSON lacks (times, decimals, UUIDs, …) becomes text."""
    if isinstance(value, Mapping):
        return {str(name): jsonable(inner) for name, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [jsonable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        raise TypeError("a tool cannot give bytes to the model")
    return str(value)
