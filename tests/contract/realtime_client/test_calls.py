"""Calls through the Python client: the broker on the local host, the emulator, real WebRTC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TypeVar

import httpx2
import pytest

from realtime_client import (
    AsyncBroker,
    Broker,
    CallSearch,
    Problem,
    ProblemCode,
)
from realtime_emulator.caller import Caller
from tests.contract.hostile.page_call import ANSWER, until
from tests.contract.hostile.running import Stack
from tests.support.offers import OFFER
from tests.support.principals import signed_in

pytestmark = pytest.mark.asyncio(loop_scope="package")
T = TypeVar("T")
OFTEN = timedelta(milliseconds=50)
TURN = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "ordinary"}]}


async def all_of(changes: AsyncIterator[T]) -> list[T]:
    return [change async for change in changes]


async def test_a_call_from_its_offer_to_the_end_of_its_transcript(stack: Stack) -> None:
    headers, admins = signed_in("client-user"), signed_in("client-admin", "admin")
    async with (
        httpx2.AsyncClient(trust_env=False) as http,
        AsyncBroker(stack.url, headers=headers, http=http) as broker,
        AsyncBroker(stack.url, headers=admins, http=http) as admin_broker,
        Caller() as caller,
    ):
        admin = admin_broker.admin
        call = await broker.start(await caller.offer())
        assert (call.api, call.is_continued) == ("realtime", False)
        assert call.url == f"{stack.url}/api/calls/{call.handle}"
        await caller.accept(call.answer)

        status = await broker.status(call.handle)
        assert status.is_live
        assert status.ends_at
        events = asyncio.create_task(all_of(broker.events(call.handle, every=OFTEN)))
        following = asyncio.create_task(all_of(admin.follow(status.id, every=OFTEN)))
        caller.send_event({"type": "conversation.item.create", "item": TURN})
        caller.send_event({"type": "response.create"})
        await caller.expect("response.output_text.done", timeout=20)
        assert "conversation.item" in await admin.send_event(
            status.id, {"type": "conversation.item.create", "item": {**TURN, "role": "system"}}
        )

        [listed] = (await admin.calls(CallSearch(text=status.id))).calls
        assert (listed.id, listed.profile, listed.started_by) == (status.id, "default", "connect")
        assert listed.json["endpoint"] == listed.endpoint == "default"
        await broker.hang_up(call.handle)
        await broker.hang_up(call.handle)

        told = await asyncio.wait_for(events, 30)
        assert told[0].is_live
        assert (told[-1].status, told[-1].ended_by) == ("ended", "caller")
        changes = await asyncio.wait_for(following, 30)
        last = changes[-1].transcript
        assert (last.call.status, last.call.ended_by) == ("ended", "caller")
        said = {entry.text: entry.origin for entry in last.entries if entry.kind == "message"}
        assert said[ANSWER] == "model"
        assert len(last.entries) == 3
        assert last.entries == (await admin.transcript(status.id)).entries
        assert {place for change in changes for place in change.changed} == {0, 1, 2}


async def test_a_key_and_the_call_that_was_started_with_it(stack: Stack) -> None:
    """With the client that blocks; what it blocks is a thread."""

    caller = Caller()
    offer = await caller.offer()

    def offer_elsewhere(url: str, key: str) -> str:
        bearer = {"Authorization": f"Bearer {key}", "Content-Type": "application/sdp"}
        answer = httpx2.post(url, content=offer, headers=bearer, trust_env=False)
        return answer.headers["Location"].rpartition("/")[2]

    def work() -> None:
        with (
            httpx2.Client(trust_env=False) as http,
            Broker(stack.url, headers=signed_in("key-user"), http=http) as broker,
        ):
            token = broker.create_token()
            assert token.value.startswith("ek_")
            assert token.model == "gpt-realtime"
            call_id = offer_elsewhere(token.url, token.value)
            call = broker.register(call_id, endpoint=token.endpoint)
            assert broker.status(call.handle).is_live
            broker.hang_up(call.handle)
            assert broker.status(call.handle).ended_by == "caller"

    async with caller:
        await asyncio.to_thread(work)


async def test_refusals_are_problems(stack: Stack) -> None:
    def refused(make: object) -> Problem:
        with pytest.raises(Problem) as caught:
            make()  # type: ignore[operator]
        return caught.value

    def work() -> None:
        with httpx2.Client(trust_env=False) as http:
            broker = Broker(stack.url, headers=signed_in("refused-user"), http=http)
            stranger = Broker(stack.url, http=http)
            offer = refused(lambda: broker.start("no offer"))
            assert offer.code == ProblemCode.INVALID_OFFER
            assert offer.status == 400
            assert offer.hint
            assert offer.request_id
            assert not offer.may_have_happened
            who = refused(lambda: stranger.start(OFFER.decode()))
            assert who.code == ProblemCode.SIGN_IN_REQUIRED
            assert refused(broker.admin.calls).code == ProblemCode.ROLE_REQUIRED
            unknown = refused(lambda: broker.status("no-such-handle"))
            assert unknown.code == ProblemCode.CALL_NOT_FOUND
            elsewhere = Broker(f"{stack.url}/elsewhere", http=http)
            assert refused(lambda: elsewhere.status("a")).code == "unexpected_answer"

    before = (await stack.emulator.state())["requests"].get("calls", 0)
    await asyncio.to_thread(work)
    assert (await stack.emulator.state())["requests"].get("calls", 0) == before


async def test_an_admin_ends_any_call(stack: Stack) -> None:
    async with (
        httpx2.AsyncClient(trust_env=False) as http,
        AsyncBroker(stack.url, headers=signed_in("ended-user"), http=http) as broker,
        Caller() as caller,
    ):
        admin = AsyncBroker(stack.url, headers=signed_in("a", "admin"), http=http).admin
        call = await broker.start(await caller.offer())
        status = await broker.status(call.handle)
        await admin.hang_up(status.id)

        records = stack.broker.stores.records
        await until(lambda: records.get(status.id).ended_at is not None, "ended")
        assert (await broker.status(call.handle)).ended_by == "admin"
