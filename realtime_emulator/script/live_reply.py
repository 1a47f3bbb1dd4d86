"""What a GPT-Live model does about what the caller said: the script's rules, as it reads them.

The model itself only talks. Whatever needs a function is work that it delegates.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from realtime_emulator.script.reply_rules import (
    Prompt,
    Say,
    as_sentence,
    default_reply,
    fill,
    fill_all,
    find_function,
    find_instructed,
    forced_function,
    is_used_up,
    key_of,
    matches,
    next_planned,
)
from realtime_emulator.script.script import Script


@dataclass(frozen=True, slots=True)
class Delegate:
    """Work to hand over: functions to call (parts of their names, and arguments), else an `answer`.
    With `fail`, it fails with that message."""

    heard: str
    calls: tuple[dict[str, Any], ...] = ()
    answer: str | None = None
    fail: str | None = None


@dataclass(frozen=True, slots=True)
class LiveReply:
    """What to do after waiting for `stall`; nothing if `action` is None."""

    action: Say | Delegate | None
    stall: timedelta = timedelta(0)


def choose_live_reply(script: Script, heard: str, uses: Counter[str]) -> LiveReply:
    """The reply of the first rule that matches what was heard."""
    prompt = Prompt(heard=heard, uses=uses)
    if planned := next_planned(script, uses):
        stall = timedelta(seconds=planned.get("stall_seconds", 0))
        return LiveReply(action_of(script, planned, heard), stall)
    for rule in script.rules():
        if "words" in rule and not is_used_up(rule, prompt) and matches(rule["words"], heard):
            uses[key_of(rule)] += 1
            stall = timedelta(seconds=rule.get("stall_seconds", 0))
            return LiveReply(action_of(script, rule, heard), stall)
    return LiveReply(default_reply(script, heard))


def action_of(script: Script, rule: dict[str, Any], heard: str) -> Say | Delegate | None:
    if "delegate" in rule:
        task = rule["delegate"]
        answer = fill(task["answer"], heard=heard) if "answer" in task else None
        return Delegate(heard, tuple(task.get("calls", ())), answer, task.get("fail"))
    if "call" in rule:
        return Delegate(heard, (rule["call"],))
    if "mcp" in rule:
        error = rule["mcp"].get("error", {}).get("message")
        return Delegate(heard, answer=error or rule["mcp"].get("output", ""))
    if "fail" in rule:
        return None
    return Say(fill(rule["say"], heard=heard)) if "say" in rule else default_reply(script, heard)


def say_instructed(script: Script, instructions: str, uses: Counter[str]) -> str:
    """What the model says when it is instructed in the middle of a session."""
    reply = find_instructed(script, instructions, uses)
    if reply is not None and isinstance(reply.action, Say):
        return reply.action.text
    if "greet" in instructions.lower():
        return script.text("greeting")
    return fill(script.text("instructed"), instructions=instructions)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function to call, with its arguments as compact JSON."""

    name: str
    arguments: str


def functions_for(task: Delegate, backend: dict[str, Any]) -> list[FunctionCall]:
    """The functions of the backend that the task calls, by name; the one that `tool_choice`
    demands where the task names none."""
    prompt = Prompt(heard=task.heard, tools=backend["tools"], tool_choice=chosen(backend))
    found = []
    for call in task.calls:
        name = find_function(call["tool"], prompt)
        if name is not None:
            arguments = fill_all(call.get("arguments", {}), task.heard)
            found.append(FunctionCall(name, compact(arguments)))
    forced = forced_function(prompt)
    return found or ([FunctionCall(forced, "{}")] if forced else [])


def chosen(backend: dict[str, Any]) -> Any:
    """The backend's tool choice; one that is no function's leaves all of them open."""
    choice = backend["tool_choice"]
    is_other = isinstance(choice, dict) and choice["type"] != "function"
    return "auto" if is_other else choice


def compact(arguments: Any) -> str:
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


def answer_from(script: Script, outputs: list[str]) -> str:
    """The backend's answer once its functions have returned."""
    spoken = ", and ".join(as_sentence(output) for output in outputs)
    return fill(script.text("tool_result"), output=spoken)
