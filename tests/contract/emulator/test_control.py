"""The control route, the script and the faults."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError

from realtime_emulator.protocol.journal import MOST_LINES, Journal
from realtime_emulator.protocol.validators import Invalid
from realtime_emulator.script.reply_rules import CallTool, Prompt, Say, choose_reply
from realtime_emulator.script.script import ROUTES, Script
from tests.support.emulator_server import Server, serving
from tests.support.patience import PATIENCE

BEARER = {"Authorization": "Bearer standard"}
MINT = {"session": {"type": "realtime", "model": "gpt-realtime"}}


async def mint(server: Server) -> tuple[int, Any, Any]:
    url = f"{server.realtime}/client_secrets"
    async with server.http.post(url, json=MINT, headers=BEARER) as reply:
        return reply.status, await reply.json(), reply.headers


async def test_what_was_asked_can_be_seen_but_no_credential() -> None:
    async with serving() as server:
        url = f"{server.realtime}/client_secrets"
        headers = {"api-key": "a-secret", "OpenAI-Safety-Identifier": "hash-of-a-user"}
        body = {**MINT, "expires_after": {"anchor": "created_at", "seconds": 60}}
        async with server.http.post(url, json=body, headers=headers) as reply:
            key = (await reply.json())["value"]
        state = await server.state()
        assert state["requests"] == {**dict.fromkeys(ROUTES, 0), "client_secrets": 1}
        assert state["answers"]["client_secrets"] == {"200": 1}
        last = state["last"]["client_secrets"]
        assert "api-key" in last["headers"]
        assert last["safety_identifier"] == "hash-of-a-user"
        assert state["keys"]["last_expires_after"]["seconds"] == 60
        assert "a-secret" not in json.dumps(state)
        assert key not in json.dumps(state)


async def test_a_call_is_known_by_the_session_id_of_its_offer() -> None:
    async with serving() as server:
        for offer in ("v=0\r\no=- 4711 2 IN IP4 127.0.0.1\r\ns=-\r\n", "v=0\r\n"):
            await server.call(offer)
        assert {call["sess_id"] for call in (await server.state())["calls"]} == {"4711", ""}


async def test_usage_of_a_call_and_of_all() -> None:
    async with serving() as server:
        for _ in range(2):
            await server.call()
        for peer in server.fakes.peers:
            peer.open()
            text = {"type": "realtime", "output_modalities": ["text"]}
            peer.callbacks["on_message"](json.dumps({"type": "session.update", "session": text}))
            peer.callbacks["on_message"](json.dumps({"type": "response.create"}))
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(peer.answered.wait() for peer in server.fakes.peers))
        server.fakes.peers[0].callbacks["on_close"]()
        state = await server.state()
        assert (state["live_calls"], state["started_calls"]) == (1, 2)
        done = [peer.events[-1]["response"]["usage"] for peer in server.fakes.peers]
        assert state["usage"]["total_tokens"] == sum(usage["total_tokens"] for usage in done)
        by_call = [call["usage"]["total_tokens"] for call in state["calls"]]
        assert sum(by_call) == state["usage"]["total_tokens"]


async def test_a_script_changes_and_comes_back() -> None:
    async with serving(greeting="Hi.") as server:
        state = await server.change(greeting="Welcome.", deployments={"realtime": ["mine"]})
        assert state["script"]["greeting"] == "Welcome."
        assert state["script"]["deployments"]["realtime"] == ["mine"]
        assert state["script"]["deployments"]["transcription"], "a patch is merged"
        assert (await server.change(greeting=None))["script"]["greeting"] == "Hi."
        async with server.http.delete(f"{server.root}/emulator") as reply:
            after = await reply.json()
        assert "gpt-realtime" in after["script"]["deployments"]["realtime"]


async def test_delete_hangs_up_and_forgets_but_keys_stay() -> None:
    async with serving() as server:
        key = await server.mint()
        await server.call()
        async with server.http.delete(f"{server.root}/emulator") as reply:
            state = await reply.json()
        assert (state["live_calls"], state["started_calls"], state["calls"]) == (0, 0, [])
        assert state["requests"]["client_secrets"] == 0
        assert server.fakes.peers[0].closed
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{server.realtime}/calls"
        async with server.http.post(url, data="v=0\r\n", headers=headers) as reply:
            assert reply.status == 201


@pytest.mark.parametrize(
    ("patch", "where"),
    [
        ({"greting": "x"}, "greting"),
        ({"rules": [{"words": "story"}]}, "rules[0].words"),
        ({"rules": [{"words": ["x"]}]}, "rules[0]"),
        ({"faults": {"calls": [{"status": 200}]}}, "faults.calls[0].status"),
        ({"faults": {"calls": [{"status": 500, "times": 1, "every": 2}]}}, "faults.calls[0]"),
        ({"faults": {"nowhere": []}}, "faults.nowhere"),
        ({"faults": {"calls": [{"reply": {"status": 100}}]}}, "faults.calls[0].reply.status"),
        ({"refusals": [{"code": "x"}]}, "refusals[0].event"),
        ({"session_seconds": -1}, "session_seconds"),
        ({"credentials": "some"}, "credentials"),
        ([], None),
    ],
)
async def test_a_patch_that_is_no_script(patch: Any, where: str | None) -> None:
    async with serving() as server:
        before = (await server.state())["script"]
        async with server.http.patch(f"{server.root}/emulator", json=patch) as reply:
            assert reply.status == 400
            assert (await reply.json())["error"]["param"] == where
        assert (await server.state())["script"] == before


async def test_faults_by_number() -> None:
    async with serving() as server:
        busy = {"status": 429, "retry_after": 7, "times": 2}
        await server.change(faults={"client_secrets": [busy]})
        status, body, headers = await mint(server)
        assert (status, headers["Retry-After"]) == (429, "7")
        assert set(body["error"]) == {"code", "message"}
        assert [(await mint(server))[0] for _ in range(3)] == [429, 200, 200]
        await server.change(faults={"client_secrets": [{"status": 503, "every": 3}]})
        assert [(await mint(server))[0] for _ in range(6)] == [200, 200, 503, 200, 200, 503]
        await server.change(faults={"client_secrets": None})
        assert [(await mint(server))[0] for _ in range(3)] == [200, 200, 200]


async def test_faults_that_wait_or_cut() -> None:
    async with serving() as server:
        await server.change(faults={"client_secrets": [{"reset": True, "times": 1}]})
        with pytest.raises(ClientError):
            await mint(server)
        assert (await mint(server))[0] == 200
        assert (await server.state())["answers"]["client_secrets"] == {"reset": 1, "200": 1}
        await server.change(faults={"client_secrets": [{"delay_seconds": 30}]})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await mint(server)


async def test_a_denied_role() -> None:
    async with serving(faults={"client_secrets": [{"status": 401}]}) as server:
        status, body, _ = await mint(server)
        assert (status, body["error"]["code"]) == (401, "PermissionDenied")


def test_a_script_file(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text('{"greeting": "Ahoy."}', encoding="utf-8")
    script = Script.load(file)
    assert script.text("greeting") == "Ahoy."
    assert script.rules(), "what it leaves out is as in the default script"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(Invalid, match=r"script\.json is not JSON"):
        Script.load(file)


WEATHER = {"type": "function", "name": "get_weather"}


@pytest.mark.parametrize(
    ("prompt", "action"),
    [
        (Prompt("Tell me a STORY."), None),
        (Prompt("stories and history"), Say("You said: stories and history.")),
        (Prompt(""), Say("I heard you, but I did not understand the words.")),
        (Prompt("the weather"), Say("You said: the weather.")),
        (Prompt("the weather", tools=[WEATHER]), CallTool("get_weather", '{"city": "London"}')),
        (Prompt("the weather", tools=[WEATHER], tool_choice="none"), Say("You said: the weather.")),
        (
            Prompt("anything", tools=[WEATHER], tool_choice="required"),
            CallTool("get_weather", "{}"),
        ),
        (Prompt(tool_output='{"sky": "grey"}'), Say("The tool says: sky grey")),
    ],
)
def test_what_the_default_script_answers(prompt: Prompt, action: Any) -> None:
    answer = choose_reply(Script(), prompt).action
    if action is None:
        assert isinstance(answer, Say)
        assert answer.text.startswith("Once upon a time")
    else:
        assert answer == action


async def test_what_passed_in_a_call_can_be_read_also_after_its_end() -> None:
    async with serving() as server:
        call_id = await server.call()
        [peer] = server.fakes.peers
        peer.open()
        said = {"type": "input_audio", "audio": "AAAA" * 100}
        item = {"type": "message", "role": "user", "content": [said]}
        for event in ({"type": "conversation.item.create", "item": item}, {"type": "boo"}):
            peer.callbacks["on_message"](json.dumps(event))
        peer.callbacks["on_close"]()
        url = f"{server.root}/emulator/calls/{call_id}/events"
        async with server.http.get(url) as reply:
            shown = await reply.json()
        kinds = [(line["dir"], line["data"]["type"]) for line in shown["events"]]
        assert kinds == [
            ("in", "session.created"),
            ("out", "conversation.item.create"),
            ("in", "conversation.item.added"),
            ("in", "conversation.item.done"),
            ("out", "boo"),
            ("in", "error"),
        ]
        assert shown["events"][1]["data"]["item"]["content"][0]["audio"] == "~"
        assert (shown["total"], shown["forgotten"]) == (6, 0)
        async with server.http.get(f"{url}?after=5") as reply:
            assert (await reply.json())["events"] == shown["events"][5:]
        async with server.http.get(f"{url}?after=all") as reply:
            assert reply.status == 400
        async with server.http.get(url.replace(call_id, "rtc_none")) as reply:
            assert reply.status == 404


def test_a_journal_keeps_the_last_events_and_counts_the_others() -> None:
    journal = Journal(lambda: 0.0)
    for number in range(MOST_LINES + 3):
        journal.note_sent({"type": "t", "n": number})
    shown = journal.to_json(after=1)
    assert (shown["total"], shown["forgotten"]) == (MOST_LINES + 3, 3)
    assert shown["events"][0]["data"]["n"] == 3
    assert [e["data"]["n"] for e in journal.to_json(after=MOST_LINES + 2)["events"]] == [
        MOST_LINES + 2
    ]
    journal.note_received({"type": "t", "text": "x" * 20_000})
    assert journal.to_json(after=journal.total - 1)["events"][0]["data"]["text"] == "~"
