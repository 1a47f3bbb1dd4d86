"""What a Live call has used and costs, from the emulator's session to the admin's report."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from shared.usage.price_files import load_prices
from shared.usage.tokens import usage_of_counts
from tests.contract.record.conftest import RunningBroker, poll_until, running_broker
from tests.support.offers import OFFER
from tests.support.patience import PATIENCE
from tests.support.principals import signed_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def session_of(work: RunningBroker) -> dict[str, Any]:
    """The emulator's session of the one call."""
    session = (await work.state())["sessions"][0]
    return dict(session)


async def hear(work: RunningBroker, words: str) -> None:
    session = await session_of(work)
    place = f"{work.emulator}/emulator/sessions/{session['id']}/speech"
    async with work.session.post(place, json={"text": words, "at_once": True}) as answer:
        assert answer.status < 300, await answer.text()


async def test_a_live_call_costs_its_minutes_and_what_it_delegated(emulator: str) -> None:
    settings = {"LIVE_MAX_SESSIONS": "3", "CALL_ENDED_EVENTS": "on"}
    async with running_broker(settings=settings, emulator=emulator) as work:
        await work.configure_emulator(live={"usage_seconds": 1, "backend_seconds": 0.1})
        caller, place = await work.call("live-cost", "live")
        name = next(iter(await work.records()))
        await hear(work, "please look up the weather for me")

        async def usage() -> Any:
            return (await work.records())[name]["usage"]

        running = await poll_until(usage, lambda used: used.get("text_in") and used.get("seconds"))
        assert running["seconds"] >= 15, "the least that a session costs"
        headers = signed_in("live-cost")
        async with work.session.post(f"{place}/hangup", headers=headers) as answer:
            assert answer.status == 204
        await asyncio.wait_for(caller.closed.wait(), PATIENCE)

        async def told() -> Any:
            """The call's record, once it has what the observer wrote last."""
            written = (await work.transcript(name))["transcript"]
            record = (await work.records())[name]
            return record if written["ended"] and written["usage"] == record["usage"] else None

        ended = await poll_until(told, bool)
        used = ended["usage"]
        assert (ended["status"], ended["ended_by"]) == ("ended", "caller")
        message = await work.end_message(name)
        assert (message["api"], message["ended_by"]) == ("live", "caller")
        assert (message["usage"], message["cost"]) == (used, ended["cost"])
        assert used["seconds"] == used["active_seconds"] + used["paused_seconds"]
        assert "estimated_seconds" not in used
        table = load_prices()
        delegated = table.cost("gpt-5.6-sol", usage_of_counts(used))
        assert delegated is not None
        voice = Decimal(str(used["seconds"])) / 60 * table.models["gpt-live-1"]["minute"]
        assert abs(Decimal(ended["cost"]) - voice - delegated.amount) < Decimal("1e-8")
        rows = (await work.get("/api/usage", by="caller"))["usage"]
        (row,) = [each for each in rows if each["caller"] == ended["caller"]]
        assert (row["live_seconds"], row["cost"]) == (used["seconds"], ended["cost"])
        await caller.close()


async def test_a_live_call_that_no_observer_reaches_costs_its_least(emulator: str) -> None:
    async with running_broker(settings={"OBSERVER": "off"}, emulator=emulator) as work:
        caller, place = await work.call("live-unseen", "live")
        async with work.session.post(f"{place}/hangup", headers=signed_in("live-unseen")) as answer:
            assert answer.status == 204
        await caller.close()
        record = next(iter((await work.records()).values()))
        seconds = record["usage"]["estimated_seconds"]
        assert seconds == record["usage"]["seconds"] >= 15
        rows = (await work.get("/api/usage", by="caller"))["usage"]
        (row,) = [each for each in rows if each["caller"] == record["caller"]]
        assert (row["observed_calls"], row["live_estimated_seconds"]) == (1, seconds)
        assert row["cost"] == record["cost"]
        assert Decimal(row["cost"]) >= Decimal("0.0125")


async def said_last(work: RunningBroker, name: str) -> str:
    """The model's last words, once the record has its end."""

    async def ended() -> Any:
        found = (await work.transcript(name))["transcript"]
        return found if found["ended"] else None

    entries = (await poll_until(ended, bool))["entries"]
    return str([each["text"] for each in entries if each.get("role") == "assistant"][-1])


@pytest.mark.parametrize(
    ("limit", "code", "by"),
    [
        ({"LIMIT_SECONDS_PER_DAY": "20"}, "seconds_used_up", "time limit"),
        ({"LIMIT_TOKENS_PER_DAY": "20"}, "tokens_used_up", "token budget"),
    ],
)
async def test_a_live_call_that_uses_up_its_callers_day_ends_with_a_goodbye(
    limit: dict[str, str], code: str, by: str, emulator: str
) -> None:
    async with running_broker(settings=limit, emulator=emulator) as work:
        await work.configure_emulator(live={"backend_seconds": 0.1})
        user = f"live-{code}"
        caller, _ = await work.call(user, "live")
        name = next(iter(await work.records()))
        await hear(work, "please look up the weather for me")
        await asyncio.wait_for(caller.closed.wait(), PATIENCE)
        assert "Goodbye" in await said_last(work, name)

        async def ended_by() -> Any:
            return (await work.records())[name]["ended_by"]

        assert await poll_until(ended_by, bool) == by
        headers = {**signed_in(user), "Content-Type": "application/sdp"}
        async with work.session.post(
            f"{work.url}/api/connect", data=OFFER, headers=headers, params={"profile": "live"}
        ) as answer:
            assert (answer.status, (await answer.json())["code"]) == (429, code)
        await caller.close()
