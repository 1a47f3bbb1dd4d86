"""Delegated work that fails, or never begins, is told to the caller."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.observer.live import delegated_work
from shared.observer.live.appends import SORRY
from tests.unit.observer.live.delegations import LATER, Tools
from tests.unit.observer.live.harness import RESPONSES, LiveRun, live_run

pytestmark = pytest.mark.usefixtures("quick")


async def test_work_that_is_refused_is_asked_again_and_then_given_up() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.call("call_1")
        for _ in range(delegated_work.TRIES):
            asked = await run.sent("response.create")
            run.fail("function_call_outputs_required", caused_by=asked["event_id"])
        told = await run.sent("session.commentary.append")
        assert told["content"] == SORRY
        (failed,) = await run.lines("failed")
        assert failed.fields == {
            "what": "delegation_failed", "code": "function_call_outputs_required",
        }  # fmt: skip


@pytest.mark.parametrize("kind", ["failed", "incomplete"])
async def test_a_response_that_fails_is_told_to_the_caller(kind: str) -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.end(kind=kind, error={"code": "rate_limit_exceeded"})
        assert (await run.sent("session.commentary.append"))["content"] == SORRY
        (response,) = await run.lines("response")
        assert (response.fields["status"], response.fields["reason"]) == (
            kind,
            "rate_limit_exceeded",
        )
        counted = run.controller.meter.tally().failures
        assert counted == {f"response_{kind}": {"rate_limit_exceeded": 1}}


async def test_a_handoff_that_is_incomplete_is_told_to_the_caller() -> None:
    """The error has no code and names nothing."""
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.fail(None, "Responses handoff incomplete.")
        assert (await run.sent("session.commentary.append"))["content"] == SORRY
        (failed,) = await run.lines("failed")
        assert failed.fields == {"what": "delegation_failed", "code": "handoff_incomplete"}
        (error,) = await run.lines("error")
        assert error.fields["code"] == "handoff_incomplete"
        run.fail(None, "Responses handoff incomplete.")
        await run.settled()
        assert run.kinds().count("session.commentary.append") == 1, "not again at once"


def delegate(run: LiveRun, target: str = "responses", item: str = "item_1") -> None:
    about = {"id": item, "type": "delegation", "target": target}
    run.tell("session.delegation.created", offset_ms=0, delegation=about)


def fail_without_cause(run: LiveRun) -> None:
    error = {"type": "server_error", "code": None, "message": "The model does not exist."}
    run.tell("error", error=error)


async def failures(run: LiveRun) -> list[Any]:
    return [each.fields for each in await run.lines("failed")]


async def test_an_error_before_delegated_work_begins_is_told_to_the_caller() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        delegate(run)
        fail_without_cause(run)
        assert (await run.sent("session.commentary.append"))["content"] == SORRY
        fail_without_cause(run)
        codes = [each["what"] for each in await failures(run)]
        assert codes == ["delegation_failed", "endpoint_error"], "the work is over"


@pytest.mark.parametrize("word", ["begun", "page", "known", "client"])
async def test_other_errors_are_not_of_delegated_work(word: str) -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        delegate(run, "client" if word == "client" else "responses")
        if word == "begun":
            run.begin()
        if word == "page":
            run.fail("unknown_parameter")
        elif word == "known":
            run.fail(None, "Unknown client delegation.")
        else:
            fail_without_cause(run)
        await run.settled()
        assert all(each["what"] != "delegation_failed" for each in await failures(run))
        if word != "client":
            assert "session.commentary.append" not in run.kinds()


@pytest.mark.parametrize("begins", [True, False])
async def test_delegated_work_of_which_nothing_comes_is_told_to_the_caller(
    monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    monkeypatch.setattr(delegated_work, "BEGINS_WITHIN", timedelta(milliseconds=20))
    async with live_run(RESPONSES, Tools().registry) as run:
        delegate(run)
        if begins:
            run.begin()
            await run.pass_time(LATER)
            await run.settled()
            assert await failures(run) == []
        else:
            assert (await run.sent("session.commentary.append"))["content"] == SORRY
            assert await failures(run) == [{"what": "delegation_failed", "code": "not begun"}]
