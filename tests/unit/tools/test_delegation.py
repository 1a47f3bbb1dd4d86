"""Functions that do what Live calls delegate to the server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.tools.delegation import NOTHING_FOUND, DelegatedTask, Said
from shared.tools.registry import Registry
from shared.tools.samples import sample_tools


def task(words: str) -> DelegatedTask:
    return DelegatedTask(words, (Said("user", words),))


async def answer_of(registry: Registry, name: str | None, words: str = "x") -> str:
    found = registry.delegation_named(name)
    assert found is not None
    return (await registry.run_delegation(found, task(words))).output


async def test_a_function_is_found_by_its_name_and_the_only_one_without() -> None:
    registry = Registry()
    assert registry.delegation_named(None) is None

    @registry.delegation
    def first(task: DelegatedTask) -> str:
        return "first"

    assert await answer_of(registry, None) == "first"

    @registry.delegation(name="second")
    async def other(task: DelegatedTask) -> str:
        return "second"

    assert await answer_of(registry, "first") == "first"
    assert await answer_of(registry, "second") == "second"
    assert registry.delegation_named(None) is None
    assert registry.delegation_named("other") is None
    with pytest.raises(ValueError, match="already a delegation"):
        registry.delegation(name="first")(first)


async def test_functions_that_are_not_async_have_threads_of_their_own() -> None:
    registry = Registry()
    assert registry.threads.limit is not None

    @registry.delegation
    def look_up(task: DelegatedTask) -> Any:
        return {"said": task.conversation[0].text, "at": datetime(2026, 1, 1, tzinfo=UTC)}

    told = await answer_of(registry, None, "hello")
    assert told == '{"said": "hello", "at": "2026-01-01 00:00:00+00:00"}'


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Where is order 1 0 0 2?", "Order 1002 is on its way: tomorrow, by courier."),
        ("Where is my order?", "The order's number is needed. Ask for it."),
        ("Order 4711", "There is no order with that number. Ask the caller to read it again."),
        ("What time is it?", "It is 12:30 UTC on Wednesday, 1 July 2026."),
        ("please look up the weather for me", "a few clouds in London, 13 degrees."),
        ("Do you sell bicycles?", NOTHING_FOUND),
    ],
)
async def test_the_sample(words: str, told: str) -> None:
    registry = sample_tools(lambda: datetime(2026, 7, 1, 12, 30, tzinfo=UTC))
    assert await answer_of(registry, None, words) == told
