"""Tools: their schemas, how the model's arguments are converted, and what the model reads."""

from __future__ import annotations

import asyncio
import enum
import json
import logging
import threading
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeFunctionTool

from shared.core.bulkhead import Bulkhead
from shared.tools.parameters import WrongArguments
from shared.tools.registry import NO_QUEUE, TOOL_THREADS, Registry
from shared.tools.runner import OUTPUT_CHARACTERS, ToolError
from shared.tools.samples import sample_tools
from tests.support.patience import PATIENCE


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


def everything(
    name: str,
    count: int,
    price: float,
    gift: bool,
    size: Size,
    colour: Literal["red", "blue"],
    tags: list[str],
    note: str | None = None,
    extra: dict[str, Any] | None = None,
    copies: int = 1,
) -> list[Any]:
    """Orders
    something.

    Args:
        name: Whose it is,
            in full.
        copies (int): How many.

    Returns: nothing of interest.
    """
    return [name, count, price, gift, size, colour, tags, note, extra, copies]


GOOD = {
    "name": "Ada",
    "count": 2.0,
    "price": 3,
    "gift": True,
    "size": "large",
    "colour": "red",
    "tags": ["x"],
    "note": None,
}


def registry_of(*functions: Any, **options: Any) -> Registry:
    registry = Registry()
    for function in functions:
        registry.tool(**options)(function) if options else registry.tool(function)
    return registry


async def output(registry: Registry, name: str, **arguments: Any) -> Any:
    return json.loads((await registry.call_tool(name, json.dumps(arguments))).output)


def test_the_schema_comes_from_the_signature_and_the_docstring() -> None:
    definition = registry_of(everything).tools["everything"].definition()
    assert definition["description"] == "Orders something."
    schema = definition["parameters"]
    assert schema["required"] == ["name", "count", "price", "gift", "size", "colour", "tags"]
    assert schema["additionalProperties"] is False
    assert schema["properties"] == {
        "name": {"type": "string", "description": "Whose it is, in full."},
        "count": {"type": "integer"},
        "price": {"type": "number"},
        "gift": {"type": "boolean"},
        "size": {"type": "string", "enum": ["small", "large"]},
        "colour": {"type": "string", "enum": ["red", "blue"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": ["string", "null"]},
        "extra": {"type": ["object", "null"]},
        "copies": {"type": "integer", "description": "How many.", "default": 1},
    }
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(GOOD, schema)
    RealtimeFunctionTool.model_validate(definition)


def test_arguments_reach_the_function_as_its_types() -> None:
    given = registry_of(everything).tools["everything"].parameters.check_arguments(GOOD)
    made = everything(**given)
    assert made == ["Ada", 2, 3.0, True, Size.LARGE, "red", ["x"], None, None, 1]
    assert [type(each) for each in made[1:3]] == [int, float]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "copies", "extra", "more"]), JSON))
def test_the_check_agrees_with_the_schema(changes: dict[str, Any]) -> None:
    registry = registry_of(everything)
    parameters = registry.tools["everything"].parameters
    arguments = {**GOOD, **changes}
    fits = jsonschema.Draft202012Validator(parameters.schema).is_valid(arguments)
    with nullcontext() if fits else pytest.raises(WrongArguments):
        parameters.check_arguments(arguments)


async def test_all_errors_in_arguments_are_reported_together() -> None:
    told = await output(registry_of(everything), "everything", count="two", tags=[1], more=1)
    for part in (
        "count must be a whole number",
        "tags[0] must be text",
        "name is missing",
        "argument more",
    ):
        assert part in told["error"]


@pytest.mark.parametrize("arguments", ["{", "[]", "null", '"x"', "1", "x" * 40_000])
async def test_arguments_that_are_not_an_object(arguments: str) -> None:
    result = await registry_of(everything).call_tool("everything", arguments)
    assert not result.ok
    assert "arguments" in json.loads(result.output)["error"]


async def test_no_arguments_at_all() -> None:
    def ping() -> str:
        """Answers."""
        return "pong"

    result = await registry_of(ping).call_tool("ping", "")
    assert (result.output, result.ok) == ("pong", True)


async def test_a_failure_is_a_sentence_for_the_model_and_a_traceback_for_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> None:
        """Breaks."""
        raise RuntimeError("inner secret detail")

    with caplog.at_level(logging.ERROR, "broker"):
        result = await registry_of(broken).call_tool("broken", "{}")
    assert not result.ok
    assert "inner" not in result.output
    assert "Traceback" not in result.output
    assert "RuntimeError: inner secret detail" in caplog.text


async def test_a_tool_error_is_for_the_model() -> None:
    def refuse() -> None:
        """Refuses."""
        raise ToolError("Ask again tomorrow.")

    assert await output(registry_of(refuse), "refuse") == {"error": "Ask again tomorrow."}
    assert "no tool" in (await output(Registry(), "absent"))["error"]


async def test_a_plain_function_runs_beside_the_loop_and_an_async_one_on_it() -> None:
    def beside() -> bool:
        """Says where it runs."""
        return threading.current_thread() is threading.main_thread()

    async def on() -> bool:
        """Says where it runs."""
        return threading.current_thread() is threading.main_thread()

    registry = registry_of(beside, on)
    assert (await output(registry, "beside"), await output(registry, "on")) == (False, True)


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_timeout(kind: str) -> None:
    release = threading.Event()

    def slow() -> None:
        """Takes long."""
        release.wait(5)

    async def slow_async() -> None:
        """Takes long."""
        await asyncio.Event().wait()

    function = slow if kind == "plain" else slow_async
    registry = registry_of(function, name="slow", timeout=timedelta(milliseconds=20))
    result = await registry.call_tool("slow", "{}")
    release.set()
    assert not result.ok
    assert "took too long" in result.output


async def test_tools_that_hang_keep_their_own_threads_and_no_others() -> None:
    """What ends calls, and a dial's look-up of a name, must not wait behind them."""
    release, names = threading.Event(), []

    def hang() -> None:
        """Hangs."""
        names.append(threading.current_thread().name)
        assert release.wait(PATIENCE)

    registry = Registry(Bulkhead("tools", 2, NO_QUEUE))
    registry.tool(timeout=timedelta(milliseconds=20))(hang)
    results = [await registry.call_tool("hang", "{}") for _ in range(3)]
    release.set()
    assert ["took too long" in result.output for result in results] == [True, True, False]
    assert "Too many tools are running" in results[2].output
    assert [name.startswith("tools") for name in names] == [True, True]
    await asyncio.to_thread(registry.threads.pool.shutdown)
    assert registry.threads.accepted == 0


def test_the_apps_tools_have_threads_of_their_own() -> None:
    assert sample_tools().threads.threads == TOOL_THREADS


async def test_results_are_json_and_capped() -> None:
    def rich() -> dict[str, Any]:
        """Gives types that JSON lacks."""
        when = datetime(2026, 1, 2, tzinfo=UTC)
        return {"when": when, "day": date(2026, 1, 2), "sum": Decimal("1.5"), "of": (1, {2})}

    def large() -> list[str]:
        """Gives much."""
        return ["x" * 100] * 1000

    def raw() -> bytes:
        """Gives what the model cannot read."""
        return b"x"

    registry = registry_of(rich, large, raw)
    shown = {"when": "2026-01-02 00:00:00+00:00", "day": "2026-01-02", "sum": "1.5", "of": [1, [2]]}
    assert await output(registry, "rich") == shown
    capped = (await registry.call_tool("large", "{}")).output
    assert len(capped) == OUTPUT_CHARACTERS
    assert capped.endswith("too long)")
    assert not (await registry.call_tool("raw", "{}")).ok


def untyped(x) -> None:  # type: ignore[no-untyped-def]  # on purpose
    """Does it."""


def silent(x: int) -> None: ...


def strange(x: complex) -> None:
    """Does it."""


def many(*x: int) -> None:
    """Does it."""


def misdescribed(x: int) -> None:
    """Does it.

    Args:
        y: Not there.
    """


@pytest.mark.parametrize("function", [untyped, silent, strange, many, misdescribed])
def test_a_tool_that_cannot_be_described_is_refused_at_once(function: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=function.__name__):
        Registry().tool(function)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="already"):
        registry_of(everything, everything)


def test_a_profile_that_names_a_tool_gets_its_definition() -> None:
    registry = sample_tools()
    foreign = {"type": "function", "name": "page_tool", "parameters": {"type": "object"}}
    own_words = {"type": "function", "name": "order_status", "description": "Mine."}
    tools = [{"type": "function", "name": "current_time"}, foreign, own_words]
    completed = registry.complete_session({"type": "realtime", "tools": tools})["tools"]
    assert completed[0] == registry.tools["current_time"].definition()
    assert completed[1] == foreign
    assert completed[2]["description"] == "Mine."
    assert completed[2]["parameters"] == registry.tools["order_status"].parameters.schema
    assert registry.complete_session({"type": "realtime"}) == {"type": "realtime"}


async def test_the_sample_tools() -> None:
    registry = sample_tools(lambda: datetime(2026, 7, 1, 12, 30, tzinfo=UTC))
    told = await output(registry, "current_time", time_zone="Asia/Tokyo")
    assert (told["time"], told["date"]) == ("21:30", "Wednesday, 1 July 2026")
    assert (await output(registry, "current_time"))["time"] == "12:30"
    for name in ("Mars/Olympus", "../etc/passwd", "", "Europe", "x" * 5000):
        assert "no time zone" in (await output(registry, "current_time", time_zone=name))["error"]
    assert (await output(registry, "order_status", order_number="10 02."))["status"] == "on its way"
    assert "no order" in (await output(registry, "order_status", order_number="9"))["error"]
