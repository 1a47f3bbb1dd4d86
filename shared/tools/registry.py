"""Functions that the model may call on the server.

    registry = Registry()

    @registry.tool
    def order_status(number: str) -> dict[str, str]:
        '''Says where an order is.

        number: The order's number, as on the receipt.
        '''

The signature and the docstring give the JSON Schema that the model sees
(shared/tools/signature.py). `Registry.call_tool` never raises for a mistake of the model or of the
function: the model gets a sentence that it can act on, never a traceback, and the log has the rest.
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
"""The longest result that the model is given; every later turn pays for it again."""
ARGUMENT_CHARACTERS = 32_000


class ToolError(Exception):
    """Raised by a tool. Its text is for the model ("There is no order with that number.")."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the model is told, and whether the tool succeeded."""

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
        """The tool as an entry of a session's `tools`."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters.schema,
        }


class Registry:
    """The tools of one app by name. `executor` runs those that are not async."""

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
        """Registers a function and returns it unchanged. Raises TypeError or ValueError at once for
        a function that cannot be described to the model: no docstring, a parameter without a
        type."""

        def register(function: F) -> F:
            called = name or function.__name__
            if called in self.tools:
                raise ValueError(f"there is already a tool named {called}")
            description, parameters = parameters_of(function)
            self.tools[called] = Tool(called, description, parameters, function, timeout)
            return function

        return register if function is None else register(function)

    def __contains__(self, name: object) -> bool:
        return name in self.tools

    def complete_session(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """A session configuration in which every function tool with the name of a registered one
        has its description and parameters too, unless it has its own."""
        if "tools" not in session:
            return dict(session)
        return {**session, "tools": [self.complete_tool(tool) for tool in session["tools"]]}

    def complete_tool(self, tool: Mapping[str, Any]) -> dict[str, Any]:
        known = self.tools.get(str(tool.get("name")))
        if tool.get("type") != "function" or known is None:
            return dict(tool)
        return {**known.definition(), **tool}

    async def call_tool(self, name: str, arguments: str) -> Result:
        """Runs the tool with the model's arguments, which are JSON text."""
        tool = self.tools.get(name)
        if tool is None:
            return failed(f"There is no tool {name}.")
        try:
            given = tool.parameters.check_arguments(parse_arguments(arguments))
        except WrongArguments as wrong:
            return failed(str(wrong))
        try:
            async with asyncio.timeout(tool.timeout.total_seconds()):
                value = await self.run_function(tool, given)
            return Result(encode_result(value), ok=True)
        except ToolError as told:
            return failed(str(told))
        except TimeoutError:
            logs.event("tool timed out", tool=name, seconds=tool.timeout.total_seconds())
            return failed(f"{name} took too long. Its work may or may not be done.")
        except Exception:
            logs.failure("tool failed", tool=name)
            return failed(f"{name} failed. It may work later.")

    async def run_function(self, tool: Tool, given: Mapping[str, Any]) -> Any:
        """Runs a function that is not async on the executor: if it outlives its timeout it is
        abandoned, because a thread cannot be stopped."""
        if inspect.iscoroutinefunction(tool.function):
            return await tool.function(**given)
        work = partial(copy_context().run, partial(tool.function, **given))
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)


def failed(message: str) -> Result:
    return Result(json.dumps({"error": message[:1000]}, ensure_ascii=False), ok=False)


def parse_arguments(arguments: str) -> dict[str, Any]:
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


def encode_result(value: Any) -> str:
    """A result as JSON text; a string stays as it is. One that is too long is cut and says so."""
    if isinstance(value, str):
        text = value
    else:
        text = json.dumps(to_json_types(value), ensure_ascii=False, allow_nan=False)
    if len(text) <= OUTPUT_CHARACTERS:
        return text
    note = " … (the rest was left out: too long)"
    return text[: OUTPUT_CHARACTERS - len(note)] + note


def to_json_types(value: Any) -> Any:
    """`value` in JSON's types; what JSON lacks (times, decimals, UUIDs, …) becomes a string."""
    if isinstance(value, Mapping):
        return {str(name): to_json_types(inner) for name, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [to_json_types(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        raise TypeError("a tool cannot return bytes to the model")
    return str(value)
