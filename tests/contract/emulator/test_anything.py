"""Whatever a client sends, the API answers it and the call goes on."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_emulator.call.client_events import CLIENT_EVENTS
from realtime_emulator.protocol import session_schema
from realtime_emulator.protocol.validators import Invalid
from tests.contract.emulator.harness import fake_call

NAMES = st.sampled_from(
    [
        "type", "item", "session", "response", "item_id", "audio", "content", "role", "input",
        "output", "tools", "id", "call_id", "text", "audio_end_ms", "turn_detection", "voice",
    ]
) | st.text(max_size=3)  # fmt: skip
WORDS = st.sampled_from(
    ["realtime", "message", "user", "input_text", "server_vad", "function", "none", "root", "auto"]
) | st.text(max_size=5)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=5)


@given(OBJECTS)
@settings(max_examples=150, deadline=None)
def test_a_session_is_accepted_or_refused(value: dict[str, Any]) -> None:
    with contextlib.suppress(Invalid):
        session_schema.SESSION(value, "session")


@given(st.sampled_from(sorted(CLIENT_EVENTS)), OBJECTS, OBJECTS)
@settings(max_examples=150, deadline=None)
async def test_a_client_event_is_handled_or_refused(
    kind: str, event: dict[str, Any], inner: dict[str, Any]
) -> None:
    text = {"output_modalities": ["text"]}
    member = {"session.update": "session", "conversation.item.create": "item"}.get(kind, "response")
    async with fake_call(config=text) as it:
        it.call.receive_event(json.dumps({**event, "type": kind}))
        it.call.receive_event(json.dumps({"type": kind, member: inner}))
        it.tell("input_audio_buffer.clear")
        await it.expect("input_audio_buffer.cleared")
        assert it.call.ended is None
