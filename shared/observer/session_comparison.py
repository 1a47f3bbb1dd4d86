"""Whether a field of a running session is what the profile says, no less and no more. Pure.

The service completes what it is given (nulls, defaults), and hides credentials of MCP servers; all
else that the profile does not say has been added by a client. Echoes of functions, transcription
and defaults are from recorded live traffic, those of MCP tools from the Responses API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = re.compile(r"[<\[(]?redacted[>\])]?|\*{3,}", re.IGNORECASE)
"""What the service shows in place of a credential."""
MCP_DEFAULTS: Mapping[str, Any] = {"require_approval": "always"}
CREDENTIALS = ("authorization", "headers")
"""What the service need not show of an MCP tool."""


def matches(running: Any, wanted: Any) -> bool:
    """Whether both say the same. What is missing, null, false or empty says nothing."""
    if says_nothing(running) and says_nothing(wanted):
        return True
    if isinstance(running, Mapping) and isinstance(wanted, Mapping):
        if wanted.get("type") == "mcp":
            return matches_mcp(running, wanted)
        return all(matches(running.get(n), wanted.get(n)) for n in {*running, *wanted})
    if isinstance(running, list) and isinstance(wanted, list):
        return len(running) == len(wanted) and all(map(matches, running, wanted))
    return bool(running == wanted)


def contains(running: Any, wanted: Any) -> bool:
    """Whether `running` has all that `wanted` says, and may have more."""
    if isinstance(wanted, Mapping):
        return isinstance(running, Mapping) and all(
            contains(running.get(name), value) for name, value in wanted.items()
        )
    return matches(running, wanted)


def says_nothing(value: Any) -> bool:
    return (
        value is None or value is False or (isinstance(value, str | list | Mapping) and not value)
    )


def matches_mcp(running: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an MCP tool is the profile's, as far as the service shows it."""
    shown, told = complete_mcp(running), complete_mcp(wanted)
    return all(
        (name in CREDENTIALS and says_nothing(shown.get(name)))
        or matches(shown.get(name), told.get(name))
        or is_masked(shown.get(name), told.get(name))
        for name in {*shown, *told}
    )


def complete_mcp(tool: Mapping[str, Any]) -> dict[str, Any]:
    """An MCP tool with the service's defaults, and a list of allowed tools as the object that it
    stands for."""
    given = {name: value for name, value in tool.items() if not says_nothing(value)}
    if isinstance(given.get("allowed_tools"), list):
        given["allowed_tools"] = {"tool_names": given["allowed_tools"]}
    return {**MCP_DEFAULTS, **given}


def is_masked(shown: Any, told: Any) -> bool:
    """Whether `shown` is `told` with a part hidden. An address keeps its host."""
    if isinstance(shown, Mapping) and isinstance(told, Mapping):
        return all(
            shown[name] == told.get(name) or is_masked(shown[name], told.get(name))
            for name in shown
        )
    if not isinstance(shown, str) or not isinstance(told, str):
        return False
    mask = MASK.search(shown)
    if mask is None or not told.startswith(shown[: mask.start()]):
        return False
    return "://" not in told or shown[: mask.start()].count("/") >= 3


def matches_prompt(running: Any, wanted: Any) -> bool:
    """Whether both name the same stored prompt with the same variables, in either of their forms.
    Without a version any is the current one."""
    if isinstance(running, Mapping) and isinstance(wanted, Mapping) and "version" not in wanted:
        wanted = {**wanted, "version": running.get("version")}
    return matches(plain_prompt(running), plain_prompt(wanted))


def plain_prompt(prompt: Any) -> Any:
    variables = prompt.get("variables") if isinstance(prompt, Mapping) else None
    if not isinstance(variables, Mapping):
        return prompt
    plain = {
        name: value["text"]
        if isinstance(value, Mapping)
        and set(value) == {"type", "text"}
        and value["type"] == "input_text"
        else value
        for name, value in variables.items()
    }
    return {**prompt, "variables": plain}


def value_at(session: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = session
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
