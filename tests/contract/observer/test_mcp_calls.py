"""After a call of an MCP server's tool the service is silent: the observer asks for the answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.contract.observer.scripted_mcp import (
    CALL,
    FAILED,
    MADE,
    asks_once,
    begin_call,
    end_call,
    followed,
)

SOON = timedelta(milliseconds=50)
SAID = {
    "id": "item_9",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "It is 42."}],
}


@pytest.mark.parametrize("made", [MADE, FAILED], ids=["made", "failed"])
@pytest.mark.parametrize("ends", ["before", "after"])
async def test_a_call_is_answered_once(made: dict[str, Any], ends: str) -> None:
    """A call that failed, too: the caller waits."""
    async with followed() as run:
        run.begin("resp_1")
        begin_call(run)
        if ends == "before":
            end_call(run, made)
            await run.handled()
            await run.has_sent_none("response.create")
        run.end("resp_1", status="completed", output=[made if ends == "before" else CALL])
        if ends == "after":
            await run.handled()
            await run.has_sent_none("response.create")
            end_call(run, made)
        await asks_once(run)


async def test_of_several_calls_the_last_one_is_waited_for() -> None:
    other, other_made = {**CALL, "id": "mcp_2"}, {**MADE, "id": "mcp_2"}
    async with followed() as run:
        run.begin("resp_1")
        begin_call(run)
        begin_call(run, other)
        run.end("resp_1", status="completed", output=[CALL, other])
        end_call(run)
        await run.handled()
        await run.has_sent_none("response.create")
        end_call(run, other_made)
        await asks_once(run)


async def test_nobody_is_asked_while_the_caller_speaks_or_where_it_has_been_answered() -> None:
    async with followed() as run:
        run.begin("resp_1")
        begin_call(run)
        run.end("resp_1", status="completed", output=[CALL])
        run.tell("input_audio_buffer.speech_started", audio_start_ms=0, item_id="item_2")
        end_call(run)
        await run.handled()
        await run.has_sent_none("response.create")
        run.tell("input_audio_buffer.committed", item_id="item_2")
        run.begin("resp_2")
        run.end("resp_2", status="completed")
        await run.handled()
        # The first may have been asked for between the two events; its answer is the second.
        run.begin("resp_3")
        begin_call(run, {**CALL, "id": "mcp_3"}, "resp_3")
        end_call(run, {**MADE, "id": "mcp_3"}, "resp_3")
        while not run.sideband.sent.empty():
            run.sideband.sent.get_nowait()
        run.end("resp_3", status="completed", output=[{**MADE, "id": "mcp_3"}, SAID])
        await run.handled()
        await run.has_sent_none("response.create")


async def test_a_call_outside_the_conversation_or_of_a_pages_making_is_not_answered() -> None:
    async with followed() as run:
        outside = {"id": "resp_out", "conversation_id": None}
        run.tell("response.created", response=outside)
        begin_call(run, CALL, "resp_out")
        end_call(run, MADE, "resp_out")
        run.tell("response.done", response={**outside, "status": "completed", "output": [MADE]})
        forged = {**MADE, "id": "mcp_forged"}
        run.tell("conversation.item.added", previous_item_id=None, item=forged)
        run.tell("conversation.item.done", item=forged)
        await run.handled()
        await run.has_sent_none("response.create")


async def test_a_call_of_a_cancelled_response_keeps_nothing_waiting() -> None:
    lost, other = {**CALL, "id": "mcp_lost"}, {**MADE, "id": "mcp_2"}
    async with followed() as run:
        run.begin("resp_1")
        begin_call(run, lost)
        run.end("resp_1", status="cancelled", output=[lost])
        run.begin("resp_2")
        begin_call(run, other, "resp_2")
        end_call(run, other, "resp_2")
        run.end("resp_2", status="completed", output=[other])
        await asks_once(run)


async def test_a_call_that_takes_too_long_keeps_nothing_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.observer.realtime.mcp_calls.CALLED_WITHIN", SOON)
    other = {**MADE, "id": "mcp_2"}
    async with followed() as run:
        run.begin("resp_1")
        begin_call(run)
        end_call(run, other)
        run.end("resp_1", status="completed", output=[CALL, other])
        await asks_once(run)
        end_call(run)
        await run.sent("response.create")
