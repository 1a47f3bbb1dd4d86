"""What a sideband may ask of a GPT-Live session, and what it is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.contract.emulator.live_harness import BACKEND, attached, live_session


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
