"""Calls of an MCP server's tool on a sideband of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from tests.contract.observer.scripted_run import Scripted, scripted

CALL: Final = {
    "id": "mcp_1",
    "type": "mcp_call",
    "server_label": "deepwiki",
    "name": "ask_question",
    "arguments": "{}",
}
MADE: Final = {**CALL, "output": "42"}
FAILED: Final = {**CALL, "error": {"type": "http_error", "code": 502, "message": "Bad gateway"}}


@asynccontextmanager
async def followed(**terms: Any) -> AsyncIterator[Scripted]:
    """A run that ends, whatever comes of the test."""
    async with scripted(**terms) as run:
        try:
            yield run
        finally:
            run.sideband.events.put_nowait(None)


def begin_call(run: Scripted, item: dict[str, Any] = CALL, response: str = "resp_1") -> None:
    run.tell("response.output_item.added", response_id=response, item=item)


def end_call(run: Scripted, item: dict[str, Any] = MADE, response: str = "resp_1") -> None:
    """As the service does, whose events come in either order."""
    how = "failed" if "error" in item else "completed"
    run.tell(f"response.mcp_call.{how}", item_id=item["id"], output_index=0)
    run.tell("response.output_item.done", response_id=response, item=item)
    run.tell("conversation.item.done", item=item)


async def asks_once(run: Scripted) -> None:
    await run.sent("response.create")
    run.begin("resp_answer")
    run.end("resp_answer", status="completed")
    await run.handled()
    await run.has_sent_none("response.create")
