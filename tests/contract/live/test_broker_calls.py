"""Calls of GPT-Live through the broker and the emulator: upstream is counted, and nothing is left
running there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from local.host.app import open_app
from realtime_emulator.protocol.ids import Provider
from shared.api import lazy_broker
from shared.api.lazy_broker import LazyBroker
from shared.broker import Broker
from shared.calls.call_search import CallSearch, find_calls
from shared.config.voice_api import LIVE
from shared.sideband.sideband import NoSuchCall
from tests.support.app_settings import LINKED, app_settings
from tests.support.broker_programs import ROOT
from tests.support.call_location import call_path
from tests.support.emulator_server import Server, serving
from tests.support.offers import AUDIO, HEAD, OFFER
from tests.support.patience import PATIENCE
from tests.support.principals import signed_in

ADMIN = signed_in("4f0c1ad2c3a94f0b8f9e0b6d6d3c9a51", "admin")
SDP = {"Content-Type": "application/sdp", **ADMIN}
PROFILE = {"profile": "live"}
QUICK = {"close_seconds": 0.01}


@dataclass
class Stack:
    """The app, and the emulator that it calls."""

    app: TestClient[web.Request, web.Application]
    emulator: Server
    broker: Broker

    async def connect(self, offer: bytes = OFFER) -> ClientResponse:
        return await self.app.post("/api/connect", params=PROFILE, data=offer, headers=SDP)

    async def live_session(self) -> dict[str, Any]:
        """The newest session upstream."""
        session: dict[str, Any] = (await self.emulator.state())["sessions"][0]
        return session

    async def counts(self) -> tuple[int, int]:
        """How many creates have arrived, and how many sessions have been started."""
        state = await self.emulator.state()
        return state["requests"].get("live_sessions", 0), state["started_sessions"]

    async def nothing_runs(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self.emulator.state())["live_sessions"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def give_up(self) -> None:
        """The endpoint ends a session that nobody has connected to."""
        url = f"{self.emulator.root}/emulator/sessions/{(await self.live_session())['id']}/end"
        async with self.emulator.http.post(url, json={"reason": "connection_lost"}) as reply:
            assert reply.status == 200, await reply.text()

    async def newest_call(self) -> dict[str, Any]:
        listed = await (await self.app.get("/api/calls", headers=ADMIN)).json()
        call: dict[str, Any] = listed["calls"][0]
        return call


@asynccontextmanager
async def stack(
    monkeypatch: pytest.MonkeyPatch,
    provider: Provider = "azure",
    *,
    real_media: bool = False,
    live: dict[str, Any] | None = None,
    **changes: str,
) -> AsyncIterator[Stack]:
    """The app before an emulator; at the end nothing runs upstream."""
    script = {**QUICK, **(live or {})}
    async with serving(provider, real_media=real_media, live=script) as emulator:
        settings = app_settings(emulator.root, REALTIME_PROVIDER=provider, **LINKED, **changes)
        process = LazyBroker(settings)
        monkeypatch.setattr(lazy_broker, "PROCESS", process)
        async with TestClient(TestServer(open_app(ROOT).make_app())) as app:
            broker = await asyncio.to_thread(process.broker)
            running = Stack(app, emulator, broker)
            yield running
            await running.nothing_runs()


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_a_call_is_one_create_and_ends_by_its_owner(
    monkeypatch: pytest.MonkeyPatch, provider: Provider
) -> None:
    async with stack(monkeypatch, provider) as it:
        response = await it.connect()
        assert response.status == 201, await response.text()
        assert response.headers["X-Voice-Api"] == "live"
        session = await it.live_session()
        assert session["model"] == "gpt-live-1"
        assert session["delegation"] == "responses"
        assert session["id"] not in f"{response.headers} {await response.text()}"
        assert bool(session["safety_identifier"]) == (provider == "openai")
        assert await it.counts() == (1, 1)
        assert (await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)).status == 204
        assert (await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)).status == 204
        await it.nothing_runs()
        assert await it.counts() == (1, 1)
        status = await (await it.app.get(call_path(response), headers=ADMIN)).json()
        assert (status["status"], status["ended_by"], status["api"]) == ("ended", "caller", "live")


async def test_an_offer_without_a_data_channel_makes_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stack(monkeypatch) as it:
        assert (await it.connect((HEAD + AUDIO).encode())).status == 201
        assert (await it.connect(HEAD.encode())).status == 400
        assert await it.counts() == (1, 1)
        call = await it.newest_call()
        hung_up = await it.app.post(f"/api/calls/{call['id']}/hangup", headers=ADMIN)
        assert hung_up.status == 204


ODD_ANSWERS: list[tuple[str, dict[str, Any], int]] = [
    ("no answer in it", {"json": {"transport": None}}, 502),
    ("an answer that is none", {"json": {"transport": {"sdp": "hello"}}}, 502),
    ("another status", {"status": 202}, 502),
]


@pytest.mark.parametrize(
    ("reply", "status"),
    [pytest.param(reply, status, id=name) for name, reply, status in ODD_ANSWERS],
)
async def test_a_session_without_a_usable_answer_is_hung_up(
    monkeypatch: pytest.MonkeyPatch, reply: dict[str, Any], status: int
) -> None:
    async with stack(monkeypatch) as it:
        await it.emulator.change(faults={"live_sessions": [{"reply": reply, "times": 1}]})
        response = await it.connect()
        assert response.status == status
        assert await it.counts() == (1, 1)
        await it.nothing_runs()
        assert (await it.live_session())["ended"] == "client_request"


LOST: list[tuple[str, dict[str, Any], int]] = [
    ("garbage", {"reply": {"body": "<html>"}}, 502),
    ("no id", {"reply": {"json": {"session": None}}}, 502),
    ("a gateway's timeout", {"reply": {"status": 504}}, 504),
]


@pytest.mark.parametrize(
    ("fault", "status"), [pytest.param(*case, id=name) for name, *case in LOST]
)
async def test_a_session_whose_id_is_lost_is_on_record(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: dict[str, Any],
    status: int,
) -> None:
    async with stack(monkeypatch) as it:
        await it.emulator.change(faults={"live_sessions": [{**fault, "times": 1}]})
        response = await it.connect()
        assert response.status == status
        assert await it.counts() == (1, 1), "one create, and its session runs"
        await it.give_up()
        call = await it.newest_call()
        assert (call["status"], call["ended_by"]) == ("ended", "no answer")
        assert list(call["failures"]) == ["call_left_running"]
        assert (call["usage"]["seconds"], float(call["cost"])) == (15, 0.0125)
        [line] = [each for each in caplog.messages if "call left running" in each]
        assert "15 s" in line


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"azure_strict": True}, 502, "data_channel_refused"),
    ({"max_sessions": 1}, 503, "live_sessions_full"),
    ({"has_credit": False}, 502, "upstream_credit_exhausted"),
    ({"models": ["another"]}, 502, "live_model_not_found"),
]


@pytest.mark.parametrize(("live", "status", "code"), REFUSALS)
async def test_what_the_endpoint_refuses_is_a_clear_problem(
    monkeypatch: pytest.MonkeyPatch, live: dict[str, Any], status: int, code: str
) -> None:
    async with stack(monkeypatch, live=live) as it:
        first = await it.connect()
        if code == "live_sessions_full":
            assert first.status == 201
            response = await it.connect()
            await it.app.post(f"{call_path(first)}/hangup", headers=ADMIN)
            assert response.headers["Retry-After"]
        else:
            response = first
        problem = await response.json()
        assert (response.status, problem["code"]) == (status, code)
        creates, started = await it.counts()
        assert creates == started + 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 404, "reply": {"body": "<html>Not Found</html>"}},
        {"status": 405, "reply": {"body": ""}},
    ],
)
async def test_where_no_hang_up_is_served_the_sideband_ends_the_session(
    monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    async with stack(monkeypatch) as it:
        await it.emulator.change(faults={"live_hangup": [fault]})
        response = await it.connect()
        assert (await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)).status == 204
        await it.nothing_runs()
        records = it.broker.stores.records
        [record] = find_calls(records, CallSearch(), it.broker.clock(), limit=1).calls
        assert (record.settled_by, record.api) == ("closed", LIVE)
        again = await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)
        assert again.status == 204, "an attach to no session is proof too"


async def test_an_end_that_is_not_told_is_found_out_by_another_attach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stack(monkeypatch, live={"lose_closed": True}) as it:
        await it.emulator.change(
            faults={"live_hangup": [{"status": 404, "reply": {"body": "<html>"}}]}
        )
        response = await it.connect()
        assert (await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)).status == 204
        await it.nothing_runs()


async def test_admins_speak_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stack(monkeypatch, live={"append_seconds": 0}) as it:
        response = await it.connect()
        call = await it.newest_call()
        events = f"/api/calls/{call['id']}/events"
        for event, answered_by in (
            ({"type": "session.input_audio.mute"}, "session.input_audio.muted"),
            ({"type": "session.input_audio.unmute"}, "session.input_audio.unmuted"),
            ({"type": "session.close"}, "session.closed"),
        ):
            sent = await it.app.post(events, json=event, headers=ADMIN)
            assert sent.status == 202, await sent.text()
            assert (await sent.json())["answered_by"] == answered_by
        await it.nothing_runs()
        late = await it.app.post(events, json={"type": "session.close"}, headers=ADMIN)
        assert (late.status, (await late.json())["code"]) == (404, "call_not_found")
        await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_the_deep_check_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, provider: Provider
) -> None:
    async with stack(monkeypatch, provider) as it:
        answer = await it.app.get("/api/health/deep", headers=ADMIN)
        content = await answer.json()
        found = {check["name"]: check["status"] for check in content["checks"]}
        # The emulator's clock stands in the past here, so that its keys have expired.
        assert (found["live"], found["live_hangup"]) == ("ok", "ok"), content
        assert (await it.counts())[1] == 0


async def test_a_sideband_of_no_session_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stack(monkeypatch) as it:
        with pytest.raises(NoSuchCall):
            await it.broker.model.default.connects[LIVE]("live_u0_none")


async def test_an_observer_that_is_required_attaches_and_the_call_is_metered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stack(monkeypatch, OBSERVER="required") as it:
        response = await it.connect()
        assert response.status == 201, await response.text()
        assert (await it.live_session())["observers"] == 1
        assert (await it.app.post(f"{call_path(response)}/hangup", headers=ADMIN)).status == 204
        await it.nothing_runs()
        async with asyncio.timeout(PATIENCE):
            while not (call := await it.newest_call()).get("usage"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert call["usage"]["seconds"] == 15
        assert (call["api"], call["ended_by"]) == ("live", "caller")


async def test_a_call_whose_required_observer_is_refused_is_hung_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stack(monkeypatch, OBSERVER="required") as it:
        await it.emulator.change(faults={"live_attach": [{"status": 403}]})
        soon = timedelta(seconds=0.3)
        object.__setattr__(it.broker.calls.dispatcher, "attach_within", soon)
        response = await it.connect()
        assert (response.status, (await response.json())["code"]) == (503, "observer_unavailable")
        await it.nothing_runs()
        assert await it.counts() == (1, 1)
