"""Which fields of a session are the profile's, and how an override is undone."""

from __future__ import annotations

from typing import Any

import pytest

from shared.observer.session_guard import SessionGuard, satisfies

PROFILE = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "Be brief.",
    "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
    "audio": {
        "input": {"transcription": {"model": "whisper-1"}},
        "output": {"voice": "marin"},
    },
}
RUNNING: dict[str, Any] = {
    **PROFILE,
    "object": "realtime.session",
    "tool_choice": "auto",
    "max_output_tokens": 4096,
    "prompt": None,
    "tools": [
        {"type": "function", "name": "f", "description": None, "parameters": {"type": "object"}}
    ],
    "audio": {
        "input": {"transcription": {"model": "whisper-1", "language": None}},
        "output": {"voice": "alloy", "speed": 1.2},
    },
}


def test_an_update_whose_answer_was_lost_is_sent_again() -> None:
    guard, theirs = SessionGuard(PROFILE), {**RUNNING, "instructions": "Mine."}
    assert guard.restoring_update(theirs, "e1")
    guard.start_over()
    update = guard.restoring_update(theirs, "e2")
    assert update is not None
    assert update["session"]["instructions"] == "Be brief."


def test_what_the_server_fills_in_is_no_override() -> None:
    guard = SessionGuard(PROFILE)
    assert guard.overridden_fields(RUNNING) == []
    assert guard.restoring_update(RUNNING, "e") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("instructions", "Be rude."),
        ("tools", []),
        ("tools", [*RUNNING["tools"], {"type": "function", "name": "g"}]),
        ("tool_choice", "none"),
        ("prompt", {"id": "p"}),
    ],
)
def test_an_override_is_undone_and_nothing_else_is_touched(field: str, value: Any) -> None:
    update = SessionGuard(PROFILE).restoring_update({**RUNNING, field: value}, "e")
    assert update is not None
    expected = PROFILE.get(field, {"tool_choice": "auto"}.get(field))
    assert update["session"] == {"type": "realtime", field: expected}


def test_a_page_cannot_silence_the_record() -> None:
    mute = {**RUNNING, "audio": {"input": {"transcription": None}}}
    update = SessionGuard(PROFILE).restoring_update(mute, "e")
    assert update is not None
    assert update["session"]["audio"] == {"input": {"transcription": {"model": "whisper-1"}}}


def test_its_own_echo_is_not_answered_but_what_comes_after_is() -> None:
    guard, bad = SessionGuard(PROFILE), {**RUNNING, "instructions": "x"}
    assert guard.restoring_update(bad, "e1")
    assert guard.restoring_update(bad, "e2") is None, "older than ours"
    assert guard.restoring_update(bad, "e3")
    guard.update_refused("e3")
    assert guard.restoring_update(bad, "e4"), "ours was refused, so nothing is awaited"


def test_a_stored_prompt_may_bring_tools() -> None:
    guard = SessionGuard({"type": "realtime", "prompt": {"id": "pmpt_1"}})
    running = {"prompt": {"id": "pmpt_1", "version": "2"}, "tools": [{"type": "function"}]}
    assert guard.overridden_fields(running) == []
    assert guard.overridden_fields({**running, "prompt": {"id": "pmpt_2"}}) == ["prompt"]


def test_it_gives_up_after_a_few() -> None:
    guard, bad = SessionGuard(PROFILE, max_restores=2), {**RUNNING, "instructions": "x"}
    sent = [guard.restoring_update(bad, f"e{number}") for number in range(10)]
    assert sum(each is not None for each in sent) == 2


def test_hidden_fields_of_an_mcp_tool_are_no_override() -> None:
    wanted = {"type": "mcp", "server_label": "s", "authorization": "secret"}
    assert satisfies({"type": "mcp", "server_label": "s"}, wanted)
    assert not satisfies({"type": "mcp", "server_label": "t"}, wanted)
