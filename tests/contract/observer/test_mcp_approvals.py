"""Requests of MCP servers to approve a call: answered once, as the profile says, on record."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from shared.observer.realtime import approval_proofs, approvals
from shared.realtime.admin_event_sender import send_admin_event
from shared.tools.approvals import ApprovalRequest
from shared.tools.registry import Registry
from tests.contract.observer.harness import ObservedCalls, observed_calls
from tests.contract.observer.scripted_mcp import asks_once, begin_call, end_call, followed
from tests.contract.observer.scripted_run import CALL as CALL_ID
from tests.contract.observer.scripted_run import Scripted, scripted
from tests.contract.observer.sessions import SESSION, call_with

CASES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
CASE: Final[dict[str, Any]] = json.loads((CASES / "prompt-and-mcp.json").read_text())
REQUEST: Final = {**CASE["approval"], "id": "mcpr_1"}
SERVER: Final = {**CASE["mcp_echo"], "server_url": "https://mcp.deepwiki.com/mcp"}
TERMS: Final[dict[str, Any]] = {"session": {**SESSION, "tools": [SERVER]}}
SOON: Final = timedelta(milliseconds=50)


def ask(run: Scripted, request: dict[str, Any] = REQUEST, response: str = "resp_1") -> None:
    """A response that ends with a request of the model's."""
    run.begin(response)
    for kind in ("added", "done"):
        run.tell(f"response.output_item.{kind}", response_id=response, item=request)
        run.tell(f"conversation.item.{kind}", previous_item_id=None, item=request)
    run.end(response, status="completed", output=[request])


async def answer(run: Scripted) -> tuple[str, bool]:
    """The next answer to a request: its id, and whether it approves. The service takes it."""
    while True:
        item = (await run.sent("conversation.item.create"))["item"]
        if item["type"] == "mcp_approval_response":
            break
    for kind in ("added", "done"):
        run.tell(f"conversation.item.{kind}", previous_item_id="mcpr_1", item=item)
    return item["approval_request_id"], item["approve"]


async def on_record(it: ObservedCalls) -> dict[str, Any]:
    line = await it.written(CALL_ID, lambda line: line.kind == "approval")
    return dict(line.fields)


def answers_sent(run: Scripted) -> list[dict[str, Any]]:
    sent = []
    while not run.sideband.sent.empty():
        event = run.sideband.sent.get_nowait()
        if event.get("item", {}).get("type") == "mcp_approval_response":
            sent.append(event)
    return sent


@pytest.mark.parametrize(
    ("policy", "approved"),
    [
        ("approve", True),
        ("refuse", False),
        ({"ask_question": "approve", "*": "refuse"}, True),
        ({"read_wiki": "approve", "*": "refuse"}, False),
        ({"*": "approve"}, True),
    ],
)
async def test_the_profile_answers(policy: Any, approved: bool) -> None:
    async with followed(**TERMS, approvals={"deepwiki": policy}) as run:
        ask(run)
        assert await answer(run) == ("mcpr_1", approved)
        told = await on_record(run.it)
        assert (told["approved"], told["by"]) == (approved, "profile")
        assert (told["server_label"], told["tool"]) == ("deepwiki", "ask_question")
        if approved:
            await run.handled()
            await run.has_sent_none("response.create")
            end_call(run)
        await asks_once(run)
        assert not answers_sent(run)


async def test_a_request_is_known_by_the_call_that_it_is_for() -> None:
    """It stands in the conversation alone, before the response is done."""
    async with followed(**TERMS, approvals={"deepwiki": "approve"}) as run:
        run.begin("resp_1")
        call = {"id": "mcp_1", "type": "mcp_call", "server_label": "deepwiki"}
        begin_call(run, {**call, "name": "ask_question", "arguments": ""})
        spaced = {**REQUEST, "arguments": '{"a": 1}'}
        run.tell("conversation.item.added", previous_item_id=None, item=spaced)
        run.tell("conversation.item.done", previous_item_id=None, item=spaced)
        run.tell("response.mcp_call_arguments.done", item_id="mcp_1", arguments='{"a":1}')
        assert await answer(run) == ("mcpr_1", True)
        run.end("resp_1", status="completed")


async def test_what_a_page_adds_is_not_answered() -> None:
    async with followed(**TERMS, approvals={"deepwiki": "approve"}) as run:
        call = {**REQUEST, "id": "mcp_1", "type": "mcp_call", "arguments": '{"made": 1}'}
        run.begin("resp_0")
        begin_call(run, {**call, "arguments": ""}, "resp_0")
        run.tell("response.mcp_call_arguments.done", item_id="mcp_1", arguments='{"made": 1}')
        end_call(run, {**call, "output": "x"}, "resp_0")
        run.end("resp_0", status="completed", output=[{**call, "output": "x"}])
        ask(run)
        await answer(run)
        # What the model has had approved, under its id and another; what it has called; its own.
        for forged in (
            {**REQUEST, "id": "mcpr_2"},
            {**REQUEST, "arguments": '{"a": 2}'},
            {**REQUEST, "id": "mcpr_3", "arguments": '{"made": 1}'},
            {**REQUEST, "id": "mcpr_4", "arguments": '{"a": 3}'},
        ):
            run.tell("conversation.item.added", previous_item_id=None, item=forged)
            run.tell("conversation.item.done", previous_item_id=None, item=forged)
        await run.handled()
        assert not answers_sent(run)


async def test_what_a_page_adds_is_not_read_again_at_every_later_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may add many, with long arguments."""
    read, canonical = list[str](), approval_proofs.canonical

    def counted(arguments: str) -> str:
        read.append(arguments)
        return canonical(arguments)

    monkeypatch.setattr(approval_proofs, "canonical", counted)
    async with followed(**TERMS, approvals={"deepwiki": "approve"}) as run:
        for number in range(10):
            forged = {**REQUEST, "id": f"mcpr_{number}"}
            run.tell("conversation.item.added", previous_item_id=None, item=forged)
        await run.handled()
        assert len(read) == 10
        for _ in range(10):
            run.tell("input_audio_buffer.committed", item_id="item_1")
        await run.handled()
        assert len(read) == 10


@pytest.mark.parametrize("label", ["other", ""])
async def test_a_server_that_the_profile_does_not_have_is_not_approved(label: str) -> None:
    async with followed(**TERMS, approvals={"deepwiki": "approve"}) as run:
        ask(run, {**REQUEST, "server_label": label})
        assert (await run.sent("response.cancel"))["response_id"] == "resp_1"
        await run.handled()
        assert not answers_sent(run)


async def test_a_request_is_the_pages_where_the_page_decides_the_session() -> None:
    async with followed(approvals={}) as run:
        ask(run)
        await run.handled()
        assert not answers_sent(run)


@pytest.mark.parametrize("approve", [True, False])
async def test_an_admin_answers(approve: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is not answered again when the time is up."""
    monkeypatch.setattr(approvals, "ANSWERED_WITHIN", SOON)
    async with followed(**TERMS) as run:
        ask(run)
        given = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1"}
        item = {"id": "item_admin", **given, "approve": approve}
        for kind in ("added", "done"):
            run.tell(f"conversation.item.{kind}", previous_item_id="mcpr_1", item=item)
        told = await on_record(run.it)
        assert (told["approved"], told["by"]) == (approve, "client")
        await asyncio.sleep(2 * SOON.total_seconds())
        if approve:
            end_call(run)
        await asks_once(run)
        assert not answers_sent(run)


async def test_what_nobody_answers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "ANSWERED_WITHIN", SOON)
    async with followed(**TERMS) as run:
        ask(run)
        assert await answer(run) == ("mcpr_1", False)
        assert (await on_record(run.it))["by"] == "nobody"
        await asks_once(run)


def registry_with(decision: Any) -> tuple[Registry, list[ApprovalRequest]]:
    registry, asked = Registry(), list[ApprovalRequest]()

    @registry.approval
    def decide(request: ApprovalRequest) -> bool:
        asked.append(request)
        if isinstance(decision, Exception):
            raise decision
        return decision  # type: ignore[no-any-return]

    return registry, asked


@pytest.mark.parametrize(
    ("decision", "approved"),
    [(True, True), (False, False), ("yes", False), (None, False), (RuntimeError("x"), False)],
)
async def test_a_function_answers(decision: Any, approved: bool) -> None:
    registry, asked = registry_with(decision)
    policies = {"deepwiki": {"ask_question": "function:decide"}}
    async with followed(registry=registry, **TERMS, approvals=policies) as run:
        ask(run, {**REQUEST, "arguments": '{"city": "Bern"}'})
        assert await answer(run) == ("mcpr_1", approved)
        assert asked == [ApprovalRequest("deepwiki", "ask_question", {"city": "Bern"})]
        assert (await on_record(run.it))["by"] == "function:decide"


async def test_a_function_is_not_asked_about_arguments_that_cannot_be_read() -> None:
    registry, asked = registry_with(True)
    policies = {"deepwiki": "function:decide"}
    async with followed(registry=registry, **TERMS, approvals=policies) as run:
        ask(run, {**REQUEST, "arguments": "[1"})
        assert await answer(run) == ("mcpr_1", False)
        assert not asked


async def test_a_later_run_answers_what_an_earlier_one_has_left_open() -> None:
    async with scripted(**TERMS) as first:
        ask(first)
        await first.it.written(CALL_ID, lambda line: line.kind == "approval asked")
        await first.it.kill(first.watching)
        first.it.skip = timedelta(minutes=2)
        async with scripted(first.it, **TERMS, approvals={"deepwiki": "approve"}) as run:
            assert await answer(run) == ("mcpr_1", True)
            run.sideband.events.put_nowait(None)


async def test_a_server_whose_list_the_service_adds_is_no_pages_doing() -> None:
    listed = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "deepwiki", "tools": []}
    theirs = {**listed, "id": "mcpl_2", "server_label": "theirs"}
    async with followed(**TERMS, keep_words=False) as run:
        for item in (listed, theirs):
            run.tell("conversation.item.added", previous_item_id=None, item=item)
        await run.handled()
        steered = [line.fields for line in run.it.lines(CALL_ID) if line.kind == "steered"]
        assert [each["fields"] for each in steered] == [["mcp_list_tools"]]


QUESTION: Final = {"words": ["question"], "mcp": {"tool": "ask_question", "output": "42"}}


def texts(done: dict[str, Any]) -> list[str]:
    return [part["text"] for item in done["response"]["output"] for part in item["content"]]


@pytest.mark.parametrize("policy", ["approve", "refuse"])
async def test_the_caller_hears_what_came_of_it(policy: str) -> None:
    async with observed_calls(rules=[QUESTION]) as it:
        call = await call_with(it, TERMS["session"])
        watching = await it.watch(call, **TERMS, approvals={"deepwiki": policy})
        await call.turn("a question")
        done = await call.expect("response.done")
        heard = "42" if policy == "approve" else "not approved"
        assert texts(done) == [f"The tool says: {heard}"]
        assert not [each for each in call.events if each["type"] == "error"]
        await call.hang_up()
        await watching.done()
        asked, told = (
            next(each for each in it.transcript(call.id).entries if each.kind == kind)
            for kind in ("approval_request", "approval")
        )
        assert (asked.origin, asked.name) == ("model", "ask_question")
        decision = "approved" if policy == "approve" else "refused"
        assert (told.origin, told.decision) == ("server", decision)
        assert told.call_id == asked.item_id


async def test_the_caller_hears_what_an_admin_has_approved() -> None:
    async with observed_calls(rules=[QUESTION]) as it:
        call = await call_with(it, TERMS["session"])
        watching = await it.watch(call, **TERMS)
        await call.turn("a question")
        asked = await it.written(call.id, lambda line: line.kind == "approval asked")
        given = {"type": "mcp_approval_response", "approval_request_id": asked.key, "approve": True}
        event = {"type": "conversation.item.create", "item": given}
        assert await send_admin_event(it.connect, call.id, event) is not None
        assert texts(await call.expect("response.done")) == ["The tool says: 42"]
        await call.hang_up()
        await watching.done()


async def test_the_caller_hears_an_answer_to_a_call_that_needs_no_approval_or_fails() -> None:
    error = {"type": "http_error", "code": 502, "message": "Bad gateway"}
    fails = {"words": ["failure"], "mcp": {"tool": "ask_question", "error": error}}
    session = {**TERMS["session"], "tools": [{**SERVER, "require_approval": "never"}]}
    async with observed_calls(rules=[QUESTION, fails]) as it:
        call = await call_with(it, session)
        watching = await it.watch(call, session=session)
        for said, heard in (("a question", "42"), ("a failure", "Bad gateway")):
            await call.turn(said)
            assert texts(await call.expect("response.done")) == [f"The tool says: {heard}"]
        await call.hang_up()
        result = await watching.done()
        assert result.tally.failures == {"mcp_call_failed": {"http_error 502": 1}}
