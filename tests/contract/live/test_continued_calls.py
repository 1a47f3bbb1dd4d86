"""A conversation that goes on in another call, in both APIs, before the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import ClientResponse

from shared.storage import memory
from tests.contract.live.test_broker_calls import Stack, stack
from tests.contract.record.conftest import poll_until
from tests.support.call_location import call_path
from tests.support.offers import OFFER
from tests.support.principals import signed_in

pytestmark = pytest.mark.usefixtures("own_storage")

ADA, ADMIN = signed_in("ada", "admin"), signed_in("somebody", "admin")
OBSERVED: Any = {"OBSERVER": "eager", "TRANSCRIPTS": "on", "LIMIT_LIVE_CALLS": "1"}
NAME = "My name is Ada."
ANSWER = {"type": "response.create", "response": {"output_modalities": ["text"]}}


@pytest.fixture
def own_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have counted does not count."""
    storage = memory.MemoryStorage()
    monkeypatch.setattr(memory, "process_storage", lambda: storage)


class Conversation:
    """One caller's calls over one API."""

    def __init__(self, it: Stack, api: str) -> None:
        self.it = it
        self.api = api
        # Keys must be good by the broker's clock.
        it.emulator.fakes.now = it.broker.clock().timestamp()

    async def connect(
        self, continues: ClientResponse | None = None, caller: Any = ADA
    ) -> ClientResponse:
        query = {"profile": "live"} if self.api == "live" else {}
        if continues is not None:
            query["continues"] = call_path(continues).rpartition("/")[2]
        headers = {"Content-Type": "application/sdp", **caller}
        return await self.it.app.post("/api/connect", params=query, data=OFFER, headers=headers)

    async def calls(self) -> list[dict[str, Any]]:
        """The records, newest first."""
        listed = await (await self.it.app.get("/api/calls", headers=ADMIN)).json()
        calls: list[dict[str, Any]] = listed["calls"]
        return calls

    async def status(self, call: ClientResponse) -> dict[str, Any]:
        shown: dict[str, Any] = await (await self.it.app.get(call_path(call), headers=ADA)).json()
        return shown

    async def say(self, text: str) -> None:
        """Says something in the newest call, and waits until it is on record."""
        call = (await self.calls())[0]["id"]
        # What was said before is nobody's on record.
        await poll_until(self.newest_upstream, lambda found: found["observers"])
        if self.api == "live":
            session = (await self.it.live_session())["id"]
            url = f"{self.it.emulator.root}/emulator/sessions/{session}/speech"
            async with self.it.emulator.http.post(url, json={"text": text, "at_once": True}):
                pass
        else:
            content = [{"type": "input_text", "text": text}]
            item = {"type": "message", "role": "user", "content": content}
            await self.send(call, {"type": "conversation.item.create", "item": item})
            await self.send(call, ANSWER)
        await self.recorded(call, text)

    async def send(self, call: str, event: dict[str, Any]) -> None:
        answer = await self.it.app.post(f"/api/calls/{call}/events", json=event, headers=ADMIN)
        assert answer.status == 202, await answer.text()

    async def recorded(self, call: str, text: str) -> None:
        words = text.lower().strip(".")
        await poll_until(partial(self.transcript, call), lambda found: words in found.lower())

    async def transcript(self, call: str) -> str:
        answer = await self.it.app.get(f"/api/calls/{call}/transcript", headers=ADMIN)
        return await answer.text()

    async def newest_upstream(self) -> dict[str, Any]:
        """The newest call as the emulator shows it."""
        state = await self.it.emulator.state()
        running = [each for kind in ("sessions", "calls") for each in state[kind] if each["live"]]
        newest: dict[str, Any] = running[-1]
        return newest

    async def remembered(self) -> int:
        """How many messages the newest call upstream began with."""
        return int((await self.newest_upstream())["history" if self.api == "live" else "items"])

    async def hang_up_all(self) -> None:
        for call in [each for each in await self.calls() if each["status"] == "live"]:
            await self.it.app.post(f"/api/calls/{call['id']}/hangup", headers=ADMIN)


@asynccontextmanager
async def conversation(
    monkeypatch: pytest.MonkeyPatch, api: str, *, live: dict[str, Any] | None = None, **changes: str
) -> AsyncIterator[Conversation]:
    """A conversation with the broker, observed and on record. What is left of it is hung up."""
    async with stack(monkeypatch, live=live, **{**OBSERVED, **changes}) as it:
        talk = Conversation(it, api)
        yield talk
        await talk.hang_up_all()


APIS = pytest.mark.parametrize("api", ["realtime", "live"])


@APIS
async def test_it_goes_on_where_it_was(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit of one live call: the line passes on, and the call before is ended soon."""
    async with conversation(monkeypatch, api) as talk:
        first = await talk.connect()
        assert first.headers["X-Conversation"] == "new"
        await talk.say(NAME)
        assert (await talk.connect()).status == 429
        second = await talk.connect(first)
        assert second.status == 201, await second.text()
        assert second.headers["X-Conversation"] == "continued"
        assert await talk.remembered() >= 2
        later, before = await talk.calls()
        assert later["continues"] == before["id"]
        assert before["continued_by"] == later["id"]
        if api == "realtime":
            # The emulator repeats the latest words of the user.
            await poll_until(talk.newest_upstream, lambda found: found["observers"])
            await talk.send(later["id"], ANSWER)
            await talk.recorded(later["id"], "You said: my name is ada")
        assert "past_" not in await talk.transcript(later["id"])
        ends = [(await talk.status(call))["conversation_ends_at"] for call in (first, second)]
        assert ends[0] == ends[1]
        assert (await talk.it.app.post(f"{call_path(first)}/hangup", headers=ADA)).status == 204
        assert (await talk.status(first))["ended_by"] == "continued"
        # Whoever has an older handle continues the latest call, with all that was said before.
        third = await talk.connect(first)
        assert third.headers["X-Conversation"] == "continued"
        assert (await talk.calls())[0]["continues"] == later["id"]
        assert (await talk.connect()).status == 429


@APIS
async def test_a_conversation_is_its_callers_and_ends_for_good(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with conversation(monkeypatch, api) as talk:
        first = await talk.connect()
        stranger = await talk.connect(first, signed_in("eve", "admin"))
        assert (stranger.status, (await stranger.json())["code"]) == (404, "call_not_found")
        other = await talk.it.app.post(
            "/api/connect",
            params={
                "continues": call_path(first).rpartition("/")[2],
                "profile": "live" if api == "realtime" else "default",
            },
            data=OFFER,
            headers={"Content-Type": "application/sdp", **ADA},
        )
        assert (other.status, (await other.json())["code"]) == (400, "invalid_query")
        started = (await talk.it.emulator.state())["requests"]
        (call,) = await talk.calls()
        await talk.it.app.post(f"/api/calls/{call['id']}/hangup", headers=ADMIN)
        refused = await talk.connect(first)
        assert (refused.status, (await refused.json())["code"]) == (409, "conversation_over")
        assert refused.headers.get("X-Conversation") is None
        now = (await talk.it.emulator.state())["requests"]
        for kind in ("calls", "live_sessions"):
            assert started.get(kind, 0) == now.get(kind, 0)


@APIS
async def test_without_a_transcript_it_begins_anew(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with conversation(monkeypatch, api, TRANSCRIPTS="off") as talk:
        second = await talk.connect(await talk.connect())
        assert (second.status, second.headers["X-Conversation"]) == (201, "new")
        assert await talk.remembered() == 0


async def test_the_call_before_is_ended_although_its_page_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.calls.continuation.HANDOVER", 1_000)
    async with conversation(monkeypatch, "realtime") as talk:
        first = await talk.connect()
        await talk.connect(first)
        await poll_until(partial(talk.status, first), lambda found: found["status"] == "ended")
        assert (await talk.status(first))["ended_by"] == "continued"
        assert [call["status"] for call in await talk.calls()] == ["live", "ended"]


@APIS
async def test_the_end_that_the_service_foresees_is_told(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a page moves in time; its conversation may last as long as before."""
    async with conversation(monkeypatch, api, live={"session_seconds": 60}) as talk:
        await talk.it.emulator.change(session_seconds=60)
        call = await talk.connect()
        booked = (await talk.status(call))["conversation_ends_at"]
        shown = await poll_until(
            partial(talk.status, call), lambda found: found["ends_at"] < booked
        )
        assert shown["conversation_ends_at"] == booked
        assert shown["status"] == "live"


@APIS
async def test_of_many_at_once_each_continues_another(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with conversation(monkeypatch, api, LIMIT_STARTS_PER_MINUTE="50") as talk:
        last = await talk.connect()
        for _ in range(2):
            answers = await asyncio.gather(*(talk.connect(last) for _ in range(6)))
            assert {201} <= {each.status for each in answers} <= {201, 409, 429}
            last = next(each for each in answers if each.status == 201)
        calls = [each for each in await talk.calls() if each["ended_by"] != "refused"]
        for later, before in pairwise(calls):
            assert (later["continues"], before["continued_by"]) == (before["id"], later["id"])
        # Whoever goes on again and again holds two calls, and the others end at once.
        await poll_until(
            talk.calls, lambda found: sum(each["status"] == "live" for each in found) < 3
        )


async def test_who_loses_a_race_has_started_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has begun upstream, and nobody else is to blame."""
    async with conversation(
        monkeypatch, "realtime", LIMIT_LIVE_CALLS="9", LIMIT_STARTS_PER_MINUTE="5"
    ) as talk:
        first = await talk.connect()
        answers = await asyncio.gather(*(talk.connect(first) for _ in range(4)))
        assert {each.status for each in answers} <= {201, 409}
        assert (await talk.connect()).status == 429


async def test_a_session_that_an_admin_closes_does_not_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with conversation(monkeypatch, "live") as talk:
        first = await talk.connect()
        (call,) = await talk.calls()
        await talk.send(call["id"], {"type": "session.close"})
        refused = await talk.connect(first)
        assert (refused.status, (await refused.json())["code"]) == (409, "conversation_over")


@APIS
async def test_an_admin_who_ends_a_call_ends_those_that_continue_it(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with conversation(monkeypatch, api) as talk:
        first = await talk.connect()
        second = await talk.connect(first)
        (call,) = [each["id"] for each in await talk.calls() if "continued_by" in each]
        await talk.it.app.post(f"/api/calls/{call}/hangup", headers=ADMIN)
        assert {each["status"] for each in await talk.calls()} == {"ended"}
        for handle in (first, second):
            assert (await talk.connect(handle)).status == 409


async def test_a_transcript_that_is_deleted_is_not_carried_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with conversation(monkeypatch, "live") as talk:
        first = await talk.connect()
        await talk.say(NAME)
        (call,) = await talk.calls()
        await talk.it.app.delete(f"/api/calls/{call['id']}/transcript", headers=ADMIN)
        second = await talk.connect(first)
        assert (second.status, second.headers["X-Conversation"]) == (201, "new")
