"""Whatever a client of GPT-Live sends, it is answered and the session goes on."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_emulator.live.client_events import COMMANDS
from realtime_emulator.live.outlets import Ended
from realtime_emulator.live.request_body import parse_create, parse_fork
from realtime_emulator.live.session import LiveSession
from realtime_emulator.protocol.errors import ApiError
from tests.contract.emulator.live_harness import BACKEND, body
from tests.support.emulator_server import Fakes
from tests.support.live_media import FakeMediaFactory

ODD = (
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats(allow_nan=True)
    | st.sampled_from(["", "\ud800", "all", "responses", "client", "message", "function"])
    | st.sampled_from([[], {}, [[]], [{}], ["x"], {"type": []}, {"type": "x"}, {"odd": 1}])
)  # fmt: skip
FULL: dict[str, Any] = body(
    instructions="Be kind.",
    audio={"output": {"voice": {"id": "voice_1"}}},
    delegation={
        **BACKEND,
        "acknowledgement_delay_ms": 5,
        "responses": {
            **BACKEND["responses"],
            "max_output_tokens": 100,
            "reasoning": {"effort": "low"},
            "text": {"verbosity": "low"},
            "tool_choice": {"type": "allowed_tools", "tools": [{"type": "web_search"}]},
            "tools": [
                *BACKEND["responses"]["tools"],
                {"type": "mcp", "server_label": "a", "require_approval": {"never": {}}},
                {"type": "web_search", "anything": 1},
            ],
        },
    },
    client={
        "data_channel": {
            "allowed_client_events": ["session.close"],
            "allowed_server_events": [{"type": "response.event", "response_event": "x"}],
        }
    },
    input=[{"role": "user", "content": [{"type": "input_text", "text": "Hi."}]}],
    store=True,
    idle_timeout_s=60,
    wake_policy={"type": "speech", "vad_threshold": 0.5},
    triggers=[
        {
            "type": "decisions",
            "event_type": "session.input_transcript.delta",
            "decisions": {"questions": [{"type": "predicate", "instructions": "?"}]},
        }
    ],
)
ITEM = {
    "type": "message",
    "role": "user",
    "call_id": "call_1",
    "output": "x",
    "content": [{"type": "input_text", "text": "the weather"}],
}
EVENTS: dict[str, dict[str, Any]] = {
    kind: {
        "type": kind,
        "event_id": "mine",
        **{
            name: {"session": {"delegation": BACKEND}, "item": ITEM, "delegation_id": None}.get(
                name, "AAAA"
            )
            for name in command.shape.required
            if name != "event_id"
        },
    }
    for kind, command in COMMANDS.items()
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for name, inner in entries:
        found += paths(inner, (*path, name))
    return found


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """The value with something else in that place."""
    if not path:
        return other
    out = copy.copy(value)
    out[path[0]] = replaced(value[path[0]], path[1:], other)
    return out


def mutations(value: Any) -> st.SearchStrategy[Any]:
    """The value with something odd in one place."""
    return st.tuples(st.sampled_from(paths(value)), ODD).map(lambda m: replaced(value, *m))


@given(mutations(FULL), st.booleans())
@settings(max_examples=400, deadline=None)
async def test_a_create_is_accepted_or_refused(value: Any, strict: bool) -> None:
    if not isinstance(value, dict):
        return
    for parse in (lambda v: parse_create(v, strict=strict), parse_fork):
        try:
            config, _ = parse(value)
        except ApiError as refused:
            assert refused.status == 400  # noqa: PT017
            continue
        if "model" in config:
            await stop(await start(config))


async def start(config: dict[str, Any]) -> LiveSession:
    fakes = Fakes("openai", live={"append_seconds": 0, "backend_seconds": 0})
    factory = FakeMediaFactory().factory
    session = LiveSession(fakes.services, config, factory, on_end=lambda _: None)
    await session.answer_offer("v=0")
    return session


async def stop(session: LiveSession) -> None:
    running = [*session.running]
    session.ending.end("the test is over", Ended())
    await asyncio.gather(*running, return_exceptions=True)


@given(st.sampled_from(sorted(EVENTS)).flatmap(lambda kind: mutations(EVENTS[kind])))
@settings(max_examples=400, deadline=None)
async def test_a_client_event_is_handled_or_refused(event: Any) -> None:
    session = await start({"model": "gpt-live-1", "delegation": BACKEND})
    for source in ("sideband", "data_channel"):
        session.client_events.handle(json.dumps(event), source)
    session.client_events.handle('{"type": "response.create"}', "sideband")
    await asyncio.sleep(0)
    assert session.ended is None
    await stop(session)
