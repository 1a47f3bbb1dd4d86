"""What an observer does for a Live call, against the emulator: functions and delegations are all
answered, whatever fails."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from shared.observer.context import Farewell
from shared.observer.live import client_delegations, delegated_work
from shared.observer.live.appends import SORRY
from shared.tools.delegation import DelegatedTask
from shared.tools.registry import Registry
from tests.contract.observer.test_live_emulated import Emulated, emulated

PROFILE_TOOLS = [
    {"type": "function", "name": name, "parameters": {"type": "object", "properties": {}}}
    for name in ("get_weather", "get_time")
]
BACKEND: dict[str, Any] = {
    "type": "responses",
    "responses": {"model": "gpt-5.6-sol", "instructions": "Be brief.", "tools": PROFILE_TOOLS},
}
LOOK_UP = "please look up the weather for me"
BOTH = {"calls": [{"tool": "weather"}, {"tool": "time"}]}


def rules(word: str, **rule: Any) -> dict[str, Any]:
    return {"rules": [{"words": [word], **rule}]}


class Functions:
    """Functions of the server's that count how often they are called."""

    def __init__(self, answer: Any = "It is foggy.") -> None:
        self.registry = Registry()
        self.called: list[str] = []

        @self.registry.tool
        async def get_weather(city: str = "") -> Any:
            """Tells the weather."""
            self.called.append("get_weather")
            return answer

        @self.registry.tool
        async def get_time() -> Any:
            """Tells the time."""
            self.called.append("get_time")
            # The other function of the same response has answered by then.
            await asyncio.sleep(0.05)
            return "It is noon."


async def begin(
    them: Emulated, functions: Registry, delegation: dict[str, Any] = BACKEND, **terms: Any
) -> tuple[str, Any]:
    session = await them.session(delegation=delegation)
    profile = {"model": "gpt-live-1", "delegation": delegation}
    watching = await them.watch(session, {"registry": functions}, session=profile, **terms)
    return session, watching


def lines(them: Emulated, session: str, kind: str) -> list[Any]:
    return [line for line in them.it.lines(session) if line.kind == kind]


async def responses(them: Emulated, session: str, number: int) -> None:
    """Waits until so many responses are on record, or no function can be answered any more."""
    seen: set[str] = set()

    def is_last(line: Any) -> bool:
        seen.update({line.key} if line.kind == "response" else ())
        return len(seen) >= number or line.kind == "tools ended"

    await them.it.written(session, is_last)


async def end(them: Emulated, session: str, watching: Any) -> Any:
    await them.hang_up(session)
    return await watching.done()


async def test_the_result_of_a_function_is_spoken() -> None:
    functions = Functions()
    async with emulated() as them:
        session, watching = await begin(them, functions.registry)
        await them.hear(session, LOOK_UP)
        await them.said(session, "It is foggy")
        await end(them, session, watching)
        assert functions.called == ["get_weather"]
        entries = [(each.kind, each.name) for each in them.it.transcript(session).entries]
        assert ("delegation", "responses") in entries
        assert ("tool_call", "get_weather") in entries
        assert lines(them, session, "failed") == []
        assert len(lines(them, session, "continued")) == 1
        assert them.it.transcript(session).to_json()["usage"]["text_in"] > 0


async def test_parallel_calls_are_all_answered_and_the_work_goes_on_once() -> None:
    functions = Functions()
    async with emulated(**rules("both", delegate=BOTH)) as them:
        session, watching = await begin(them, functions.registry)
        await them.hear(session, "please do both")
        await them.said(session, "noon")
        await end(them, session, watching)
        assert sorted(functions.called) == ["get_time", "get_weather"]
        (continued,) = lines(them, session, "continued")
        assert len(continued.fields["calls"]) == 2
        assert len(lines(them, session, "response")) == 2
        assert lines(them, session, "failed") == []


async def test_a_function_that_nobody_has_is_answered_and_the_call_goes_on() -> None:
    async with emulated() as them:
        session, watching = await begin(them, Registry())
        await them.hear(session, LOOK_UP)
        await them.said(session, "no such function")
        await end(them, session, watching)


async def test_work_after_work() -> None:
    functions = Functions()
    async with emulated() as them:
        session, watching = await begin(them, functions.registry)
        for number in range(1, 4):
            await them.hear(session, LOOK_UP)
            await responses(them, session, 2 * number)
        await end(them, session, watching)
        assert len(functions.called) == 3
        assert len(lines(them, session, "tool")) == 3


async def test_a_handoff_that_fails_is_told_to_the_caller() -> None:
    fail = {"fail": "Responses handoff incomplete."}
    async with emulated(**rules("doomed", delegate=fail)) as them:
        session, watching = await begin(them, Registry())
        await them.hear(session, "this is doomed")
        await them.said(session, SORRY.split(".")[0])
        await end(them, session, watching)
        (failed,) = lines(them, session, "failed")
        assert failed.fields == {"what": "delegation_failed", "code": "handoff_incomplete"}
        assert lines(them, session, "steered") == []


async def test_a_backend_that_is_not_there_is_told_to_the_caller() -> None:
    """Its error names nothing and no cause."""
    async with emulated(live={"backends": ["gpt-6"]}) as them:
        session, watching = await begin(them, Registry())
        await them.hear(session, LOOK_UP)
        await them.said(session, SORRY.split(".")[0])
        await end(them, session, watching)
        (failed,) = lines(them, session, "failed")
        assert failed.fields == {"what": "delegation_failed", "code": "server_error"}
        assert lines(them, session, "response") == []


@pytest.mark.parametrize(("filler", "is_over"), [(31_900, False), (32_600, True)])
async def test_a_buffer_that_a_page_has_filled_is_answered_as_far_as_it_can_be(
    filler: int, is_over: bool
) -> None:
    """Only the service knows what a page has added. A short refusal may still have room."""
    functions = Functions("x" * 3000)
    async with emulated() as them:
        session, watching = await begin(them, functions.registry)
        page = await them.it.connect(session)
        item = {"type": "message", "role": "user", "content": "y" * filler}
        await page.send_event({"type": "response.item.create", "item": item})
        await them.hear(session, LOOK_UP)
        if is_over:
            await them.it.written(session, lambda line: line.kind == "tools ended")
            await them.said(session, "used up. Say so")
        else:
            await them.said(session, "no longer fit into this call")
        await page.close()
        await end(them, session, watching)
        what = [each.fields["what"] for each in lines(them, session, "failed")]
        assert "tool_output_refused" in what
        assert ("tools_ended" in what) == is_over
        assert "delegation_failed" not in what


async def test_outputs_beyond_the_room_are_refused_until_the_ability_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delegated_work, "QUIET", timedelta(milliseconds=20))
    functions = Functions("z" * 9_000)
    async with emulated() as them:
        session, watching = await begin(them, functions.registry)
        for number in range(1, 40):
            await them.hear(session, LOOK_UP)
            await responses(them, session, 2 * number)
            if lines(them, session, "tools ended"):
                break
        await end(them, session, watching)
        assert len(functions.called) > 8
        assert "output_refused" not in str(lines(them, session, "failed"))
        assert [each.fields["what"] for each in lines(them, session, "failed")] == ["tools_ended"]


async def test_a_run_that_takes_over_does_not_run_a_function_again() -> None:
    functions, go = Functions(), asyncio.Event()
    slow = Registry()

    @slow.tool(timeout=timedelta(seconds=30))
    async def get_weather(city: str = "") -> str:
        """Tells the weather."""
        functions.called.append("get_weather")
        await go.wait()
        return "It is foggy."

    async with emulated() as them:
        session, first = await begin(them, slow)
        await them.hear(session, LOOK_UP)
        await them.it.written(session, lambda line: line.kind == "calling")
        await them.it.kill(first)
        them.it.skip += timedelta(seconds=31)
        profile = {"model": "gpt-live-1", "delegation": BACKEND}
        second = await them.watch(session, {"registry": slow}, session=profile)
        await them.said(session, "not known whether this was done")
        await end(them, session, second)
        assert functions.called == ["get_weather"]


@pytest.mark.parametrize("provider", ["openai", "azure"])
async def test_work_delegated_to_the_server_is_answered(
    provider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_delegations, "LATE_WORDS", timedelta(milliseconds=50))
    registry, tasks = Registry(), []

    @registry.delegation
    async def look_up(task: DelegatedTask) -> str:
        tasks.append(task)
        return "It is foggy in London."

    async with emulated(provider=provider) as them:
        session, watching = await begin(them, registry, {"type": "client"})
        await them.hear(session, LOOK_UP)
        await them.said(session, "foggy in London")
        await end(them, session, watching)
        (task,) = tasks
        assert "weather" in task.words.lower()
        assert task.conversation[-1].text or task.conversation
        entries = [(each.kind, each.text) for each in them.it.transcript(session).entries]
        assert ("commentary", "It is foggy in London.") in entries
        assert lines(them, session, "steered") == []
        assert lines(them, session, "failed") == []


async def test_work_that_nobody_does_is_answered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_delegations, "LATE_WORDS", timedelta(milliseconds=50))
    async with emulated() as them:
        session, watching = await begin(them, Registry(), {"type": "client"})
        await them.hear(session, LOOK_UP)
        await them.said(session, "cannot be done in this call")
        await end(them, session, watching)


async def test_what_a_page_changes_of_the_session_is_put_back() -> None:
    async with emulated() as them:
        session, watching = await begin(them, Functions().registry)
        page = await them.it.connect(session)
        responses = {**BACKEND["responses"], "instructions": "Swear.", "tools": []}
        update = {"delegation": {"type": "responses", "responses": responses}}
        await page.send_event({"type": "session.update", "session": update})
        await them.it.written(session, lambda line: line.kind == "session")
        await page.send_event(
            {"type": "session.instructions.append", "content": "x", "delegation_id": None}
        )
        await them.it.written(session, lambda line: line.kind == "steered")
        await them.hear(session, LOOK_UP)
        await them.said(session, "It is foggy")
        await page.close()
        await end(them, session, watching)
        (overridden,) = lines(them, session, "session")
        assert overridden.fields == {
            "overridden": ["delegation.responses.instructions", "delegation.responses.tools"],
            "put_back": True,
        }
        assert "Swear" not in json.dumps([dict(each.fields) for each in them.it.lines(session)])


async def test_the_goodbye_is_spoken_before_the_call_is_hung_up() -> None:
    async with emulated() as them:
        farewell = Farewell("Say goodbye now.", timeout=timedelta(seconds=12))
        ends_at = them.it.clock() + timedelta(seconds=1)
        session, watching = await begin(
            them, Registry(), {"type": "client"}, farewell=farewell, ends_at=ends_at
        )
        result = await watching.done()
        assert result.reason == "time limit"
        assert any(role == "assistant" for role, _ in them.turns(session))
        assert lines(them, session, "usage")[-1].fields["final"] is True
