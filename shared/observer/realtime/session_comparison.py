"""Whether a field of a running session is what the profile says, no less and no more. Pure.

The service completes what it is given (nulls, defaults), and hides credentials of MCP servers; all
else that the profile does not say has been added by a client. The service completes only what it
has names for. In JSON of a profile's own (a function's parameters, a prompt's variables) every name
and value counts: a name steers the model as well as a text does. Echoes of functions, transcription
and defaults are from recorded live traffic, those of MCP tools from the Responses API.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

MISSING: Any = object()
LEFT_OUT: Mapping[str, Any] = {
    "allowed_callers": [],
    "allowed_tools": None,
    "always": None,
    "authorization": "",
    "connector_id": "",
    "defer_loading": False,
    "delay": None,
    "description": "",
    "effort": None,
    "headers": {},
    "instructions": "",
    "keywords": [],
    "language": "",
    "languages": [],
    "max_output_tokens": None,
    "name": None,
    "never": None,
    "output_schema": None,
    "parallel_tool_calls": None,
    "parameters": {},
    "post_instructions": None,
    "prompt": "",
    "read_only": None,
    "reasoning": None,
    "require_approval": "always",
    "server_description": "",
    "server_url": "",
    "strict": False,
    "token_limits": None,
    "tool_choice": "auto",
    "tool_names": None,
    "tools": [],
    "transcription": None,
    "truncation": None,
    "tunnel_id": "",
    "variables": {},
    "version": None,
}
"""Names of the API's, with what the service may report of a field that was left out. It may also
report null, or nothing."""
OF_THE_PROFILE = ("parameters", "output_schema", "variables")
"""Fields with JSON of the profile's own."""
COMPLETED: Mapping[str, str] = {"prompt": "version", "truncation": "token_limits"}
"""Parts of fields that the service decides where the profile leaves them out."""
CREDENTIALS = ("authorization", "headers")
"""What the service need not show of an MCP tool."""
MASKED = (*CREDENTIALS, "server_url")
"""Of what it may hide a part."""
MASK = re.compile(r"[<\[(]?redacted[>\])]?|\*{3,}", re.IGNORECASE)
"""What it shows in place of that."""
PRECISION = 1e-6
"""The service may keep a fraction in 32 bits."""


def matches(running: Any, wanted: Any) -> bool:
    """Whether both say the same, of what the service may complete."""
    if isinstance(running, Mapping) and isinstance(wanted, Mapping):
        if wanted.get("type") == "mcp":
            return matches_mcp(with_named_tools(running), with_named_tools(wanted))
        return all(
            matches_field(name, running.get(name, MISSING), wanted.get(name, MISSING))
            for name in {*running, *wanted}
        )
    if isinstance(running, list) and isinstance(wanted, list):
        return len(running) == len(wanted) and all(map(matches, running, wanted))
    return is_same(running, wanted)


def matches_field(name: str, running: Any, wanted: Any) -> bool:
    """Whether both say the same of a field with this name."""
    if says_nothing(name, running) and says_nothing(name, wanted):
        return True
    return (is_same if name in OF_THE_PROFILE else matches)(running, wanted)


def says_nothing(name: str, value: Any) -> bool:
    """Whether a field with this value is as good as left out."""
    if name not in LEFT_OUT:
        return value is MISSING
    return value is MISSING or value is None or is_same(value, LEFT_OUT[name])


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: true is not 1."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(is_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=PRECISION)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def contains(running: Any, wanted: Any) -> bool:
    """Whether `running` has all that `wanted` says, and may have more."""
    if isinstance(wanted, Mapping):
        return isinstance(running, Mapping) and all(
            contains(running.get(name), value) for name, value in wanted.items()
        )
    return matches(running, wanted)


def with_named_tools(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """An MCP tool whose list of allowed tools is the object that it stands for."""
    allowed = tool.get("allowed_tools")
    return {**tool, "allowed_tools": {"tool_names": allowed}} if isinstance(allowed, list) else tool


def matches_mcp(running: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an MCP tool is the profile's, as far as the service shows it."""
    for name in {*running, *wanted}:
        shown, told = running.get(name, MISSING), wanted.get(name, MISSING)
        is_hidden = (name in CREDENTIALS and says_nothing(name, shown)) or (
            name in MASKED and is_masked(shown, told)
        )
        if not (is_hidden or matches_field(name, shown, told)):
            return False
    return True


def is_masked(shown: Any, told: Any) -> bool:
    """Whether `shown` is `told` with a part hidden. An address keeps its host."""
    if isinstance(shown, Mapping) and isinstance(told, Mapping):
        return all(
            is_same(shown[name], told.get(name)) or is_masked(shown[name], told.get(name))
            for name in shown
        )
    if not isinstance(shown, str) or not isinstance(told, str):
        return False
    mask = MASK.search(shown)
    if mask is None:
        return False
    before, after = shown[: mask.start()], shown[mask.end() :]
    if not told.startswith(before) or not told[len(before) :].endswith(after):
        return False
    return "://" not in told or before.count("/") >= 3


def matches_prompt(running: Any, wanted: Any) -> bool:
    """Whether both name the same stored prompt with the same variables, in either of their forms.
    Without a version any is the current one."""
    wanted = completed("prompt", wanted, running)
    return matches_field("prompt", plain_prompt(running), plain_prompt(wanted))


def completed(name: str, wanted: Any, running: Any) -> Any:
    """A field of the profile with what it leaves to the service."""
    part = COMPLETED.get(name)
    if part is None or not isinstance(wanted, Mapping) or part in wanted:
        return wanted
    return {**wanted, part: running.get(part) if isinstance(running, Mapping) else None}


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
