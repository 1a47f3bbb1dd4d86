"""A sideband of a GPT-Live session: who may attach, and what it gets."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from realtime_emulator.live.media_interfaces import SILENT_CHUNK
from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import BEARER, attached, create, live_session, post
from tests.support.emulator_server import serving

KEY = "0123456789abcdef0123456789abcdef"


async def test_it_begins_with_the_resource() -> None:
    session: dict[str, Any] = {
        "instructions": "Be kind.",
        "delegation": {"type": "responses", "responses": {"model": "gpt-5.6-sol"}},
        "client": {"data_channel": {"allowed_client_events": [], "allowed_server_events": []}},
        "safety_identifier": "user-1",
    }
    async with live_session(**session) as it:
        started = it.sideband.events[0]
        assert list(started) == ["event_id", "type", "session"]
        resource = started["session"]
        assert list(resource)[:8] == [
            *("id", "expires_at", "model", "instructions", "audio", "delegation", "status"),
            "input",
        ]
        assert resource["id"] == it.id
        assert resource["expires_at"] == int(it.server.fakes.now) + 7200
        assert resource["audio"] == {"output": {"voice": "marin"}}
        assert resource["delegation"]["responses"] == {
            "model": "gpt-5.6-sol",
            "tools": [],
            "tool_choice": "auto",
        }
        assert (resource["status"], resource["input"]) == ("active", [])
        assert resource["client"] == session["client"]
        assert "store" not in resource


async def test_the_resource_on_azure() -> None:
    async with live_session("azure") as it:
        resource = it.sideband.events[0]["session"]
        assert list(resource["audio"]) == ["format", "output"]
        assert resource["delegation"] == {"type": "client"}
        assert resource["context_management"] == {"type": "compaction"}


async def test_who_may_not_attach() -> None:
    async with serving("openai") as server:
        session_id = await create(server)
        for path, headers, status in (
            (f"{session_id}/attach", {}, 401),
            (f"{session_id}/attach", {"Authorization": "Bearer ek_1"}, 401),
            ("live_unknown/attach", BEARER, 404),
        ):
            with pytest.raises(WSServerHandshakeError) as refused:
                await server.http.ws_connect(f"{server.live}/sessions/{path}", headers=headers)
            assert refused.value.status == status
        assert (await post(server, f"/{session_id}/hangup"))[0] == 200
        url = f"{server.live}/sessions/{session_id}/attach"
        with pytest.raises(WSServerHandshakeError) as refused:
            await server.http.ws_connect(url, headers=BEARER)
        assert refused.value.status == 404, "a session that closes takes no more observers"


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({"api-key": KEY}, {"101": 1}),
        ({"Authorization": "Bearer a.b.c"}, {"101": 1}),
        ({"Authorization": f"Bearer {KEY}"}, {"307": 1, "101": 1}),
    ],
)
async def test_azure_redirects_a_bearer_that_is_a_key(
    headers: dict[str, str], seen: dict[str, int]
) -> None:
    async with serving("azure") as server:
        session_id = await create(server)
        url = f"{server.live}/sessions/{session_id}/attach"
        async with server.http.ws_connect(url, headers=headers) as socket:
            assert (await socket.receive_json())["type"] == "session.started"
        assert (await server.state())["answers"]["live_attach"] == seen


async def test_a_late_sideband_gets_the_last_seconds_with_their_ids() -> None:
    async with live_session() as it:
        await it.tell("session.input_audio.mute")
        muted = await it.expect("session.input_audio.muted")
        async with attached(it.server, it.id) as late:
            assert await late.next() == it.sideband.events[0]
            assert await late.next() == muted
        await it.server.change(live={"replay_seconds": 0})
        async with attached(it.server, it.id) as later:
            await later.expect("session.started")
            await later.tell("session.input_audio.unmute")
            assert (await later.next())["type"] == "session.input_audio.unmuted"
        await it.expect("session.input_audio.unmuted")


async def test_audio_is_reflected_both_ways() -> None:
    loud = bytes(range(1, 241)) * 40
    async with live_session() as it:
        it.media.events.input_audio(loud)
        it.media.events.output_audio(SILENT_CHUNK, 200, 400)
        await it.tell("session.update", session={})
        await it.expect("session.updated")
        heard, said = it.sideband.audio
        assert list(heard) == ["type", "audio"]
        assert base64.b64decode(heard["audio"]) == loud
        assert list(said) == ["type", "delta", "start_ms", "end_ms"]
        assert base64.b64decode(said["delta"]) == SILENT_CHUNK
        assert (said["start_ms"], said["end_ms"]) == (200, 400)
        assert not any(e["type"] in ("session.output_audio.delta",) for e in it.media.sent)


async def test_a_slow_engine() -> None:
    async with live_session(live={"first_audio_seconds": 3.4}) as it:
        it.media.events.output_audio(SILENT_CHUNK, 3200, 3400)
        it.media.events.output_audio(SILENT_CHUNK, 3400, 3600)
        await it.tell("session.update", session={})
        await it.expect("session.updated")
        assert [event["start_ms"] for event in it.sideband.audio] == [3400]


async def test_a_sideband_that_goes_ends_nothing() -> None:
    async with live_session() as it:
        await it.sideband.socket.close()
        async with attached(it.server, it.id) as again:
            await again.expect("session.started")
        await it.server.change(faults={"live_attach": [{"drop_after_seconds": 0}]})
        async with attached(it.server, it.id) as dropped:
            await dropped.until_closed()
        assert (await it.server.state())["live_sessions"] == 1


@pytest.mark.parametrize(
    ("provider", "usage"),
    [
        ("openai", {"seconds": 63.0}),
        ("azure", {"seconds": 63.6}),
    ],
)
async def test_usage(provider: Provider, usage: dict[str, Any]) -> None:
    async with live_session(provider, live={"usage_seconds": 0.02}) as it:
        it.media.runs_since = None
        it.media.now_ms = 63_640
        await it.expect("session.usage.updated")
        updated = await it.expect("session.usage.updated")
        assert updated["usage"] == usage
        assert ("context_window" in updated) == (provider == "openai")


async def test_usage_of_a_session_that_may_pause() -> None:
    session: dict[str, Any] = {"idle_timeout_s": 5, "wake_policy": {"type": "speech"}}
    async with live_session(live={"usage_seconds": 0.02}, **session) as it:
        it.media.runs_since = None
        it.media.now_ms, it.media.paused_ms = 63_640, 20_900
        it.media.events.paused()
        it.media.events.resumed()
        await it.expect("session.paused")
        await it.expect("session.resumed")
        await it.expect("session.usage.updated")
        updated = await it.expect("session.usage.updated")
        assert updated["usage"] == {"seconds": 63.0, "active_seconds": 43, "paused_seconds": 20}
        assert it.media.settings.idle_timeout is not None
