"""How an observed Live session ends, and what proves that it has."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.observer.context import Farewell, Outcome, Tally
from shared.observer.live import goodbye
from tests.contract.observer.harness import observed_calls
from tests.contract.observer.live_run import begin, following
from tests.contract.observer.live_service import LiveService

SOON = timedelta(milliseconds=30)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("close_requested", "closed"),
        ("client_request", "closed"),
        ("expired", "expired"),
        ("content", "content"),
        ("connection_lost", "connection_lost"),
        ("remote_hangup", "remote_hangup"),
        ("moved_to_mars", "moved_to_mars"),
    ],
)
@pytest.mark.parametrize("torn", [False, True])
async def test_why_a_session_was_closed_is_on_record(told: str, reason: str, torn: bool) -> None:
    async with following() as run:
        run.service.use(61.5)
        run.service.close(told, torn=torn)
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, reason)
        (ended,) = run.lines("ended")
        assert ended.fields == {"reason": reason, "close_reason": told}
        assert result.settled_by == "hang-up answered"
        assert result.tally.usage.live is not None
        assert (result.tally.usage.live.seconds, result.tally.usage.live.is_final) == (61.5, True)
        assert run.service.dials == 1
        assert run.entries("gap") == []


async def test_a_reason_that_is_no_word_does_no_harm() -> None:
    async with following() as run:
        run.service.close("<b>" * 5000)
        result = await run.watching.done()
        assert result.outcome is Outcome.ENDED
        assert len(result.reason) < 100


async def test_a_connection_that_stays_open_after_the_end_is_closed() -> None:
    async with following() as run:
        run.service.is_over = True
        usage = {"seconds": 15.0}
        run.service.tell("session.closed", reason="expired", session={}, usage=usage)
        assert (await run.watching.done()).reason == "expired"


async def test_an_end_that_nobody_tells_is_found_by_dialling_again() -> None:
    async with following() as run:
        run.service.say("input", "Bye.")
        await run.handled()
        run.service.close("", silent=True, torn=True)
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "closed")
        (ended,) = run.lines("ended")
        assert ended.fields == {"reason": "closed"}
        assert result.tally.usage.live is not None
        assert not result.tally.usage.live.is_final, "reckoned by the clock"
        assert [line.fields.get("estimated") for line in run.lines("usage")] == [True]


async def test_an_end_that_nobody_tells_and_upstream_does_not_confirm_is_none() -> None:
    async with following() as run:
        run.service.confirms = False
        run.service.close("", silent=True)
        result = await run.watching.done()
        assert (result.outcome, result.settled_by) == (Outcome.UNREACHABLE, "")
        assert run.lines("ended") == []


ENDED = {"type": "session.closed", "event_id": "event_end", "reason": "expired"}


@pytest.mark.parametrize(
    "event",
    [
        {**ENDED, "session": {}, "usage": {"seconds": 61.5}},
        {**ENDED, "usage": {"seconds": 61.5}, "session": {"instructions": "x" * 600_000}},
        {**ENDED, "event_id": "event_0", "session": {}, "usage": {"seconds": 61.5}},
    ],
    ids=["usual", "too large", "known id"],
)
async def test_the_event_that_tells_the_end_proves_it(event: dict[str, Any]) -> None:
    async with following() as run:
        run.service.say("input", "Bye.")
        await run.handled()
        run.service.confirms = False
        run.service.is_over = True
        run.service.send_frame(json.dumps(event))
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "expired")
        assert result.settled_by == "closed"
        assert result.tally.usage.live is not None
        assert (result.tally.usage.live.seconds, result.tally.usage.live.is_final) == (61.5, True)
        again = await begin(run.it, run.service, waits=False)
        assert (await again.watching.done()).settled_by == "closed", "the record has it"


@pytest.mark.parametrize(
    "frame",
    [
        '{"event_id":"a","session":{"tools":[{"type":"session.closed","reason":"expired"}],"x":'
        + "[" * 400
        + "]" * 400
        + "}}",
        '{"session":{"a":[{"b":{},"type":"session.closed"}],"c":"' + "x" * 600_000 + '"}}',
        '["{\\"type\\":\\"session.closed\\"}"]',
        '{"type":"session.closed"',
    ],
    ids=["nested", "large", "quoted", "cut"],
)
async def test_what_only_looks_like_the_end_is_none(frame: str) -> None:
    async with following() as run:
        run.service.send_frame(frame)
        await run.handled()
        run.service.say("input", "Still", " here.")
        await run.handled()
        assert run.service.hang_ups == 0
        run.service.close("close_requested")
        await run.watching.done()
        assert run.said() == [("user", "Still here.")]


async def test_the_server_says_goodbye_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodbye, "SPOKEN_AFTER", SOON)
    async with observed_calls() as it:
        soon = it.clock() + timedelta(seconds=1)
        run = await begin(it, LiveService(), ends_at=soon, farewell=Farewell("Say goodbye."))
        asked = await run.sent("session.instructions.append")
        assert (asked["content"], asked["delegation_id"]) == ("Say goodbye.", None)
        run.service.say("output", "Good", "bye.")
        await run.sent("session.close")
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "time limit")
        (ended,) = run.lines("ended")
        assert ended.fields == {"reason": "time limit", "close_reason": "close_requested"}
        assert run.said() == [("assistant", "Goodbye.")]
        assert run.service.hang_ups == 1


async def test_a_session_that_does_not_close_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodbye, "BEGINS_WITHIN", SOON)
    monkeypatch.setattr(goodbye, "CLOSED_WITHIN", SOON)
    async with observed_calls() as it:
        service = LiveService()
        service.answers_close = False
        farewell = Farewell("Say goodbye.", timeout=timedelta(milliseconds=200))
        run = await begin(it, service, ends_at=it.clock(), farewell=farewell)
        await run.sent("session.close")
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.ENDED, "time limit")
        assert service.hang_ups == 1


async def test_a_call_whose_budget_is_used_up_is_ended() -> None:
    async def spend(tally: Tally) -> bool:
        return tally.usage.live is not None and tally.usage.live.seconds > 100

    async with following(parts={"spend": spend}) as run:
        run.service.use(60)
        await run.handled()
        assert run.service.hang_ups == 0
        run.service.use(120)
        result = await run.watching.done()
        assert result.outcome is Outcome.ENDED
        assert "budget" in result.reason
