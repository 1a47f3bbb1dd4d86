"""A model that fails to answer: who calls and who runs it can see that, and the caller gets an
answer after all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.hostile.page_call import until
from tests.contract.hostile.running import Stack
from tests.support.principals import signed_in

pytestmark = pytest.mark.asyncio(loop_scope="package")

RATE_LIMIT = {"type": "server_error", "code": "inference_rate_limit_exceeded"}
FAILURES = {"response_failed": {"inference_rate_limit_exceeded": 1}}
ANSWER = "Here I am."


@pytest.mark.usefixtures("after_faults")
async def test_caller_and_admin_see_that_an_answer_failed_and_another_is_given(
    stack: Stack,
) -> None:
    fail = {"words": ["busy"], "fail": RATE_LIMIT, "times": 1}
    await stack.emulator.change({"rules": [fail, {"words": ["busy"], "say": ANSWER}]})
    admin = signed_in("an-admin", "admin")

    async def shown(path: str, headers: dict[str, str]) -> Any:
        async with stack.http.get(f"{stack.url}{path}", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async with stack.call() as call:
        content = [{"type": "input_text", "text": "busy"}]
        item = {"type": "message", "role": "user", "content": content}
        call.caller.send_event({"type": "conversation.item.create", "item": item})
        call.caller.send_event({"type": "response.create"})
        await until(lambda: bool(call.record.failures), "counted")
        assert (await shown(call.place, call.headers))["failures"] == FAILURES
        listed = (await shown("/api/calls", admin))["calls"]
        assert [each["failures"] for each in listed if each["id"] == call.name] == [FAILURES]
        texts = call.caller.events
        await until(lambda: any(each.get("text") == ANSWER for each in texts), "answered")
        assert sum(event["type"] == "error" for event in texts) == 0
    transcript = (await shown(f"/api/calls/{call.name}/transcript", admin))["transcript"]
    user, failure, answer = transcript["entries"]
    assert (user["text"], answer["text"]) == ("busy", ANSWER)
    assert failure["name"] == "response_failed"
    assert failure["reason"] == "inference_rate_limit_exceeded"
    assert failure["retried"] is True
    (row,) = [each for each in (await shown("/api/usage", admin))["usage"] if "failures" in each]
    assert row["failures"] == 1
    logged = [text for text in stack.logs.texts if "call failure {" in text]
    assert len(logged) == 1
    assert call.name in logged[0]
    assert '"what": "response_failed", "code": "inference_rate_limit_exceeded"' in logged[0]
