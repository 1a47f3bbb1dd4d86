"""The REST routes of the Live API."""

from __future__ import annotations

import json
from typing import Any

import pytest

from realtime_emulator.live.http_errors import no_session
from realtime_emulator.protocol.ids import Provider
from tests.contract.emulator.live_harness import BEARER, attached, body, create, post, steer
from tests.support.emulator_server import serving

NOT_FOUND = {
    "error": {
        "message": "No session found for the provided session_id",
        "type": "invalid_request_error",
        "code": "session_id_not_found",
        "param": "session_id",
    }
}
"""Recorded, keys in this order."""


def message(text: str, role: str = "user") -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"role": role, "content": [{"type": kind, "text": text}]}


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_a_create_answers_the_id_and_the_answer_and_nothing_else(provider: Provider) -> None:
    async with serving(provider) as server:
        url = f"{server.live}/sessions"
        async with server.http.post(url, json=body(), headers=BEARER) as reply:
            assert reply.status == 201
            assert reply.content_type == "application/json"
            assert reply.headers["Access-Control-Allow-Origin"] == "*"
            assert "Location" not in reply.headers
            text = await reply.text()
        made = json.loads(text)
        assert list(made) == ["session", "transport"]
        assert list(made["session"]) == ["id"]
        assert made["transport"] == {"type": "webrtc", "sdp": "v=0\r\nanswer\r\n"}
        assert made["session"]["id"].startswith("live_u0_")
        assert len(made["session"]["id"]) == len("live_u0_") + 32
        assert text == json.dumps(made), "separators as recorded"


@pytest.mark.parametrize(
    ("provider", "headers", "status"),
    [
        ("openai", {}, 401),
        ("openai", {"api-key": "any"}, 401),
        ("openai", {"Authorization": "Bearer ek_0123"}, 401),
        ("openai", BEARER, 201),
        ("azure", {}, 401),
        ("azure", {"api-key": "any"}, 201),
        ("azure", {"api-key": "ek_0123"}, 401),
        ("azure", BEARER, 201),
    ],
)
async def test_credentials(provider: Provider, headers: dict[str, str], status: int) -> None:
    async with serving(provider) as server:
        url = f"{server.live}/sessions"
        async with server.http.post(url, json=body(), headers=headers) as reply:
            assert reply.status == status
            if status == 401:
                assert (await reply.json())["error"]["code"] == "invalid_api_key"
        assert (await server.state())["live_sessions"] == (status == 201)


def without(*path: str) -> dict[str, Any]:
    made = body()
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return made


LONG = "word " * 16_385
SELECTOR = {"type": "response.event"}


def channel(**lists: Any) -> dict[str, Any]:
    return body(client={"data_channel": lists})


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        ([], "invalid_json", None),
        (without("session"), "missing_required_parameter", "session"),
        (without("session", "model"), "missing_required_parameter", "session.model"),
        (without("transport"), "missing_required_parameter", "transport"),
        (without("transport", "sdp"), "missing_required_parameter", "transport.sdp"),
        ({**without("transport"), "odd": 1}, "missing_required_parameter", "transport"),
        ({**body(), "odd": 1}, "unknown_parameter", "odd"),
        (body(voice="marin"), "unknown_parameter", "session.voice"),
        (body(type="realtime"), "unknown_parameter", "session.type"),
        (body(metadata={}), "unknown_parameter", "session.metadata"),
        (body(model=3, tools=[]), "unknown_parameter", "session.tools"),
        (
            body(delegation={"type": "responses", "responses": {"model": "m", "odd": 1}}),
            "unknown_parameter",
            "session.delegation.responses.odd",
        ),
        (
            body(input=[{**message("Hi."), "odd": 1}]),
            "unknown_parameter",
            "session.input[0].odd",
        ),
        (body(model=3), "invalid_value", "session.model"),
        (body(store="yes"), "invalid_value", "session.store"),
        (body(audio={"output": {"voice": 3}}), "invalid_value", "session.audio.output.voice"),
        (body(delegation={"type": "magic"}), "invalid_value", "session.delegation.type"),
        (
            body(delegation={"type": "responses"}),
            "missing_required_parameter",
            "session.delegation.responses",
        ),
        (body(input=[message("Hi.", "system")]), "invalid_value", "session.input[0].role"),
        (body(instructions=LONG), "invalid_value", "session.instructions"),
        (body(input=[message("Hi.")] * 129), "invalid_value", "session.input"),
        (body(input=[message(" word" * 422)] * 20), "invalid_value", "session.input"),
        (
            body(input=[{"role": "user", "content": []}]),
            "invalid_value",
            "session.input[0].content",
        ),
        (
            channel(allowed_client_events=["x"] * 257),
            "invalid_value",
            "session.client.data_channel.allowed_client_events",
        ),
        (
            channel(allowed_server_events=[SELECTOR]),
            "invalid_value",
            "session.client.data_channel.allowed_server_events[0].response_event",
        ),
        (
            channel(allowed_server_events=[{"type": "error", "response_event": "x"}]),
            "invalid_value",
            "session.client.data_channel.allowed_server_events[0].response_event",
        ),
        (
            body(audio={"format": {"type": "audio/pcm", "rate": 24000}}),
            "invalid_value",
            "session.audio.format",
        ),
        (body(idle_timeout_s=60), "invalid_value", "session.idle_timeout_s"),
        (
            body(idle_timeout_s=0, wake_policy={"type": "speech"}),
            "invalid_value",
            "session.idle_timeout_s",
        ),
        (
            body(idle_timeout_s=1.5, wake_policy={"type": "speech"}),
            "invalid_value",
            "session.idle_timeout_s",
        ),
        (
            body(wake_policy={"type": "speech", "vad_threshold": 2}),
            "invalid_value",
            "session.wake_policy.vad_threshold",
        ),
    ],
)
async def test_what_a_create_refuses(data: Any, code: str, param: str | None) -> None:
    async with serving("openai") as server:
        status, reply = await post(server, "", data)
        assert (status, reply["error"]["code"], reply["error"]["param"]) == (400, code, param)
        assert list(reply["error"]) == ["message", "type", "code", "param"]
        if code == "unknown_parameter":
            assert reply["error"]["message"] == f"Unknown parameter: '{param}'."
        state = await server.state()
        assert (state["live_sessions"], state["started_sessions"]) == (0, 0)


async def test_what_a_create_takes() -> None:
    async with serving("openai") as server:
        for session in (
            {"audio": {"output": {"voice": {"id": "voice_1"}}}, "safety_identifier": "user-1"},
            {"audio": {"output": {"voice": "somebody-new"}}, "instructions": None},
            {"input": [message(" word" * 402)] * 20},
            {"input": [message("Hi.", "developer"), message("Hello.", "assistant")]},
            {"idle_timeout_s": 60, "wake_policy": {"type": "speech"}},
            {"delegation": None, "store": True},
            {"delegation": {"type": "client", "acknowledgement_delay_ms": 100}},
            {"client": {"data_channel": {"allowed_client_events": "all"}}},
        ):
            await create(server, **session)


async def test_a_body_that_is_not_json() -> None:
    async with serving("openai") as server:
        url = f"{server.live}/sessions"
        for headers, data, code in (
            ({"Content-Type": "application/json"}, "{", "invalid_json"),
            ({"Content-Type": "application/sdp"}, "v=0", "unsupported_content_type"),
        ):
            async with server.http.post(url, data=data, headers={**BEARER, **headers}) as reply:
                assert (reply.status, (await reply.json())["error"]["code"]) == (400, code)


@pytest.mark.parametrize("field", ["client", "store", "safety_identifier", "triggers"])
async def test_what_a_strict_azure_does_not_know(field: str) -> None:
    values: dict[str, Any] = {
        "client": {"data_channel": {"allowed_client_events": []}},
        "store": True,
        "safety_identifier": "user-1",
        "triggers": [],
    }
    async with serving("azure") as server:
        await create(server, **{field: values[field]})
        await server.change(live={"azure_strict": True})
        status, reply = await post(server, "", body(**{field: values[field]}))
        assert (status, reply["error"]["code"]) == (400, "unknown_parameter")
        assert reply["error"]["param"] == f"session.{field}"
        await create(server, instructions="Hi.", delegation={"type": "client"})


async def test_a_model_that_is_not_there() -> None:
    async with serving("azure") as server:
        status, reply = await post(server, "", body(model="mine"))
        assert (status, reply["error"]["code"]) == (404, "DeploymentNotFound")
        await server.change(live={"models": ["mine"]})
        await create(server, model="mine")
    async with serving("openai") as server:
        status, reply = await post(server, "", body(model="gpt-realtime"))
        assert (status, reply["error"]["code"]) == (404, "model_not_found")
        await server.change(live={"unknown_model": {"status": 400, "code": "invalid_model"}})
        status, reply = await post(server, "", body(model="gpt-realtime"))
        assert (status, reply["error"]["code"]) == (400, "invalid_model")


async def test_a_live_model_is_none_of_realtime() -> None:
    for provider in ("azure", "openai"):
        async with serving(provider) as server:
            data = {"session": {"type": "realtime", "model": "gpt-live-1"}}
            url = f"{server.realtime}/client_secrets"
            async with server.http.post(url, json=data, headers=BEARER) as reply:
                error = (await reply.json())["error"]
                assert (reply.status, error["code"]) == (400, "invalid_model")
                assert error["message"] == ('Model "gpt-live-1" is not supported in realtime mode.')
            async with server.http.get(
                f"{server.realtime}?model=gpt-live-1", headers=BEARER
            ) as reply:
                assert (await reply.json())["error"]["code"] == "invalid_model"


async def test_as_many_sessions_as_may_run() -> None:
    async with serving("openai", live={"max_sessions": 1, "close_seconds": 0}) as server:
        first = await create(server)
        status, reply = await post(server, "", body())
        assert (status, reply["error"]["code"]) == (429, "rate_limit_exceeded")
        assert (await post(server, f"/{first}/hangup"))[0] == 200
        await create(server)


async def test_no_credit() -> None:
    async with serving("openai", live={"has_credit": False}) as server:
        status, reply = await post(server, "", body())
        assert (status, reply["error"]["code"]) == (500, "credit_balance_exhausted")


@pytest.mark.parametrize("close_seconds", [0, 0.6])
async def test_a_session_hangs_up_once(close_seconds: float) -> None:
    async with serving("openai", live={"close_seconds": close_seconds}) as server:
        session_id = await create(server)
        url = f"{server.live}/sessions/{session_id}/hangup"
        async with server.http.post(url, headers=BEARER) as reply:
            assert (reply.status, await reply.read()) == (200, b"")
        async with server.http.post(url, headers=BEARER) as reply:
            assert (reply.status, await reply.text()) == (404, json.dumps(NOT_FOUND))
        assert (await post(server, "/live_unknown/hangup"))[1] == NOT_FOUND
    assert no_session().body == NOT_FOUND


async def test_a_session_that_ended_by_itself_is_not_found() -> None:
    async with serving("openai") as server:
        session_id = await create(server)
        await steer(server, session_id, "end", {"reason": "expired"})
        assert await post(server, f"/{session_id}/hangup") == (404, NOT_FOUND)
        state = await server.state()
        assert state["live_sessions"] == 0
        assert state["sessions"][0]["ended"] == "expired"
        assert server.fakes.live.made[0].is_closed


async def test_the_telephone_is_not_emulated() -> None:
    async with serving("openai") as server:
        session_id = await create(server)
        for verb in ("accept", "reject", "refer"):
            assert await post(server, f"/{session_id}/{verb}", {}) == (404, NOT_FOUND)


async def test_there_is_no_way_to_read_or_list_sessions() -> None:
    async with serving("openai") as server:
        session_id = await create(server)
        for path in (f"/sessions/{session_id}", "/client_secrets"):
            async with server.http.get(f"{server.live}{path}", headers=BEARER) as reply:
                assert reply.status in (404, 405)


async def test_faults() -> None:
    async with serving("openai") as server:
        await server.change(
            faults={
                "live_sessions": [{"status": 429, "retry_after": 3, "times": 1}],
                "live_hangup": [{"status": 503, "times": 1}],
                "live_attach": [{"status": 404, "times": 1}],
            }
        )
        status, reply = await post(server, "", body())
        assert (status, reply["error"]["code"]) == (429, "rate_limit_exceeded")
        session_id = await create(server)
        async with server.http.get(
            f"{server.live}/sessions/{session_id}/attach", headers=BEARER
        ) as answer:
            assert (answer.status, await answer.json()) == (404, NOT_FOUND)
        assert (await post(server, f"/{session_id}/hangup"))[0] == 503
        assert (await post(server, f"/{session_id}/hangup"))[0] == 200
        state = await server.state()
        assert state["requests"]["live_sessions"] == 2
        assert state["answers"]["live_hangup"] == {"503": 1, "200": 1}


async def test_a_create_whose_answer_is_odd_runs() -> None:
    faults = {"live_sessions": [{"reply": {"json": {"transport": None}}}]}
    async with serving("openai", faults=faults) as server:
        status, reply = await post(server, "", body())
        assert (status, list(reply)) == (201, ["session"])
        assert (await server.state())["live_sessions"] == 1


async def test_reset_ends_all_sessions() -> None:
    async with serving("openai") as server:
        session_id = await create(server)
        async with attached(server, session_id) as sideband:
            async with server.http.delete(f"{server.root}/emulator") as reply:
                state = await reply.json()
            assert (state["live_sessions"], state["started_sessions"]) == (0, 0)
            await sideband.until_closed()
