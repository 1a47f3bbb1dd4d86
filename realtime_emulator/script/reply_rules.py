"""The script's reply to what the caller said."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from realtime_emulator.script.script import Script

PLAN: Final = "replies"
"""Under this, `Prompt.uses` counts those that a call has had."""


@dataclass(frozen=True, slots=True)
class Say:
    """Text to say. `incomplete` cuts it short and is the reason given for that."""

    text: str
    incomplete: str | None = None


@dataclass(frozen=True, slots=True)
class CallTool:
    """A function of the session to call, with its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallMcpTool:
    """A tool of one of the session's MCP servers to call, its arguments as JSON text, and what
    comes of it: an output or an error."""

    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: dict[str, Any] | None = None
    needs_approval: bool = True


@dataclass(frozen=True, slots=True)
class Fail:
    """A response that fails."""

    code: str = "server_error"
    type: str = "server_error"
    message: str = "The emulator was told to fail."


@dataclass(frozen=True, slots=True)
class Reply:
    """What to do after waiting for `stall`."""

    action: Say | CallTool | CallMcpTool | Fail
    stall: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a reply responds to. `heard` is None if nobody has spoken yet."""

    heard: str | None = None
    instructions: str | None = None
    tool_output: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = "auto"
    uses: Counter[str] = field(default_factory=Counter)
    """How often each rule has been followed in this call."""


def choose_reply(script: Script, prompt: Prompt) -> Reply:
    """The reply of the first rule that matches and can be followed, or a fixed one."""
    if prompt.tool_output is not None:
        return Reply(Say(fill(script.text("tool_result"), output=as_sentence(prompt.tool_output))))
    if prompt.instructions is not None:
        return Reply(Say(fill(script.text("instructed"), instructions=prompt.instructions)))
    if prompt.heard is None:
        return Reply(Say(script.text("greeting")))
    forced = forced_function(prompt)
    followed = follow_rule(script, "words", prompt, calls_only=forced is not None)
    if followed is not None:
        return followed
    if forced is not None:
        return Reply(CallTool(forced, "{}"))
    return Reply(default_reply(script, prompt.heard))


def follow_plan(script: Script, prompt: Prompt) -> Reply | None:
    """The next of the script's `replies`, while any is left for this call and can be followed."""
    planned = next_planned(script, prompt.uses)
    action = action_for(script, planned, prompt) if planned else None
    stall = timedelta(seconds=planned.get("stall_seconds", 0))
    return None if action is None else Reply(action, stall)


def next_planned(script: Script, uses: Counter[str]) -> dict[str, Any]:
    """The script's reply to whatever was said, taken from its `replies`; {} after the last."""
    replies: list[dict[str, Any]] = script.values["replies"]
    if uses[PLAN] >= len(replies):
        return {}
    uses[PLAN] += 1
    return replies[uses[PLAN] - 1]


def find_instructed(script: Script, instructions: str, uses: Counter[str]) -> Reply | None:
    """The reply of the first rule for a response's own instructions, if one matches."""
    return follow_rule(script, "instructed", Prompt(heard=instructions, uses=uses))


def follow_rule(
    script: Script, kind: str, prompt: Prompt, *, calls_only: bool = False
) -> Reply | None:
    """The reply of the first rule whose `kind` of words matches and that can be followed."""
    for rule in script.rules():
        if kind not in rule or is_used_up(rule, prompt):
            continue
        if not matches(rule[kind], prompt.heard or ""):
            continue
        action = action_for(script, rule, prompt)
        if action is not None and (not calls_only or isinstance(action, CallTool | CallMcpTool)):
            prompt.uses[key_of(rule)] += 1
            return Reply(action, timedelta(seconds=rule.get("stall_seconds", 0)))
    return None


def is_used_up(rule: dict[str, Any], prompt: Prompt) -> bool:
    """Whether a rule has been followed as often as it may in this call."""
    return "times" in rule and prompt.uses[key_of(rule)] >= rule["times"]


def key_of(rule: dict[str, Any]) -> str:
    return json.dumps(rule, sort_keys=True)


def default_reply(script: Script, heard: str) -> Say:
    """The reply if no rule matches."""
    if not heard.strip():
        return Say(script.text("unheard"))
    return Say(fill(script.text("otherwise"), heard=heard.strip().rstrip(".")))


def action_for(
    script: Script, rule: dict[str, Any], prompt: Prompt
) -> Say | CallTool | CallMcpTool | Fail | None:
    heard = prompt.heard or ""
    if "fail" in rule:
        return Fail(**rule["fail"])
    if "mcp" in rule:
        return mcp_call(rule["mcp"], prompt)
    if "call" in rule:
        name = find_function(rule["call"]["tool"], prompt)
        arguments = fill_all(rule["call"].get("arguments", {}), heard)
        return CallTool(name, json.dumps(arguments, ensure_ascii=False)) if name else None
    if "delegate" in rule and "say" not in rule:
        return None  # for GPT-Live
    say = Say(fill(rule["say"], heard=heard)) if "say" in rule else default_reply(script, heard)
    return Say(say.text, rule.get("incomplete"))


def mcp_call(call: dict[str, Any], prompt: Prompt) -> CallMcpTool | None:
    """A call of the session's first MCP server whose label has `server` in it."""
    for server in prompt.tools:
        label = server.get("server_label", "")
        if server["type"] != "mcp" or call.get("server", "").lower() not in label.lower():
            continue
        if prompt.tool_choice in ("auto", "required") or names_server(prompt.tool_choice, label):
            arguments = fill_all(call.get("arguments", {}), prompt.heard or "")
            return CallMcpTool(
                label,
                call["tool"],
                json.dumps(arguments, ensure_ascii=False),
                None if call.get("error") else call.get("output", ""),
                call.get("error"),
                needs_approval(server.get("require_approval"), call["tool"]),
            )
    return None


def names_server(tool_choice: Any, label: str) -> bool:
    return isinstance(tool_choice, dict) and tool_choice.get("server_label") == label


def needs_approval(stated: Any, tool: str) -> bool:
    """Whether a server's `require_approval` demands it for a tool: by default, it does."""
    if not isinstance(stated, dict):
        return bool(stated != "never")
    never, always = (
        (stated.get(name) or {}).get("tool_names") or [] for name in ("never", "always")
    )
    return tool in always or (tool not in never and not always)


def callable_functions(prompt: Prompt) -> list[str]:
    names = [t["name"] for t in prompt.tools if t.get("type", "function") == "function"]
    if prompt.tool_choice == "none":
        return []
    if isinstance(prompt.tool_choice, dict):
        return [name for name in names if name == prompt.tool_choice.get("name")]
    return names


def find_function(part: str, prompt: Prompt) -> str | None:
    return next((name for name in callable_functions(prompt) if part.lower() in name.lower()), None)


def forced_function(prompt: Prompt) -> str | None:
    """The function that `tool_choice` requires, if any."""
    is_required = prompt.tool_choice == "required" or isinstance(prompt.tool_choice, dict)
    names = callable_functions(prompt)
    return names[0] if is_required and names else None


def matches(words: list[str], heard: str) -> bool:
    """Whether one of the words or phrases was said, as whole words. An empty list matches."""
    return not words or any(
        re.search(rf"\b{re.escape(word)}\b", heard, re.IGNORECASE) for word in words
    )


def fill(template: str, **values: str) -> str:
    """The template with each `{name}` of `values` replaced; other braces are left alone."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def fill_all(value: Any, heard: str) -> Any:
    if isinstance(value, dict):
        return {name: fill_all(inner, heard) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill_all(inner, heard) for inner in value]
    return fill(value, heard=heard) if isinstance(value, str) else value


def as_sentence(output: str) -> str:
    """A tool's output as text to say: a JSON object becomes `name value, …`."""
    try:
        value = json.loads(output)
    except ValueError:
        return output
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {inner}" for name, inner in value.items())
    return value if isinstance(value, str) else output
