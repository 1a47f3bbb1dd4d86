"""Spoken GPT-Live sessions: real audio both ways, recogniser and voice included."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_emulator.caller import Caller
from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import BACKEND, attached, post
from tests.support.emulator_server import serving
from tests.support.voice import SPEECH, read_wav

LIST = [
    "session.input_transcript.delta",
    "session.output_transcript.delta",
    "session.closed",
]


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_a_spoken_question_is_delegated_and_its_answer_spoken(provider: Provider) -> None:
    pcm, rate = read_wav(SPEECH / "weather.wav")
    channel = {"allowed_client_events": [], "allowed_server_events": [{"type": t} for t in LIST]}
    session: dict[str, Any] = {
        "model": "gpt-live-1",
        "delegation": BACKEND,
        "client": {"data_channel": channel},
    }
    async with serving(provider, real_media=True) as server, Caller() as caller:
        offer = {"type": "webrtc", "sdp": await caller.offer()}
        status, reply = await post(server, "", {"session": session, "transport": offer})
        assert status == 201, reply
        await caller.accept(reply["transport"]["sdp"])
        async with attached(server, reply["session"]["id"]) as sideband:
            await sideband.expect("session.started")
            caller.say(pcm, rate)
            await sideband.expect("session.delegation.created")
            done = await sideband.nested("response.output_item.done")
            output = {
                "type": "function_call_output",
                "call_id": done["item"]["call_id"],
                "output": "It rains in London.",
            }
            await sideband.tell("response.item.create", item=output)
            await sideband.tell("response.create")
            said = ""
            while "London" not in said:
                said += (await sideband.expect("session.output_transcript.delta"))["delta"]
            await sideband.tell("session.close")
            await sideband.expect("session.closed")
            heard = [e for e in sideband.events if e["type"] == "session.input_transcript.delta"]
            assert "london" in "".join(event["delta"] for event in heard)
            assert all(e["start_ms"] % 200 == 0 for e in heard)
            assert sideband.audio, "both voices are reflected"
        await caller.expect("session.closed")
        assert caller.types()[0] == "info", "the channel is restricted"
        assert set(caller.types()) <= {"info", *LIST}, "what the lists forbid never comes"
        assert caller.energy > 0
        assert (await server.state())["live_sessions"] == 0


async def test_a_session_that_pauses_and_is_woken() -> None:
    session: dict[str, Any] = {
        "model": "gpt-live-1",
        "idle_timeout_s": 1,
        "wake_policy": {"type": "speech"},
    }
    async with serving("openai", real_media=True) as server, Caller() as caller:
        offer = {"type": "webrtc", "sdp": await caller.offer()}
        status, reply = await post(server, "", {"session": session, "transport": offer})
        assert status == 201, reply
        await caller.accept(reply["transport"]["sdp"])
        async with attached(server, reply["session"]["id"]) as sideband:
            await sideband.expect("session.paused")
            await caller.expect("session.paused")
            pcm, rate = read_wav(SPEECH / "hello.wav")
            caller.say(pcm, rate)
            await sideband.expect("session.resumed")
            await sideband.expect("session.output_transcript.delta")
            await sideband.tell("session.close")
            usage = (await sideband.expect("session.closed"))["usage"]
        assert usage["active_seconds"] + usage["paused_seconds"] == usage["seconds"] == 15.0
