"""A sideband of a GPT-Live session, and the session as it sees it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from local.emulator.live.interfaces import SILENT_CHUNK
from local.emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import (
    BACKEND,
    BEARER,
    QUICK,
    attached,
    create,
    live_session,
    post,
    steer,
)
from tests.support.emulator_server import serving
from tests.support.patience import PATIENCE

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


async def test_commands_are_acknowledged_by_id_to_all() -> None:
    async with live_session() as it, attached(it.server, it.id) as other:
        await other.tell("session.input_audio.mute", event_id="mine")
        muted = await it.expect("session.input_audio.muted")
        assert muted["client_event_id"] == "mine"
        assert await other.expect("session.input_audio.muted") == muted
        assert it.media.is_muted
        assert muted in it.media.sent, "the page is told"


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        ("{}", "invalid_event", "type"),
        ('{"type": "response.cancel"}', "invalid_event", "type"),
        ('{"type": "session.start", "session": {}}', "invalid_event", "type"),
        ('{"type": "session.input_audio.append", "audio": "AAAA"}', "invalid_event", "type"),
        ('{"type": "transport.dtmf.send", "event": "1"}', "invalid_event", "type"),
        ('{"type": "response.create"}', "invalid_event", "type"),
        ('{"type": "session.close", "now": true}', "unknown_parameter", "now"),
        ('{"type": "session.update"}', "missing_required_parameter", "session"),
        ('{"type": "session.update", "session": 3}', "invalid_value", "session"),
        (
            '{"type": "session.output_audio.fixture.play", "audio": "AA=="}',
            "invalid_audio",
            "audio",
        ),
    ],
)
async def test_events_that_are_refused(text: str, code: str | None, param: str | None) -> None:
    async with live_session() as it:
        await it.sideband.socket.send_str(text)
        error = await it.refusal()
        assert error["type"] == "invalid_request_error"
        assert error["code"] == code
        assert error.get("param") == param
        assert (await it.server.state())["live_sessions"] == 1, "errors end nothing"


async def test_an_error_names_the_event_it_answers() -> None:
    async with live_session(live={"null_codes": True}) as it:
        await it.tell("session.close", event_id="mine", now=True)
        event = await it.expect("error")
        assert (event["client_event_id"], event["error"]["client_event_id"]) == ("mine", "mine")
        assert event["error"]["code"] is None


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


async def test_a_sideband_that_goes_ends_nothing() -> None:
    async with live_session() as it:
        await it.sideband.socket.close()
        async with attached(it.server, it.id) as again:
            await again.expect("session.started")
        await it.server.change(faults={"live_attach": [{"drop_after_seconds": 0}]})
        async with attached(it.server, it.id) as dropped:
            await dropped.until_closed()
        assert (await it.server.state())["live_sessions"] == 1


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
    monkeypatch.setattr("local.emulator.live.session_end.DROP_AFTER", timedelta(seconds=0.2))
    failure = {"code": "credit_balance_exhausted", "message": "No credit."}
    async with serving("openai", live={"startup_error": failure}) as server:
        session_id = await create(server)
        async with attached(server, session_id) as sideband:
            assert await sideband.until_closed() == 1006
            assert sideband.kinds() == ["error"]
            assert sideband.events[0]["error"]["code"] == "credit_balance_exhausted"
        assert (await server.state())["live_sessions"] == 0


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


async def test_updates() -> None:
    async with live_session(delegation=BACKEND) as it:
        await it.tell("session.update", session={}, event_id="read")
        updated = await it.expect("session.updated")
        assert updated["client_event_id"] == "read"
        assert updated["session"] == it.sideband.events[0]["session"]
        change = {"type": "responses", "responses": {"instructions": "Be long."}}
        await it.tell("session.update", session={"delegation": change})
        backend = (await it.expect("session.updated"))["session"]["delegation"]["responses"]
        assert backend["instructions"] == "Be long."
        assert [tool["name"] for tool in backend["tools"]] == ["get_weather", "get_time"]
        for wrong, code, param in (
            ({"instructions": "x"}, "immutable_field_update", "session.instructions"),
            ({"delegation": {"type": "client"}}, "immutable_field_update",
             "session.delegation.type"),
            ({"voice": "x"}, "unknown_parameter", "session.voice"),
            ({"delegation": {"type": "responses", "responses": {"tools": 3}}}, "invalid_value",
             "session.delegation.responses.tools"),
        ):  # fmt: skip
            await it.tell("session.update", session=wrong)
            error = await it.refusal()
            assert (error["code"], error["param"]) == (code, param)
        await it.tell("session.update", session={})
        again = (await it.expect("session.updated"))["session"]["delegation"]["responses"]
        assert again == backend, "a refused update changes nothing"


async def test_azure_replaces_the_backend_as_a_whole() -> None:
    async with live_session("azure", delegation=BACKEND) as it:
        change: dict[str, Any] = {"type": "responses", "responses": {"instructions": "x"}}
        await it.tell("session.update", session={"delegation": change})
        error = await it.refusal()
        assert (error["code"], error["param"]) == (
            "missing_required_parameter",
            "session.delegation.responses.model",
        )
        change["responses"]["model"] = "gpt-5"
        await it.tell("session.update", session={"delegation": change})
        backend = (await it.expect("session.updated"))["session"]["delegation"]["responses"]
        assert backend == {
            "instructions": "x",
            "model": "gpt-5",
            "tools": [],
            "tool_choice": "auto",
        }


async def test_a_fixture() -> None:
    audio = base64.b64encode(bytes(4800)).decode()
    async with live_session() as it:
        for event_id in ("mine", "too-soon"):
            await it.tell("session.output_audio.fixture.play", audio=audio, event_id=event_id)
        playing = await it.expect("session.output_audio.fixture.playing")
        assert playing["client_event_id"] == "mine"
        await it.tell("session.thinking.append", content="x", delegation_id=None)
        assert (await it.refusal())["code"] == "invalid_event"
        assert (await it.refusal())["code"] == "invalid_event"
        assert it.media.fixture is not None
        it.media.fixture.finish()
        assert (await it.expect("session.output_audio.fixture.played"))["client_event_id"] == "mine"
        long = base64.b64encode(bytes(30 * 48_000 + 2)).decode()
        await it.tell("session.output_audio.fixture.play", audio=long)
        assert (await it.refusal())["code"] == "invalid_audio"


async def test_decisions_are_taken_and_never_made() -> None:
    question = {"type": "predicate", "instructions": "Is it late?"}
    trigger = {
        "type": "decisions",
        "event_type": "session.input_transcript.delta",
        "decisions": {"questions": [question]},
    }
    async with live_session(triggers=[trigger]) as it:
        item = {"type": "message", "role": "user", "content": "Hi."}
        await it.tell("decision.item.create", item=item)
        created = await it.expect("decision.item.created")
        await it.tell("decision.create", event_id="once")
        await it.tell("decision.item.delete", item_id=created["item"]["id"])
        await it.expect("decision.item.deleted")
        assert "decision.event" not in it.sideband.kinds()


async def test_frames_that_no_api_sends() -> None:
    async with live_session() as it:
        url = f"{it.server.root}/emulator/sessions/{it.id}/frames"
        async with it.server.http.post(url, data=b"no json") as reply:
            assert await reply.json() == {"observers": 1}
        message = await it.sideband.socket.receive(timeout=PATIENCE)
        assert (message.type, message.data) == (WSMsgType.TEXT, "no json")


async def test_the_control_route_shows_sessions() -> None:
    async with live_session(safety_identifier="user-1") as it:
        state = await it.server.state()
        assert state["live_sessions"] == 1
        shown = state["sessions"][0]
        assert (shown["id"], shown["live"], shown["observers"]) == (it.id, True, 1)
        assert shown["safety_identifier"] == "user-1"
        assert shown["events"] == {"session.started": 1}
        assert json.dumps(state)


async def test_a_spoken_text_comes_word_by_word() -> None:
    async with live_session() as it:
        await steer(it.server, it.id, "speech", {"text": "hello"})
        delta = await it.expect("session.input_transcript.delta")
        assert (delta["delta"], delta["end_ms"] - delta["start_ms"]) == ("hello", 200)
        assert delta["start_ms"] % 200 == 0
        await it.until_said("Hello! How can I help you today?")
        assert "session.output_transcript.delta" in it.sideband.kinds(), "before all words are out"
