"""The REST routes: what they accept, what they refuse and with which errors."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import ClientSecretCreateResponse

from realtime_emulator.protocol.ids import Provider
from tests.support.emulator_server import Server, serving

BEARER = {"Authorization": "Bearer standard"}
MINIMAL = {"type": "realtime", "model": "gpt-realtime"}


async def secret(
    server: Server, body: Any = None, headers: dict[str, str] | None = None, query: str = ""
) -> tuple[int, Any]:
    body = {"session": MINIMAL} if body is None else body
    async with server.http.post(
        f"{server.realtime}/client_secrets{query}", json=body, headers=BEARER | (headers or {})
    ) as reply:
        return reply.status, await reply.json()


async def start(
    server: Server, key: str, body: Any = "v=0\r\n", query: str = "", **headers: str
) -> tuple[int, Any, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/sdp"} | headers
    async with server.http.post(
        f"{server.realtime}/calls{query}", data=body, headers=headers
    ) as reply:
        text = await reply.text()
        return reply.status, text if reply.status == 201 else await reply.json(), reply.headers


async def test_a_secret_is_as_recorded() -> None:
    wanted = {
        **MINIMAL,
        "instructions": "Answer in two or three words.",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-realtime-whisper"},
                "turn_detection": {
                    "type": "server_vad",
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}},
        },
    }
    recorded = {
        "audio": {
            "input": {
                "format": {"rate": 24000, "type": "audio/pcm"},
                "noise_reduction": None,
                "transcription": {
                    "language": None,
                    "model": "gpt-realtime-whisper",
                    "prompt": None,
                },
                "turn_detection": {
                    "create_response": True,
                    "idle_timeout_ms": None,
                    "interrupt_response": True,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                    "threshold": 0.5,
                    "type": "server_vad",
                },
            },
            "output": {
                "format": {"rate": 24000, "type": "audio/pcm"},
                "speed": 1.0,
                "voice": "alloy",
            },
        },
        "expires_at": 0,
        "include": None,
        "instructions": "Answer in two or three words.",
        "max_output_tokens": "inf",
        "model": "gpt-realtime",
        "object": "realtime.session",
        "output_modalities": ["audio"],
        "prompt": None,
        "tool_choice": "auto",
        "tools": [],
        "tracing": None,
        "truncation": "auto",
        "type": "realtime",
    }
    async with serving() as server:
        status, reply = await secret(server, {"session": wanted})
        assert status == 200
        assert set(reply) == {"value", "expires_at", "session"}
        assert reply["value"].startswith("ek_")
        assert reply["expires_at"] == int(server.fakes.now) + 7200
        assert reply["session"].pop("id").startswith("sess_")
        assert reply["session"] == recorded
        reply["session"]["id"] = "sess_x"
        ClientSecretCreateResponse.model_validate(reply, strict=True)


@pytest.mark.parametrize(("provider", "life"), [("azure", 7200), ("openai", 600)])
async def test_life_of_a_key(provider: Provider, life: int) -> None:
    async with serving(provider) as server:
        now = int(server.fakes.now)
        assert (await secret(server))[1]["expires_at"] == now + life
        short = {"session": MINIMAL, "expires_after": {"anchor": "created_at", "seconds": 10}}
        assert (await secret(server, short))[1]["expires_at"] == now + 10
        for seconds in (9, 7201):
            short["expires_after"] = {"anchor": "created_at", "seconds": seconds}
            status, reply = await secret(server, short)
            assert (status, reply["error"]["param"]) == (400, "expires_after.seconds")
        assert (await server.state())["keys"]["minted"] == 2


@pytest.mark.parametrize("model", ["gpt-realtime-2.1", "gpt-realtime-2"])
async def test_defaults_of_the_second_generation(model: str) -> None:
    async with serving() as server:
        _, reply = await secret(server, {"session": {"type": "realtime", "model": model}})
        audio = reply["session"]["audio"]
        assert audio["output"]["voice"] == "marin"
        assert audio["input"]["turn_detection"]["silence_duration_ms"] == 500


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"model": "gpt-realtime"}, "missing_required_parameter", "session.type"),
        ({"type": "realtime"}, "missing_required_parameter", "session.model"),
        ({**MINIMAL, "voice": "alloy"}, "unknown_parameter", "session.voice"),
        ({**MINIMAL, "modalities": ["text"]}, "unknown_parameter", "session.modalities"),
        (
            {**MINIMAL, "audio": {"output": {"voice": "nobody"}}},
            "invalid_value",
            "session.audio.output.voice",
        ),
        (
            {**MINIMAL, "output_modalities": ["text", "audio"]},
            "invalid_value",
            "session.output_modalities",
        ),
        ({**MINIMAL, "instructions": 5}, "invalid_type", "session.instructions"),
        (
            {**MINIMAL, "audio": {"output": {"speed": 2}}},
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
        (
            {**MINIMAL, "audio": {"input": {"turn_detection": {"type": "magic"}}}},
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            {**MINIMAL, "tools": [{"type": "function"}]},
            "missing_required_parameter",
            "session.tools[0].name",
        ),
    ],
)
async def test_a_session_that_is_refused(session: Any, code: str, param: str) -> None:
    async with serving() as server:
        status, reply = await secret(server, {"session": session})
        assert status == 400
        error = reply["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", code)
        assert error["param"] == param
        assert f"'{param}'" in error["message"] or code == "invalid_value"


async def test_deployments() -> None:
    async with serving() as server:
        status, reply = await secret(server, {"session": {"type": "realtime", "model": "nope"}})
        assert (status, set(reply["error"])) == (404, {"code", "message"})
        assert reply["error"]["code"] == "DeploymentNotFound"
        status, reply = await secret(server, {"session": {"type": "realtime", "model": "gpt-4o"}})
        assert (status, reply["error"]["code"]) == (400, "OpperationNotSupported")


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_standard_credentials(provider: Provider) -> None:
    async with serving(provider) as server:
        for wrong in ({"Authorization": ""}, {"Authorization": "Bearer ek_123"}):
            assert (await secret(server, headers=wrong))[0] == 401
        assert (await secret(server, query="?api-version=2025-04-01-preview"))[0] == 401
        assert (await secret(server, headers={"OpenAI-Beta": "realtime=v1"}))[0] == 401
        by_key = await secret(server, headers={"Authorization": "", "api-key": "k"})
        assert by_key[0] == (200 if provider == "azure" else 401)
        await server.change(credentials=["only-this"])
        assert (await secret(server))[0] == 401
        assert (await secret(server, headers={"Authorization": "Bearer only-this"}))[0] == 200
        assert "only-this" not in str(await server.state())


async def test_a_call_is_as_recorded_on_azure() -> None:
    async with serving() as server:
        status, answer, headers = await start(server, await server.mint(), query="?webrtcfilter=on")
        assert (status, answer) == (201, "v=0\r\n")
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        place, _, call_id = headers["Location"].rpartition("/")
        assert place == "/v1/realtime/calls"
        assert call_id.startswith("rtc_")
        assert len(call_id) == 36
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Access-Control-Expose-Headers"] == "Location,X-Request-Id"
        assert headers["Timing-Allow-Origin"] == "*"
        (call,) = (await server.state())["calls"]
        assert (call["id"], call["filtered"]) == (call_id, True)


async def test_azure_starts_calls_with_ephemeral_keys_only() -> None:
    async with serving() as server:
        status, reply, _ = await start(server, "standard", body="not even SDP")
        assert (status, set(reply["error"])) == (401, {"code", "message"})
        message = "This operation requires ephemeral tokens for authentication."
        assert reply["error"]["message"] == message
        status, reply, _ = await start(server, "ek_unknown")
        assert (status, reply["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_a_key_is_good_for_many_calls_until_it_expires(provider: Provider) -> None:
    async with serving(provider) as server:
        key = await server.mint(expires_after={"anchor": "created_at", "seconds": 10})
        assert [(await start(server, key))[0] for _ in range(3)] == [201, 201, 201]
        server.fakes.now += 10
        status, reply, headers = await start(server, key)
        assert (status, reply["error"]["message"]) == (401, "Ephemeral token expired")
        assert headers["Access-Control-Allow-Origin"] == "*", "a page can read why"
        assert (await server.state())["live_calls"] == 3, "calls outlive their key"


@pytest.mark.parametrize("offer", ["hello=1", "v=", "\xff\xfe=", '{"sdp": "v=0"}'])
async def test_an_offer_that_is_none(offer: str) -> None:
    async with serving() as server:
        body = offer.encode("latin-1")
        status, reply, _ = await start(server, await server.mint(), body=body)
        assert status == 400
        error = reply["error"]
        assert (error["code"], error["type"]) == ("invalid_offer", "invalid_request_error")
        assert error["message"].startswith("Failed to parse offer: failed to unmarshal SDP: ")


FORM = (
    '--{b}\r\nContent-Disposition: form-data; name="sdp"\r\nContent-Type: application/sdp\r\n\r\n'
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n\r\n"
    '--{b}\r\nContent-Disposition: form-data; name="{name}"\r\n'
    "Content-Type: application/json\r\n\r\n{session}\r\n--{b}--\r\n"
)
SESSION = '{"type": "realtime", "model": "gpt-realtime", "audio": {"output": {"voice": "cedar"}}}'


@pytest.mark.parametrize("boundary", ["; boundary=abc", '; boundary="abc"', ""])
async def test_openai_takes_a_form_with_a_standard_key(boundary: str) -> None:
    async with serving("openai") as server:
        kind = {"Content-Type": f"multipart/form-data{boundary}"}
        body = FORM.format(b="abc", name="session", session=SESSION)
        status, _, headers = await start(server, "standard", body=body, **kind)
        assert status == 201
        assert headers["Location"].startswith("/v1/realtime/calls/rtc_u")
        body = FORM.format(b="abc", name="extra", session=SESSION)
        status, reply, _ = await start(server, "standard", body=body, **kind)
        assert (status, reply["error"]["code"]) == (400, "unknown_parameter")
        body = FORM.format(b="abc", name="session", session='{"type": "realtime", "voice": "x"}')
        status, reply, _ = await start(server, "standard", body=body, **kind)
        assert (status, reply["error"]["param"]) == (400, "session.voice")


async def test_azure_takes_no_form() -> None:
    async with serving() as server:
        kind = {"Content-Type": "multipart/form-data; boundary=abc"}
        body = FORM.format(b="abc", name="session", session=SESSION)
        status, reply, _ = await start(server, await server.mint(), body=body, **kind)
        assert (status, reply["error"]["code"]) == (400, "invalid_offer")


@pytest.mark.parametrize(("provider", "stranger"), [("azure", 204), ("openai", 400)])
async def test_preflight(provider: Provider, stranger: int) -> None:
    async def ask(server: Server, names: str) -> tuple[int, str]:
        wanted = {"Origin": "http://page", "Access-Control-Request-Headers": names}
        async with server.http.options(f"{server.realtime}/calls", headers=wanted) as reply:
            return reply.status, reply.headers.get("Access-Control-Allow-Headers", "")

    async with serving(provider) as server:
        status, allowed = await ask(server, "authorization,content-type,x-openai-agents-sdk")
        assert status == 204
        assert {"authorization", "content-type"} <= {n.strip() for n in allowed.split(",")}
        assert (await ask(server, "authorization,originator"))[0] == stranger


@pytest.mark.parametrize("provider", ["azure", "openai"])
async def test_hang_up(provider: Provider) -> None:
    async with serving(provider) as server:
        call_id = await server.call()
        url = f"{server.realtime}/calls/{call_id}"
        async with server.http.post(f"{url}/hangup") as reply:
            assert reply.status == 401
        async with server.http.post(f"{url}/accept", json={}, headers=BEARER) as reply:
            assert reply.status == 404
        async with server.http.post(f"{url}/hangup", headers=BEARER) as reply:
            assert (reply.status, await reply.read()) == (200, b"")
        assert server.fakes.peers[0].closed
        async with server.http.post(f"{url}/hangup", headers=BEARER) as reply:
            assert reply.status == 404
            assert (await reply.json())["error"]["code"] == "call_id_not_found"
        assert (await server.state())["live_calls"] == 0


async def test_unknown_paths_are_json_too() -> None:
    async with serving() as server:
        async with server.http.get(f"{server.root}/nowhere") as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (404, "404")
        async with server.http.get(f"{server.realtime}/client_secrets") as reply:
            assert (reply.status, (await reply.json())["error"]["code"]) == (405, "405")
