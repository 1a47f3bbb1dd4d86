"""Sidebands that say what no emulator says, and what the observer makes of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from shared.observer.context import Tally
from shared.sideband.events import ServerEvent
from shared.sideband.sideband import Connect, NoSuchCall, Sideband, SidebandUnavailable
from tests.contract.observer.harness import observed_calls, timing_of
from tests.contract.observer.scripted_sideband import ScriptedSideband
from tests.support.patience import PATIENCE


def one_after_another(answers: list[Sideband | Exception]) -> Connect:
    """A `Connect` that gives each dial the next of them."""

    async def connect(_: str) -> Sideband:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return connect


HEARD = {
    "id": "heard",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_text", "text": "heard"}],
}


async def test_a_call_that_ends_before_what_was_missed_is_fetched_says_so() -> None:
    async with observed_calls() as it:
        scripted = ScriptedSideband()
        dialled: list[Sideband | Exception] = [scripted, NoSuchCall()]
        watching = it.begin("rtc_1", parts={"connect": one_after_another(dialled)})
        for kind in ("added", "done"):
            scripted.events.put_nowait(
                {
                    "type": f"conversation.item.{kind}",
                    "previous_item_id": "missed",
                    "item": HEARD,
                }
            )
        await it.recorded("rtc_1", "heard")
        scripted.events.put_nowait(None)
        assert (await watching.done()).reason == "closed"
        entries = it.transcript("rtc_1").entries
        assert [entry.item_id or entry.reason for entry in entries] == ["late", "heard"]


async def test_a_connection_that_was_refused_before_the_end_leaves_a_gap() -> None:
    async with observed_calls() as it:
        scripted = ScriptedSideband()
        busy = SidebandUnavailable(500)
        dialled: list[Sideband | Exception] = [scripted, busy, NoSuchCall()]
        watching = it.begin("rtc_1", parts={"connect": one_after_another(dialled)})
        for kind in ("added", "done"):
            scripted.events.put_nowait(
                {"type": f"conversation.item.{kind}", "previous_item_id": None, "item": HEARD}
            )
        await it.recorded("rtc_1", "heard")
        scripted.events.put_nowait(None)
        assert (await watching.done()).reason == "closed"
        entries = it.transcript("rtc_1").entries
        assert [entry.item_id or entry.reason for entry in entries] == ["heard", "reconnected"]


async def test_the_walk_goes_on_where_retrieved_items_name_the_one_before() -> None:
    """Azure's reference shows `previous_item_id` there; the official types do not."""

    def item(name: str) -> dict[str, Any]:
        content = [{"type": "input_text", "text": f"text {name}"}]
        return {
            "id": name,
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": content,
        }

    async with observed_calls() as it:
        scripted, dialled = ScriptedSideband(), [0]

        async def connect(call_id: str) -> Sideband:
            dialled[0] += 1
            if dialled[0] > 1:
                raise NoSuchCall
            return scripted

        watching = it.begin("rtc_1", parts={"connect": connect})
        added = {"type": "conversation.item.added", "previous_item_id": "c", "item": item("d")}
        scripted.events.put_nowait(added)
        scripted.events.put_nowait({**added, "type": "conversation.item.done"})
        previous = {"c": "b", "b": "a", "a": None}
        while previous:
            event = await asyncio.wait_for(scripted.sent.get(), PATIENCE)
            if event["type"] == "conversation.item.retrieve":
                name = event["item_id"]
                told = {"type": "conversation.item.retrieved", "item": item(name)}
                scripted.events.put_nowait({**told, "previous_item_id": previous.pop(name)})
        scripted.events.put_nowait(None)
        assert (await watching.done()).reason == "closed"
        entries = it.transcript("rtc_1").entries
        assert [e.item_id or e.kind for e in entries] == ["gap", "a", "b", "c", "d"]


async def test_an_event_that_is_not_understood_does_not_end_the_record() -> None:
    async with observed_calls() as it:
        scripted = ScriptedSideband()
        dialled = iter([scripted])

        async def connect(call_id: str) -> Sideband:
            found = next(dialled, None)
            if found is None:
                raise NoSuchCall
            return found

        watching = it.begin("rtc_1", parts={"connect": connect})
        for strange in (
            {"type": "conversation.item.added"},
            {"type": "response.done", "response": 1},
            {},
        ):
            scripted.events.put_nowait(strange)
        item = {"id": "a", "type": "message", "role": "user", "status": "completed",
                "content": [{"type": "input_text", "text": "still here"}]}  # fmt: skip
        for kind in ("added", "done"):
            scripted.events.put_nowait(
                {"type": f"conversation.item.{kind}", "previous_item_id": None, "item": item}
            )
        await it.recorded("rtc_1", "still here")
        scripted.events.put_nowait(None)
        await watching.done()


def done(number: int) -> dict[str, Any]:
    usage = {
        "input_token_details": {"text_tokens": 1},
        "output_token_details": {"text_tokens": 2},
    }
    response = {"id": f"resp_{number}", "status": "completed", "output": [], "usage": usage}
    return {"type": "response.done", "response": response}


class Flood(ScriptedSideband):
    """Notes in `turns` how many turns everything else had had at each event."""

    def __init__(self, *events: dict[str, Any]) -> None:
        super().__init__(*events)
        self.had = 0
        self.turns: list[int] = []
        self.counting = asyncio.create_task(self.count_turns())

    async def count_turns(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.had += 1

    async def receive_event(self) -> ServerEvent:
        event = await super().receive_event()
        self.turns.append(self.had)
        return event


async def test_a_flood_of_events_leaves_everything_else_its_turn() -> None:
    async with observed_calls() as it:
        flood = Flood(*(done(number) for number in range(500)))
        timing = timing_of(turn=timedelta(0))
        watching = it.begin("rtc_1", timing, parts={"connect": one_after_another([flood])})
        await it.written("rtc_1", lambda line: line.key == "resp_499")
        flood.counting.cancel()
        watching.task.cancel()
    assert flood.turns[499] - flood.turns[0] >= 499


async def test_a_flood_of_responses_is_counted_one_check_at_a_time() -> None:
    async with observed_calls() as it:
        told: list[int] = []
        asked, may_tell, all_told = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def spend(tally: Tally) -> bool:
            told.append(tally.total)
            asked.set()
            await may_tell.wait()
            if tally.total == 300:
                all_told.set()
            return False

        flood = ScriptedSideband(done(0))
        parts = {"connect": one_after_another([flood]), "spend": spend}
        watching = it.begin("rtc_1", parts=parts)
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
            for number in range(1, 100):
                flood.events.put_nowait(done(number))
            await it.written("rtc_1", lambda line: line.key == "resp_99")
            may_tell.set()
            await all_told.wait()
        watching.task.cancel()
    assert told == [3, 300], "the first, and one for all that came meanwhile"
