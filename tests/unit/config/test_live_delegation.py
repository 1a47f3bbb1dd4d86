"""Who does the work that a profile of GPT-Live delegates: a backend with tools, a function of the
server, or the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.config.env import ConfigurationError
from tests.unit.config.live_profiles import OFFICIAL, load_with, mistakes, talk, write_talk


def with_tools(*tools: Any, **more: Any) -> dict[str, Any]:
    backend = {"model": "m", "tools": list(tools), **more}
    return {"delegation": {"type": "responses", "responses": backend}}


@pytest.mark.parametrize("tool", ["order_status", {"type": "function", "name": "order_status"}])
def test_a_server_tool_is_named_by_its_function_and_described_by_it(
    tmp_path: Path, tool: Any
) -> None:
    profile = talk(tmp_path, with_tools(tool))
    [sent] = profile.session["delegation"]["responses"]["tools"]
    assert (sent["type"], sent["name"]) == ("function", "order_status")
    assert "order_number" in sent["parameters"]["properties"]
    OFFICIAL.validate_python(dict(profile.session))


def test_a_function_that_nobody_runs_is_refused(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, with_tools("order_state"))
    assert line.startswith("session.delegation.responses.tools[0].name: expected a tool of the")
    assert 'did you mean "order_status"?' in line
    page_runs = {"client": {"data_channel": {"allowed_client_events": ["response.item.create"]}}}
    talk(tmp_path, {**with_tools("order_state"), **page_runs})


def test_a_choice_of_a_tool_that_there_is_not_is_refused(tmp_path: Path) -> None:
    choice = {"type": "function", "name": "nobody"}
    [line] = mistakes(tmp_path, with_tools("order_status", tool_choice=choice))
    assert line.startswith("session.delegation.responses.tool_choice.name: expected the name")


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "web_search"},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "mcp", "server_label": "a", "server_url": "x", "require_approval": "never"},
    ],
)
def test_hosted_tools_are_passed_on(tmp_path: Path, tool: Any) -> None:
    [sent] = talk(tmp_path, with_tools(tool)).session["delegation"]["responses"]["tools"]
    assert sent == tool


def test_an_mcp_tool_that_would_ask_for_approval_is_refused(tmp_path: Path) -> None:
    tool = {"type": "mcp", "server_label": "a", "server_url": "x"}
    [line] = mistakes(tmp_path, with_tools(tool))
    assert "require_approval: missing" in line


BACKEND: dict[str, Any] = {"delegation": {"type": "responses", "responses": {}}}
TWO = frozenset({"help_desk", "travel"})


@pytest.mark.parametrize(
    "delegation", [{}, {"delegation": None}, {"delegation": {"type": "client"}}]
)
def test_a_profile_says_which_function_does_its_work(tmp_path: Path, delegation: Any) -> None:
    write_talk(tmp_path, session=delegation, delegation_function="travel")
    profile = load_with(TWO, tmp_path).named("talk")
    assert profile.delegation_function == "travel"
    assert "delegation_function" not in profile.session
    assert load_with(None, tmp_path).named("talk").delegation_function == "travel"


@pytest.mark.parametrize("delegations", [None, frozenset[str](), frozenset({"help_desk"})])
def test_a_profile_need_not_say_it_where_there_is_no_choice(
    tmp_path: Path, delegations: frozenset[str] | None
) -> None:
    write_talk(tmp_path)
    assert load_with(delegations, tmp_path).named("talk").delegation_function is None


@pytest.mark.parametrize(
    ("delegations", "content", "words"),
    [
        (TWO, {}, "missing, and these are registered: help_desk, travel"),
        (
            TWO,
            {"delegation_function": "helpdesk"},
            'expected a function registered with @registry.delegation, did you mean "help_desk"?',
        ),
        (
            frozenset(),
            {"delegation_function": "help_desk"},
            "expected a function registered with @registry.delegation",
        ),
        (
            TWO,
            {"delegation_function": "travel", "session": BACKEND},
            "expected nothing beside a session.delegation of type responses",
        ),
        (TWO, {"delegation_function": ""}, "expected string"),
        (TWO, {"delegation_function": None}, "expected string"),
    ],
)
def test_a_function_that_does_no_work_for_the_profile_is_refused(
    tmp_path: Path, delegations: frozenset[str], content: Any, words: str
) -> None:
    write_talk(tmp_path, **content)
    with pytest.raises(ConfigurationError) as wrong:
        load_with(delegations, tmp_path)
    [line] = wrong.value.mistakes
    assert line.partition("talk.json: ")[2].startswith(f"delegation_function: {words}")


def test_several_functions_are_nothing_to_a_profile_with_a_backend(tmp_path: Path) -> None:
    write_talk(tmp_path, session=BACKEND)
    assert load_with(TWO, tmp_path).named("talk").delegation_function is None


PAGE_ANSWERS = {
    "client": {"data_channel": {"allowed_client_events": ["session.commentary.append"]}}
}


@pytest.mark.parametrize(
    ("observer", "delegations", "session", "warned"),
    [
        ("eager", frozenset({"help_desk"}), {}, ""),
        ("eager", None, {}, ""),
        ("eager", frozenset(), {}, "delegation without a function"),
        ("eager", frozenset(), BACKEND, ""),
        ("off", frozenset({"help_desk"}), {}, "delegation without an observer"),
        ("off", frozenset(), {"delegation": {"type": "client"}}, "delegation without an observer"),
        ("off", frozenset({"help_desk"}), PAGE_ANSWERS, ""),
        ("off", frozenset({"help_desk"}), BACKEND, ""),
    ],
)
def test_the_log_warns_of_work_that_nobody_does(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    observer: str,
    delegations: frozenset[str] | None,
    session: Any,
    warned: str,
) -> None:
    write_talk(tmp_path, session=session)
    load_with(delegations, tmp_path, OBSERVER=observer)
    lines = [line for line in caplog.messages if "delegation without" in line]
    assert lines == ([f'{warned} {{"profile": "talk"}}'] if warned else [])
