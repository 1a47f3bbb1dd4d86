"""What a Live call delegates to the server: each is answered, whatever becomes of the work."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.observer.live import appends, client_delegations
from shared.observer.live.client_delegations import INTERRUPTED, NOT_HERE, REFUSED_AT_MOST
from shared.tools.delegation import (
    NOT_DONE,
    NOTHING_FOUND,
    TOO_LATE,
    TOO_MANY,
    DelegatedTask,
    Said,
)
from shared.tools.registry import Registry
from shared.tools.runner import ToolError
from tests.unit.observer.live.harness import CLIENT, LiveRun, live_run

QUICK = timedelta(milliseconds=20)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_delegations, "LATE_WORDS", QUICK)
    monkeypatch.setattr(client_delegations, "BETWEEN_REFUSALS", QUICK)
    monkeypatch.setattr(appends, "AFTER_REPLAY", QUICK)
    monkeypatch.setattr(appends, "TRY_AGAIN_AFTER", QUICK)


def delegate(run: LiveRun, delegation_id: str, offset_ms: int, target: str = "client") -> None:
    run.tell(
        "session.delegation.created",
        offset_ms=offset_ms,
        delegation={"id": delegation_id, "type": "delegation", "target": target},
    )


def answering(answer: Any) -> tuple[Registry, list[DelegatedTask]]:
    """A registry whose only function answers so: a value, or an exception that it raises."""
    registry, tasks = Registry(), []

    @registry.delegation(timeout=timedelta(seconds=2))
    async def look_up(task: DelegatedTask) -> Any:
        tasks.append(task)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return registry, tasks


def answers(run: LiveRun) -> list[tuple[str | None, str]]:
    told = [each for each in run.connection.all if each["type"] == "session.commentary.append"]
    return [(each["delegation_id"], each["content"]) for each in told]


async def test_the_function_gets_the_words_and_its_answer_is_spoken() -> None:
    registry, tasks = answering("It is on its way.")
    async with live_run(CLIENT, registry) as run:
        run.say("Hello.", 0)
        run.say("How can I help?", 1000, "output")
        run.say("Where is", 3000)
        run.say(" order 1002?", 3200)
        delegate(run, "item_1", 3200)
        await run.sent("session.commentary.append")
        (task,) = tasks
        assert task.words == "Hello.Where is order 1002?"
        assert task.conversation == (
            Said("user", "Hello."),
            Said("assistant", "How can I help?"),
            Said("user", "Where is order 1002?"),
        )
        assert answers(run) == [("item_1", "It is on its way.")]
        (tool,) = await run.lines("tool")
        assert (tool.key, tool.fields["name"], tool.fields["ok"]) == ("item_1", "look_up", True)


async def test_words_that_come_late_belong_to_it_and_later_ones_do_not() -> None:
    registry, tasks = answering("Done.")
    async with live_run(CLIENT, registry) as run:
        run.say("Run the", 2800)
        delegate(run, "item_1", 3200)
        run.say(" tests", 3200)
        run.say(" and change", 4000)
        await run.sent("session.commentary.append")
        run.say(" it again", 5400)
        delegate(run, "item_2", 5400)
        await run.sent("session.commentary.append")
        assert [task.words for task in tasks] == ["Run the tests", "and change it again"]


async def test_an_odd_place_costs_no_later_delegation_its_words() -> None:
    registry, tasks = answering("Done.")
    async with live_run(CLIENT, registry) as run:
        run.context.recorder.start_connection()
        run.say("First", 1000)
        delegate(run, "item_1", 7_000_000)
        await run.sent("session.commentary.append")
        run.say("Cancel my order 17.", 6000)
        delegate(run, "item_2", 6000)
        await run.sent("session.commentary.append")
        run.say("Thank you.", 8000)
        delegate(run, "item_3", 0)
        await run.sent("session.commentary.append")
        delegate(run, "item_4", 8000)
        await run.sent("session.commentary.append")
        words = [task.words for task in tasks]
        assert words == ["First", "Cancel my order 17.", "", "Thank you."]


async def test_words_of_an_earlier_runs_delegation_are_not_the_next_ones() -> None:
    """The run was killed before it had written them, and the service repeats them."""
    registry, tasks = answering("Done.")
    async with live_run(CLIENT, registry) as first:
        delegate(first, "item_1", 3000)
        await first.record()
    async with live_run(CLIENT, registry, log=first.log, holder="run-2") as second:
        second.context.recorder.start_connection()
        second.say("Cancel my order 17.", 2800)
        second.say("And the weather?", 5000)
        delegate(second, "item_2", 5000)
        await second.sent("session.commentary.append")
        assert [task.words for task in tasks] == ["And the weather?"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, NOTHING_FOUND),
        ("", NOTHING_FOUND),
        ("  ", NOTHING_FOUND),
        ({"eta": "Monday"}, '{"eta": "Monday"}'),
        (ToolError("There is no such order."), "There is no such order."),
        (RuntimeError("secret"), NOT_DONE),
        (b"bytes", NOT_DONE),
    ],
)
async def test_whatever_becomes_of_the_work_there_is_an_answer(answer: Any, told: str) -> None:
    registry, _ = answering(answer)
    async with live_run(CLIENT, registry) as run:
        delegate(run, "item_1", 0)
        await run.sent("session.commentary.append")
        assert answers(run) == [("item_1", told)]


async def test_work_that_takes_too_long_is_answered() -> None:
    registry = Registry()

    @registry.delegation(timeout=timedelta(milliseconds=20))
    async def look_up(task: DelegatedTask) -> str:
        await asyncio.sleep(60)
        return ""

    async with live_run(CLIENT, registry) as run:
        delegate(run, "item_1", 0)
        await run.sent("session.commentary.append")
        assert answers(run) == [("item_1", TOO_LATE)]
        assert [each.fields["ok"] for each in await run.lines("tool")] == [False]


async def test_a_function_that_is_not_async_blocks_nothing() -> None:
    registry = Registry()

    @registry.delegation
    def look_up(task: DelegatedTask) -> str:
        return task.words or "nothing"

    async with live_run(CLIENT, registry) as run:
        delegate(run, "item_1", 0)
        await run.sent("session.commentary.append")
        assert answers(run) == [("item_1", "nothing")]


async def test_without_a_function_the_model_is_told() -> None:
    async with live_run(CLIENT, Registry()) as run:
        delegate(run, "item_1", 0)
        await run.sent("session.commentary.append")
        assert answers(run) == [("item_1", NOT_HERE)]


async def test_of_several_functions_none_is_chosen_for_a_call_that_names_none() -> None:
    registry, tasks = answering("It is on its way.")
    registry.delegation(name="other")(lambda _: "Done.")
    async with live_run(CLIENT, registry) as run:
        delegate(run, "item_1", 0)
        await run.sent("session.commentary.append")
        assert answers(run) == [("item_1", NOT_HERE)]
        assert tasks == []


async def test_a_long_answer_is_told_in_pieces() -> None:
    registry, _ = answering("This is a sentence of an answer that is long. " * 30)
    async with live_run(CLIENT, registry) as run:
        delegate(run, "item_1", 0)
        await run.quiet()
        told = answers(run)
        assert len(told) > 2
        assert all(len(text.encode()) <= 480 and name == "item_1" for name, text in told)


async def test_each_delegation_is_done_once_and_only_those_to_us() -> None:
    registry, tasks = answering("Done.")
    async with live_run(CLIENT, registry) as run:
        for _ in range(3):
            delegate(run, "item_1", 0)
        delegate(run, "item_2", 0, "responses")
        delegate(run, "item_3", 0, "decisions")
        delegate(run, "item_4", 0, "somebody")
        await run.quiet()
        assert len(tasks) == 1


async def test_too_many_at_once_are_refused() -> None:
    registry, go = Registry(), asyncio.Event()

    @registry.delegation
    async def look_up(task: DelegatedTask) -> str:
        await go.wait()
        return "Done."

    async with live_run(CLIENT, registry) as run:
        for number in range(6):
            delegate(run, f"item_{number}", 0)
        await run.sent("session.commentary.append")
        go.set()
        await run.quiet()
        assert sorted(text for _, text in answers(run)) == ["Done."] * 4 + [TOO_MANY] * 2


@pytest.mark.parametrize(
    ("pause", "refused"), [(timedelta(minutes=1), 0), (timedelta(0), REFUSED_AT_MOST)]
)
async def test_a_burst_of_delegations_is_no_burst_of_answers(
    monkeypatch: pytest.MonkeyPatch, pause: timedelta, refused: int
) -> None:
    monkeypatch.setattr(client_delegations, "BETWEEN_REFUSALS", pause)
    registry, go = Registry(), asyncio.Event()

    @registry.delegation
    async def look_up(task: DelegatedTask) -> str:
        await go.wait()
        return "Done."

    async with live_run(CLIENT, registry) as run:
        for number in range(500):
            delegate(run, f"item_{number}", 0)
        for _ in range(refused):
            await run.sent("session.commentary.append")
        go.set()
        for _ in range(4):
            await run.sent("session.commentary.append")
        await run.pass_time(5 * QUICK)
        assert [text for _, text in answers(run)] == [TOO_MANY] * refused + ["Done."] * 4


async def test_an_unknown_delegation_is_answered_to_nobody_in_particular() -> None:
    registry, _ = answering("It is on its way.")
    async with live_run(CLIENT, registry) as run:
        delegate(run, "item_1", 0)
        sent = await run.sent("session.commentary.append")
        run.fail(None, "Unknown client delegation.", sent["event_id"])
        again = await run.sent("session.commentary.append")
        assert (again["delegation_id"], again["content"]) == (None, "It is on its way.")
        run.fail(None, "Unknown client delegation.", again["event_id"])
        (failed,) = await run.lines("failed")
        assert failed.fields == {"what": "append_refused", "code": "unknown_client_delegation"}


async def test_an_answer_that_was_lost_is_told_over_the_next_connection() -> None:
    registry, _ = answering("It is on its way.")
    async with live_run(CLIENT, registry) as run:
        run.connection.lost = True
        delegate(run, "item_1", 0)
        await run.quiet()
        run.connection.lost = False
        run.controller.reconnected()
        sent = await run.sent("session.commentary.append")
        run.tell(
            "session.commentary.appended", start_ms=0, end_ms=0, client_event_id=sent["event_id"]
        )
        run.controller.reconnected()
        await run.pass_time(3 * QUICK)
        assert len(answers(run)) == 1, "it is acknowledged"
        assert await run.lines("steered") == []


async def test_a_run_that_takes_over_answers_what_was_left() -> None:
    registry = Registry()

    @registry.delegation
    async def look_up(task: DelegatedTask) -> str:
        await asyncio.sleep(60)
        return ""

    async with live_run(CLIENT, registry) as first:
        delegate(first, "item_1", 3000)
        await first.record()
    async with live_run(CLIENT, registry, log=first.log, holder="run-2") as second:
        delegate(second, "item_1", 3000)
        await second.controller.answer_abandoned()
        assert answers(second) == [("item_1", INTERRUPTED)]
        await second.record()
    async with live_run(CLIENT, registry, log=first.log, holder="run-3") as third:
        await third.controller.answer_abandoned()
        assert answers(third) == []


async def test_the_record_has_the_delegation_and_what_was_answered() -> None:
    registry, _ = answering("It is on its way.")
    async with live_run(CLIENT, registry) as run:
        delegate(run, "item_1", 0)
        await run.quiet()
        entries = [(each.kind, each.name, each.text) for each in (await run.transcript()).entries]
        assert entries == [("delegation", "client", None), ("commentary", "", "It is on its way.")]


async def test_without_words_on_record_the_work_is_done_all_the_same() -> None:
    registry, tasks = answering("It is on its way.")
    async with live_run(CLIENT, registry, keep_words=False) as run:
        run.say("Where is it?", 0)
        delegate(run, "item_1", 0)
        await run.quiet()
        assert tasks[0].words == "Where is it?"
        assert "on its way" not in str(await run.record())
