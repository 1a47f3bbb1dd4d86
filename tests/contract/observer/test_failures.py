"""What fails in a call is in its transcript, in the log and in its tally. A response that failed of
a passing fault is asked for once more."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from shared.observer import meter
from shared.observer.realtime import response_retry
from shared.transcripts.writer import log_name
from tests.contract.observer.harness import observed_calls
from tests.contract.observer.scripted_run import CALL, QUIET, RATE_LIMIT, scripted
from tests.contract.observer.sessions import SESSION, call_with

CASES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
FAILED: Final[list[dict[str, Any]]] = json.loads((CASES / "failed-responses.json").read_text())
BUSY = {"words": ["busy"], "fail": RATE_LIMIT}


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_retry, "PAUSE", QUIET)
    monkeypatch.setattr(meter, "ACCOUNTED_WITHIN", QUIET)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "broker")
    return caplog


@pytest.mark.parametrize("keep_words", [True, False])
@pytest.mark.parametrize("case", FAILED, ids=lambda each: each["source"][:40])
async def test_a_response_that_is_not_completed_is_known_everywhere(
    case: dict[str, Any], keep_words: bool, logged: pytest.LogCaptureFixture
) -> None:
    async with scripted(keep_words=keep_words, retries_responses=False) as run:
        run.begin("resp_1")
        run.end("resp_1", status=case["status"], status_details=case["status_details"])
        failures = await run.done()
    assert run.tallies[-1].failures == case["failure"]
    assert (await run.watching.done()).tally.failures == case["failure"]
    told = [(each.name, {each.reason: 1}) for each in failures]
    assert dict(told) == case["failure"]
    lines = [text[12:] for text in logged.messages if text.startswith("call failure")]
    expected = [
        {"what": what, "code": code} for what, codes in case["failure"].items() for code in codes
    ]
    assert [json.loads(line) for line in lines] == expected
    assert "organization" not in logged.text, "upstream's text stays out of the log"


async def test_a_failure_stands_where_it_happened() -> None:
    async with observed_calls(rules=[BUSY]) as it:
        call = await call_with(it, SESSION)
        watching = await it.watch(call, session=SESSION, retries_responses=False)
        await call.turn("busy")
        await call.turn("hello")
        await call.hang_up()
        await watching.done()
        entries = it.transcript(call.id).entries
        assert [each.role or each.reason for each in entries] == [
            *("user", "inference_rate_limit_exceeded", "user", "assistant")
        ]
        shown = it.transcript(call.id).to_json()
        assert shown["failures"] == 1
        assert shown["entries"][1]["kind"] == "failure"


async def test_failed_transcriptions_listings_and_mcp_calls_are_known(
    logged: pytest.LogCaptureFixture,
) -> None:
    gone = {"type": "invalid_request_error", "code": "DeploymentNotFound", "message": "secret"}
    mcp = {"id": "item_4", "type": "mcp_call", "name": "find", "server_label": "shop"}
    transcription = "conversation.item.input_audio_transcription.failed"
    async with scripted(keep_words=False) as run:
        run.tell(transcription, item_id="item_1", error=gone)
        run.tell(transcription, item_id="item_1", error=gone)
        run.tell(transcription, item_id="item_2", error={"type": "transcription_error"})
        run.tell("mcp_list_tools.failed", item_id="item_3")
        run.tell("response.mcp_call.failed", item_id="item_4", output_index=0)
        error = {"type": "http_error", "code": 502, "message": "secret"}
        item = {**mcp, "error": error}
        run.tell("response.output_item.done", response_id="resp_1", item=item)
        run.tell("response.mcp_call.failed", item_id="item_5", output_index=1)
        run.end("resp_1", status="completed", output=[item])
        failures = await run.done()
    counted = {
        "transcription_failed": {"DeploymentNotFound": 1, "transcription_error": 1},
        "mcp_list_tools_failed": {"unknown": 1},
        "mcp_call_failed": {"http_error 502": 1, "unknown": 1},
    }
    assert (await run.watching.done()).tally.failures == counted
    assert len(failures) == 5
    assert sum(text.startswith("call failure {") for text in logged.messages) == 5
    assert "secret" not in logged.text
    assert b"secret" not in run.it.log.read(log_name(CALL))


async def test_words_that_could_not_be_transcribed_are_told_once() -> None:
    async with scripted() as run:
        item = {"id": "item_1", "type": "message", "role": "user", "content": []}
        run.tell("conversation.item.added", previous_item_id=None, item=item)
        run.tell(
            "conversation.item.input_audio_transcription.failed",
            item_id="item_1",
            error={"code": "audio_unintelligible"},
        )
        assert await run.done() == []
    (entry,) = run.it.transcript(CALL).entries
    assert entry.untranscribed == "audio_unintelligible"
    assert run.it.transcript(CALL).failures == 1


async def test_what_the_server_sends_and_the_endpoint_refuses_is_known() -> None:
    session = {**SESSION, "instructions": "Be brief."}
    async with scripted(session=session) as run:
        running = {"type": "realtime", "instructions": "Be rude.", "tools": []}
        run.tell("session.updated", session=running)
        await run.sent("session.update")
        update = await run.sent("session.update")
        assert update["session"]["instructions"] == "Be brief."
        error = {"code": "server_error", "event_id": update["event_id"]}
        run.tell("error", error=error)
        (failure,) = await run.done()
    assert (failure.name, failure.reason) == ("session_update_refused", "server_error")


async def test_a_fault_of_the_endpoints_own_is_known_and_a_refused_client_event_is_not_one(
    logged: pytest.LogCaptureFixture,
) -> None:
    async with scripted() as run:
        run.tell("error", error={"type": "server_error", "code": None, "message": "secret"})
        run.tell("error", error={"type": "invalid_request_error", "code": "rate_limit_exceeded"})
        for code in ("invalid_value", "response_cancel_not_active", "item_not_found"):
            run.tell("error", error={"type": "invalid_request_error", "code": code})
        failures = await run.done()
    told = [(each.name, each.reason) for each in failures]
    assert told == [("endpoint_error", "server_error"), ("endpoint_error", "rate_limit_exceeded")]
    assert "secret" not in logged.text


async def test_a_failure_is_counted_once_by_all_runs_together() -> None:
    async with observed_calls(rules=[BUSY]) as it:
        call = await call_with(it, SESSION)
        first = await it.watch(call, retries_responses=False)
        await call.turn("busy")
        await it.written(call.id, lambda line: line.kind == "response")
        await it.kill(first)
        it.skip += timedelta(seconds=31)
        second = await it.watch(call, retries_responses=False)
        await call.turn("busy")
        it.log.delete(log_name(call.id))
        await call.turn("busy")
        await call.hang_up()
        tally = (await second.done()).tally
    assert tally.failures == {"response_failed": {"inference_rate_limit_exceeded": 3}}


async def test_a_response_that_failed_of_a_passing_fault_is_asked_for_once_more() -> None:
    async with observed_calls(rules=[{**BUSY, "times": 1}]) as it:
        call = await call_with(it, SESSION)
        watching = await it.watch(call, session=SESSION)
        done = await call.turn("busy")
        assert done["response"]["status"] == "failed"
        done = await call.expect("response.done")
        assert done["response"]["status"] == "completed"
        await call.hang_up()
        await watching.done()
        _, failure, answer = it.transcript(call.id).entries
        assert (failure.kind, failure.retried) == ("failure", True)
        assert answer.text == "You said: busy."
        steered = [line.fields for line in it.lines(call.id) if line.kind == "steered"]
        assert not [each for each in steered if each["what"] == "response"], "it is ours"


async def test_it_is_not_asked_for_twice() -> None:
    async with scripted() as run:
        run.fail("resp_1")
        await run.sent("response.create")
        run.fail("resp_2")
        await run.handled()
        await run.has_sent_none("response.create")
        # Another turn is another response.
        run.tell("input_audio_buffer.committed", item_id="item_1")
        run.fail("resp_3")
        await run.sent("response.create")
        assert [each.retried for each in await run.done()] == [True, False, True]


async def test_it_is_not_asked_for_twice_by_the_run_that_takes_over() -> None:
    async with scripted() as run:
        run.fail("resp_1")
        await run.sent("response.create")
        await run.it.written(CALL, lambda line: line.kind == "retried")
        await run.it.kill(run.watching)
        run.it.skip += timedelta(seconds=31)
        async with scripted(run.it) as next_run:
            next_run.fail("resp_2")
            await next_run.handled()
            await next_run.has_sent_none("response.create")
            await next_run.done()


NOT_ASKED: Final[dict[str, dict[str, Any]]] = {
    "a wait that nobody sits out": {
        "error": {**RATE_LIMIT, "message": "Please try again in 1m26.4s."}
    },
    "a fault that stays": {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}},
    "a filter": {"error": {"type": "server_error", "code": "content_filter"}},
    "an invalid request": {"error": {"type": "invalid_request_error", "code": "invalid_value"}},
    "one outside the conversation": {"conversation_id": None},
    "one that a page knows by its metadata": {"metadata": {"purpose": "summary"}},
    "one that called a function": {
        "output": [{"id": "item_1", "type": "function_call", "name": "f", "call_id": "call_1"}]
    },
}


@pytest.mark.parametrize("fields", NOT_ASKED.values(), ids=NOT_ASKED)
async def test_what_another_try_would_not_mend_is_left(fields: dict[str, Any]) -> None:
    async with scripted() as run:
        run.fail("resp_1", **fields)
        await run.handled()
        await run.has_sent_none("response.create")
        assert len(await run.done()) == 1


async def test_a_cancelled_response_stays_cancelled() -> None:
    async with scripted() as run:
        for reason in ("client_cancelled", "turn_detected"):
            run.begin(reason)
            details = {"type": "cancelled", "reason": reason}
            run.end(reason, status="cancelled", status_details=details)
        await run.handled()
        await run.has_sent_none("response.create")
        assert await run.done() == []


MEANWHILE: Final[dict[str, list[dict[str, Any]]]] = {
    "the caller speaks": [{"type": "input_audio_buffer.speech_started", "item_id": "item_1"}],
    "the caller has spoken": [{"type": "input_audio_buffer.committed", "item_id": "item_1"}],
    "another response runs": [{"type": "response.created", "response": {"id": "resp_2"}}],
    "a page adds an item": [
        {
            "type": "conversation.item.added",
            "previous_item_id": None,
            "item": {"id": "item_1", "type": "message", "role": "user"},
        }
    ],
    "a page cancels": [
        {"type": "error", "error": {"type": "x", "code": "response_cancel_not_active"}}
    ],
    "a page silences": [{"type": "output_audio_buffer.cleared", "response_id": "resp_1"}],
}


@pytest.mark.parametrize("events", MEANWHILE.values(), ids=MEANWHILE)
async def test_it_is_not_asked_for_once_the_call_has_moved_on(
    events: list[dict[str, Any]],
) -> None:
    async with scripted() as run:
        run.fail("resp_1")
        for event in events:
            run.tell(**{"kind" if name == "type" else name: each for name, each in event.items()})
        await run.handled()
        await run.has_sent_none("response.create")
        await run.done()


async def test_a_probe_of_ours_does_not_keep_it_from_being_asked_for() -> None:
    async with scripted() as run:
        run.tell("session.updated", session=SESSION)
        probe = (await run.sent("conversation.item.create"))["item"]
        run.fail("resp_1")
        run.tell("conversation.item.added", item=probe, previous_item_id=None)
        await run.sent("response.create")
        await run.done()


async def test_it_is_not_asked_for_while_the_caller_speaks() -> None:
    async with scripted() as run:
        run.begin("resp_1")
        run.tell("input_audio_buffer.speech_started", item_id="item_1")
        run.end_failed("resp_1")
        await run.handled()
        await run.has_sent_none("response.create")
        run.tell("input_audio_buffer.speech_stopped", item_id="item_1")
        run.tell("input_audio_buffer.committed", item_id="item_1")
        await run.handled()
        await run.has_sent_none("response.create")
        await run.done()


async def test_a_page_that_clears_what_the_caller_says_does_not_keep_it_from_being_asked_for() -> (
    None
):
    async with scripted() as run:
        run.begin("resp_1")
        run.tell("input_audio_buffer.speech_started", item_id="item_1")
        run.tell("input_audio_buffer.cleared")
        run.end_failed("resp_1")
        await run.sent("response.create")
        await run.done()


async def test_it_waits_until_the_assistant_has_finished() -> None:
    async with scripted() as run:
        run.begin("resp_1")
        run.tell("output_audio_buffer.started", response_id="resp_1")
        run.end_failed("resp_1")
        await run.handled()
        await run.has_sent_none("response.create")
        run.tell("output_audio_buffer.stopped", response_id="resp_1")
        await run.sent("response.create")
        await run.done()


async def test_it_waits_as_long_as_the_endpoint_asks() -> None:
    loop = asyncio.get_running_loop()
    async with scripted() as run:
        run.fail("resp_1", {**RATE_LIMIT, "message": "Please try again in 200ms."})
        asked_at = loop.time()
        await run.sent("response.create")
        assert loop.time() - asked_at >= 0.15
        await run.done()


async def test_a_setting_turns_it_off() -> None:
    async with scripted(retries_responses=False) as run:
        run.fail("resp_1")
        await run.handled()
        await run.has_sent_none("response.create")
        await run.done()
