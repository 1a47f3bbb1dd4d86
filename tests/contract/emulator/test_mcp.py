"""Calls of MCP servers' tools: with and without approval, and those that fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.emulator.harness import fake_call

SERVER = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example"}
RULE = {"words": ["question"], "mcp": {"tool": "ask", "arguments": {"q": "x"}, "output": "42"}}
ERROR = {"type": "http_error", "code": 502, "message": "Bad gateway"}


def config(require_approval: Any) -> dict[str, Any]:
    server = {**SERVER, "require_approval": require_approval}
    return {"output_modalities": ["text"], "tools": [server]}


async def test_a_call_that_needs_no_approval_and_its_silence() -> None:
    async with fake_call(config=config("never"), rules=[RULE]) as it:
        it.ask("A question.")
        await it.expect("response.created")
        assert await it.kinds("response.done") == [
            "response.output_item.added",
            "conversation.item.added",
            "response.mcp_call_arguments.delta",
            "response.mcp_call_arguments.done",
            "response.mcp_call.in_progress",
            "response.mcp_call.completed",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        (made,) = it.events[-1]["response"]["output"]
        assert (made["arguments"], made["output"]) == ('{"q": "x"}', "42")
        it.tell("response.create")
        done = await it.expect("response.done")
        assert done["response"]["output"][0]["content"][0]["text"] == "The tool says: 42"


async def test_a_call_that_fails() -> None:
    rule = {"words": [], "mcp": {"tool": "ask", "error": ERROR}}
    async with fake_call(config=config("never"), rules=[rule]) as it:
        it.ask("A question.")
        await it.expect("response.mcp_call.failed")
        (made,) = (await it.expect("response.done"))["response"]["output"]
        assert (made["output"], made["error"]) == (None, ERROR)


async def test_a_call_that_is_interrupted_is_not_made() -> None:
    async with fake_call(config=config("never"), rules=[RULE], text_delta_seconds=60) as it:
        it.ask("A question.")
        await it.expect("response.mcp_call_arguments.delta")
        it.tell("response.cancel")
        (begun,) = (await it.expect("response.done"))["response"]["output"]
        assert begun["output"] is None
        assert not [each for each in it.events if each["type"].startswith("response.mcp_call.")]


@pytest.mark.parametrize("approve", [True, False])
async def test_a_call_that_is_to_be_approved(approve: bool) -> None:
    async with fake_call(config=config("always"), rules=[RULE]) as it:
        it.ask("A question.")
        await it.expect("response.done")
        request = (await it.expect("conversation.item.done"))["item"]
        assert (request["type"], request["name"]) == ("mcp_approval_request", "ask")
        answer = {
            "id": "a",
            "type": "mcp_approval_response",
            "approval_request_id": request["id"],
            "approve": approve,
        }
        it.tell("conversation.item.create", item=answer)
        await it.expect("conversation.item.done")
        if approve:
            await it.expect("response.mcp_call.completed")
            made = (await it.expect("conversation.item.done"))["item"]
            assert (made["output"], made["approval_request_id"]) == ("42", request["id"])
        it.tell("response.create")
        done = await it.expect("response.done")
        text = done["response"]["output"][0]["content"][0]["text"]
        assert text == f"The tool says: {'42' if approve else 'not approved'}"
        it.tell("conversation.item.create", item={**answer, "id": "b"})
        error = (await it.expect("error"))["error"]
        assert error["param"] == "item.approval_request_id"


@pytest.mark.parametrize(
    ("stated", "asks"),
    [
        ({"never": {"tool_names": ["ask"]}}, False),
        ({"never": {"tool_names": ["other"]}}, True),
        ({"always": {"tool_names": ["ask"]}}, True),
        ({"always": {"tool_names": ["other"]}}, False),
        ({}, True),
    ],
)
async def test_which_tools_are_to_be_approved(stated: Any, asks: bool) -> None:
    async with fake_call(config=config(stated), rules=[RULE]) as it:
        it.ask("A question.")
        (made,) = (await it.expect("response.done"))["response"]["output"]
        assert (made["output"] is None) is asks
