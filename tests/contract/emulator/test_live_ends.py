"""How a GPT-Live session ends, and what its sideband sees of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import QUICK, attached, create, live_session, post, steer
from tests.support.emulator_server import serving


@pytest.mark.parametrize(
    ("provider", "reason"), [("openai", "close_requested"), ("azure", "client_request")]
)
async def test_a_close_by_event(provider: Provider, reason: str) -> None:
    async with live_session(provider, live={"close_seconds": 0.2}) as it:
        await it.tell("session.close", event_id="bye")
        await it.tell("session.input_audio.mute")
        assert (await it.refusal())["code"] == "invalid_event"
        closed = await it.expect("session.closed")
        assert (closed["reason"], closed["usage"]) == (reason, {"seconds": 15.0})
        assert (closed["session"]["status"], closed["client_event_id"]) == ("active", "bye")
        assert list(closed)[:4] == ["type", "usage", "reason", "session"]
        assert await it.sideband.until_closed() == 1006, "no closing handshake"
        state = await it.server.state()
        assert (state["live_sessions"], state["sessions"][0]["ended"]) == (0, reason)


async def test_a_graceful_close() -> None:
    async with serving("openai", live=QUICK) as server:
        session_id = await create(server)
        async with attached(server, session_id, "?graceful_close=true") as sideband:
            await post(server, f"/{session_id}/hangup")
            assert await sideband.until_closed() == 1000
            assert sideband.kinds()[-1] == "session.closed"
        await server.change(live={"close_handshake": True, "lose_closed": True})
        session_id = await create(server)
        async with attached(server, session_id) as sideband:
            await post(server, f"/{session_id}/hangup")
            assert await sideband.until_closed() == 1000
            assert sideband.kinds() == ["session.started"], "session.closed was lost"


async def test_expiry() -> None:
    async with live_session(live={"session_seconds": 0.05}) as it:
        assert (await it.expect("session.closed"))["reason"] == "expired"


@pytest.mark.parametrize("reason", ["remote_hangup", "connection_lost", "content"])
async def test_other_ends(reason: str) -> None:
    async with live_session() as it:
        await steer(it.server, it.id, "end", {"reason": reason})
        assert (await it.expect("session.closed"))["reason"] == reason


async def test_a_caller_who_is_gone() -> None:
    async with live_session() as it:
        it.media.events.connection_lost()
        assert (await it.expect("session.closed"))["reason"] == "connection_lost"


async def test_words_that_end_a_session() -> None:
    async with live_session(live={"content_words": ["forbidden words"]}) as it:
        await it.hear("these are forbidden words")
        assert (await it.expect("session.closed"))["reason"] == "content"


async def test_an_error_instead_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_emulator.live.session_end.DROP_AFTER", timedelta(seconds=0.2))
    failure = {"code": "credit_balance_exhausted", "message": "No credit."}
    async with serving("openai", live={"startup_error": failure}) as server:
        session_id = await create(server)
        async with attached(server, session_id) as sideband:
            assert await sideband.until_closed() == 1006
            assert sideband.kinds() == ["error"]
            assert sideband.events[0]["error"]["code"] == "credit_balance_exhausted"
        assert (await server.state())["live_sessions"] == 0
