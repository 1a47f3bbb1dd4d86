"""The control route's part for GPT-Live sessions."""

from __future__ import annotations

import json

from aiohttp import WSMsgType

from tests.contract.emulator.live_harness import live_session, steer
from tests.support.patience import PATIENCE


async def test_the_control_route_shows_sessions() -> None:
    async with live_session(safety_identifier="user-1") as it:
        state = await it.server.state()
        assert state["live_sessions"] == 1
        shown = state["sessions"][0]
        assert (shown["id"], shown["live"], shown["observers"]) == (it.id, True, 1)
        assert shown["safety_identifier"] == "user-1"
        assert shown["events"] == {"session.started": 1}
        assert json.dumps(state)


async def test_frames_that_no_api_sends() -> None:
    async with live_session() as it:
        url = f"{it.server.root}/emulator/sessions/{it.id}/frames"
        async with it.server.http.post(url, data=b"no json") as reply:
            assert await reply.json() == {"observers": 1}
        message = await it.sideband.socket.receive(timeout=PATIENCE)
        assert (message.type, message.data) == (WSMsgType.TEXT, "no json")


async def test_a_spoken_text_comes_word_by_word() -> None:
    async with live_session() as it:
        await steer(it.server, it.id, "speech", {"text": "hello"})
        delta = await it.expect("session.input_transcript.delta")
        assert (delta["delta"], delta["end_ms"] - delta["start_ms"]) == ("hello", 200)
        assert delta["start_ms"] % 200 == 0
        await it.until_said("Hello! How can I help you today?")
        assert "session.output_transcript.delta" in it.sideband.kinds(), "before all words are out"
