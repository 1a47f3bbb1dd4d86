"""Runs one tool with the model's arguments, within its time limit."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from shared.core import logs
from shared.core.bulkhead import Bulkhead, NoThreadFree
from shared.core.json_reader import well_formed
from shared.tools.parameters import Parameters, WrongArguments

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


async def run_tool(tool: Tool, arguments: str, threads: Bulkhead) -> Result:
    """Runs the tool with the model's arguments, which are JSON text. Never raises."""
    try:
        given = tool.parameters.check_arguments(parse_arguments(arguments))
    except WrongArguments as wrong:
        return failed(str(wrong))
    except Exception as error:  # such as a number that no float can hold
        logs.event("tool arguments not understood", tool=tool.name, reason=type(error).__name__)
        return failed("The arguments are not valid.")
    try:
        async with asyncio.timeout(tool.timeout.total_seconds()):
            value = await run_function(tool, given, threads)
        return Result(encode_result(value), ok=True)
    except ToolError as told:
        return failed(str(told))
    except NoThreadFree:
        logs.event("tool not run", logging.WARNING, tool=tool.name, reason="no thread")
        return failed("Too many tools are running. Call it again later.")
    except TimeoutError:
        logs.event("tool timed out", tool=tool.name, seconds=tool.timeout.total_seconds())
        return failed(f"{tool.name} took too long. Its work may or may not be done.")
    except Exception:
        logs.failure("tool failed", tool=tool.name)
        return failed(f"{tool.name} failed. It may work later.")


async def run_function(tool: Tool, given: Mapping[str, Any], threads: Bulkhead) -> Any:
    """Runs a function that is not async on a thread: if it outlives its timeout it is abandoned,
    because a thread cannot be stopped. Raises NoThreadFree, and what the function raises."""
    if inspect.iscoroutinefunction(tool.function):
        return await tool.function(**given)
    work = partial(copy_context().run, partial(tool.function, **given))
    return await threads.run(work)


def failed(message: str) -> Result:
    error = well_formed(message[:1000])
    return Result(json.dumps({"error": error}, ensure_ascii=False), ok=False)


def parse_arguments(arguments: str) -> dict[str, Any]:
    """The model's arguments. Raises WrongArguments."""
    if len(arguments) > ARGUMENT_CHARACTERS:
        raise WrongArguments("The arguments are too long.")
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise WrongArguments("The arguments are not JSON.") from None
    if not isinstance(given, dict):
        raise WrongArguments("The arguments are not a JSON object.")
    return given


def encode_result(value: Any) -> str:
    """A result as JSON text; a string stays as it is. One that is too long is cut and says so."""
    if isinstance(value, str):
        text = well_formed(value)
    else:
        text = well_formed(json.dumps(to_json_types(value), ensure_ascii=False, allow_nan=False))
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
