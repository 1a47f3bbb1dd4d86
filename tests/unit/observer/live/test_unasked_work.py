"""What a page has the backend do is on record, as far as it can be told from what is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.observer.live import unasked_work
from tests.unit.observer.live.delegations import Tools
from tests.unit.observer.live.harness import RESPONSES, LiveRun, live_run


def delegate(run: LiveRun, offset_ms: int, name: str = "item_1") -> None:
    run.tell(
        "session.delegation.created",
        offset_ms=offset_ms,
        delegation={"id": name, "type": "delegation", "target": "responses"},
    )


async def steered(run: LiveRun) -> list[object]:
    await run.pass_time(unasked_work.LATE_WORDS)
    return [each.fields for each in await run.lines("steered")]


async def test_work_that_nobody_asked_for_aloud_is_on_record() -> None:
    async with live_run(RESPONSES) as run:
        run.say("Look it up.", 2_000)
        delegate(run, 3_000)
        delegate(run, 5_000, "item_2")
        assert await steered(run) == [], "two things asked for at once"
        delegate(run, 60_000, "item_3")
        assert await steered(run) == [{"what": "response"}]


async def test_a_page_that_asks_for_work_without_a_pause_is_noticed() -> None:
    async with live_run(RESPONSES) as run:
        run.say("Look it up.", 2_000)
        for number in range(20):
            delegate(run, 3_000 + 1_000 * number, f"item_{number}")
        assert len(await steered(run)) == 3


async def test_words_that_come_late_have_asked() -> None:
    async with live_run(RESPONSES) as run:
        delegate(run, 3_000)
        run.say("Look it up.", 2_000)
        assert await steered(run) == []


async def test_what_the_server_has_asked_for_or_told_is_not_marked() -> None:
    async with live_run(RESPONSES) as run:
        run.controller.appends.apologise()
        sent = await run.sent("session.commentary.append")
        kind, known = "session.commentary.appended", sent["event_id"]
        run.tell(kind, start_ms=0, end_ms=0, client_event_id=known)
        delegate(run, 3_000)
        assert await steered(run) == []
        run.controller.calls.work.asked = "obs_1"
        delegate(run, 60_000, "item_2")
        assert await steered(run) == []


async def test_a_continuation_that_a_page_has_begun_is_not_asked_for_again() -> None:
    async with live_run(RESPONSES, Tools().registry) as run:
        run.begin()
        run.call("call_1")
        await run.sent("response.item.create")
        run.begin("resp_2")
        run.end("resp_2")
        await run.pass_time(timedelta(seconds=5))
        assert "response.create" not in run.kinds()
        (line,) = await run.lines("continued")
        assert line.fields == {"calls": ["call_1"]}


@pytest.mark.parametrize("decides", [True, False])
async def test_decisions_of_a_page_are_on_record(decides: bool) -> None:
    trigger = {"type": "decisions", "event_type": "session.input_transcript.delta"}
    session = {**RESPONSES, "triggers": [trigger]} if decides else RESPONSES
    async with live_run(session) as run:
        run.tell("decision.item.created", item={})
        run.tell("decision.event", event={})
        kinds = ["decision.item.created", *([] if decides else ["decision.event"])]
        assert await steered(run) == [{"what": "decision", "fields": [kind]} for kind in kinds]
