"""Profiles of GPT-Live that are refused, in which words, and the largest that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.live.session_fields import session_to_send
from tests.unit.config.live_profiles import OFFICIAL, mistakes, talk

UNKNOWN: list[tuple[Any, str]] = [
    ({"instruction": "x"}, 'session.instruction: unknown field, did you mean "instructions"?'),
    ({"modle": "x"}, 'session.modle: unknown field, did you mean "model"?'),
    (
        {"idle_timeout": 60},
        'session.idle_timeout: unknown field, did you mean "idle_timeout_s"?',
    ),
    ({"voice": "marin"}, "session.voice: unknown field, expected session.audio.output.voice"),
    ({"type": "realtime"}, "session.type: unknown field, expected nothing"),
    ({"tools": []}, "session.tools: unknown field, expected session.delegation.responses.tools"),
    ({"turn_detection": None}, "session.turn_detection: unknown field, expected nothing"),
    ({"temperature": 1}, "session.temperature: unknown field"),
    ({"metadata": {}}, "session.metadata: unknown field, expected nothing"),
    ({"safety_identifier": "x"}, "session.safety_identifier: unknown field, expected nothing"),
    ({"audio": {"format": {}}}, "session.audio.format: unknown field, expected nothing"),
    (
        {"audio": {"output": {"speed": 1.2}}},
        "session.audio.output.speed: unknown field, expected nothing: say in session.instructions",
    ),
    ({"transcription": {}}, "session.transcription: unknown field, expected nothing: GPT-Live"),
    (
        {"audio": {"input": {"transcription": {}, "noise_reduction": None}}},
        "session.audio.input: unknown field, expected nothing: GPT-Live transcribes always",
    ),
    (
        {"input_audio_transcription": {}},
        "session.input_audio_transcription: unknown field, expected nothing: GPT-Live",
    ),
    (
        {"client": {"data_channel": {"allowed_client_event": []}}},
        "session.client.data_channel.allowed_client_event: unknown field, did you mean "
        '"allowed_client_events"?',
    ),
    (
        {"delegation": {"type": "responses", "responses": {"tool": []}}},
        'session.delegation.responses.tool: unknown field, did you mean "tools"?',
    ),
]


@pytest.mark.parametrize(("session", "words"), UNKNOWN)
def test_an_unknown_field_is_refused_with_the_nearest_right_name(
    tmp_path: Path, session: Any, words: str
) -> None:
    [line] = mistakes(tmp_path, session)
    assert line.startswith(words)


@pytest.mark.parametrize(
    ("named", "meant"),
    [("Live", "live"), ("LIVE", "live"), ("Realtime", "realtime"), ("telephone", ""), ([], "")],
)
def test_an_api_that_there_is_not_is_one_mistake(tmp_path: Path, named: Any, meant: str) -> None:
    (line,) = mistakes(tmp_path, {"client": {}, "idle_timeout_s": 60}, api=named)
    suffix = f', did you mean "{meant}"?' if meant else ""
    assert line == f'api: expected one of "realtime", "live"{suffix}'


@pytest.mark.parametrize(
    ("field", "value"),
    [("session_from_page", True), ("webrtc_filter", "off"), ("mcp_approvals", {})],
)
def test_what_only_a_realtime_profile_has_is_refused(
    tmp_path: Path, field: str, value: Any
) -> None:
    [line] = mistakes(tmp_path, {}, **{field: value})
    assert line.startswith(f"{field}: unknown field, expected ")


def test_an_api_that_is_not_known_and_one_that_is_missing(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, {"type": "realtime"}, api="lvie")
    assert line == 'api: expected one of "realtime", "live", did you mean "live"?'
    lines = mistakes(tmp_path, {"delegation": {"type": "client"}}, api="realtime")
    assert 'api: expected "live" for a session with delegation' in lines


def message(text: str = "x", role: str = "user", **part: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"text": text, **part}]}


def word_tokens(number: int) -> str:
    return "word " * number


OVER: list[tuple[Any, str]] = [
    ({"input": [message()] * 129}, "session.input: expected 0 to 128 of them"),
    ({"input": [message(word_tokens(1100))] * 8}, "session.input: expected up to 8192 tokens"),
    ({"input": [message(role="system")]}, "session.input[0].role: expected one of"),
    ({"input": [{"role": "user", "content": []}]}, "session.input[0].content: expected 1 of them"),
    (
        {"input": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]},
        "session.input[0].content: expected 1 of them",
    ),
    (
        {"input": [message(type="output_text")]},
        'session.input[0].content[0].type: expected "input_text" of the role user',
    ),
    (
        {"input": [message(role="assistant", type="input_text")]},
        'session.input[0].content[0].type: expected "text" or "output_text"',
    ),
    (
        {"input": [{"role": "user", "content": [{"type": "input_image", "text": "x"}]}]},
        "session.input[0].content[0].type: expected one of",
    ),
    ({"instructions": word_tokens(17_000)}, "session.instructions: expected up to 16384 tokens"),
    ({"idle_timeout_s": 60}, "session.wake_policy: missing, which idle_timeout_s needs"),
    (
        {"idle_timeout_s": 0, "wake_policy": {"type": "speech"}},
        "session.idle_timeout_s: expected integer from 1",
    ),
    (
        {"idle_timeout_s": 1.5, "wake_policy": {"type": "speech"}},
        "session.idle_timeout_s: expected integer",
    ),
    (
        {"wake_policy": {"type": "speech", "vad_threshold": 1.1}},
        "session.wake_policy.vad_threshold: expected number from 0 to 1",
    ),
    (
        {"client": {"data_channel": {"allowed_client_events": ["e"] * 257}}},
        "session.client.data_channel.allowed_client_events: expected",
    ),
    (
        {"client": {"data_channel": {"allowed_client_events": [f"event.{n}" for n in range(254)]}}},
        "session.client.data_channel.allowed_client_events: expected up to 256",
    ),
    (
        {"client": {"data_channel": {"allowed_server_events": "error"}}},
        'session.client.data_channel.allowed_server_events: expected "all" or array',
    ),
    (
        {"client": {"data_channel": {"allowed_client_events": [7]}}},
        "session.client.data_channel.allowed_client_events[0]: expected string of 1 to 128",
    ),
    (
        {"audio": {"output": {"voice": ""}}},
        "session.audio.output.voice: expected string that is not empty",
    ),
    (
        {"client": {"data_channel": {"allowed_server_events": [{"type": "response.event"}]}}},
        "session.client.data_channel.allowed_server_events[0].response_event: missing",
    ),
    (
        {
            "client": {
                "data_channel": {
                    "allowed_server_events": [{"type": "error", "response_event": "x"}]
                }
            }
        },
        "session.client.data_channel.allowed_server_events[0].response_event: expected with",
    ),
    ({"client": {}}, "session.client.data_channel: missing"),
    ({"delegation": {"type": "responses"}}, "session.delegation.responses: missing"),
    ({"delegation": {"type": "decisions"}}, "session.delegation.decisions: missing"),
    (
        {"delegation": {"type": "client", "responses": {}}},
        "session.delegation.responses: unknown field",
    ),
    (
        {"delegation": {"type": "responses", "responses": {"max_output_tokens": 15}}},
        "session.delegation.responses.max_output_tokens: expected",
    ),
]


@pytest.mark.parametrize(("session", "words"), OVER)
def test_what_the_endpoint_would_refuse_is_refused_at_start(
    tmp_path: Path, session: Any, words: str
) -> None:
    [line] = mistakes(tmp_path, session)
    assert line.startswith(words)


AT_LIMIT: list[Any] = [
    {"input": [message()] * 128},
    {"input": [message(word_tokens(400))] * 15},
    {"instructions": word_tokens(13_000)},
    {"instructions": None},
    {"delegation": None},
    {"delegation": {"type": "client", "acknowledgement_delay_ms": 300}},
    {"client": {"data_channel": {"allowed_client_events": [f"e{n}" for n in range(253)]}}},
    {"input": [message(role="developer", type="input_text"), message(role="assistant")]},
]


@pytest.mark.parametrize("session", AT_LIMIT)
def test_what_the_endpoint_takes_is_taken(tmp_path: Path, session: Any) -> None:
    profile = talk(tmp_path, session)
    OFFICIAL.validate_python(session_to_send(profile.session, frozenset()))
