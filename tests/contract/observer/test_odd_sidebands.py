"""Sidebands that say what no emulator says, and what the observer makes of them."""

from __future__ import annotations

import asyncio
from typing import Any

from shared.realtime.sideband import Connect, NoSuchCall, Sideband, SidebandUnavailable
from tests.contract.observer.harness import observed_calls
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
