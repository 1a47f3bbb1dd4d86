"""Which answer the script gives to what was heard."""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from local.emulator.script.script import Script


@dataclass(frozen=True, slots=True)
class Say:
    """Words to say; `incomplete` cuts the answer short for this reason."""

    text: str
    incomplete: str | None = None


@dataclass(frozen=True, slots=True)
class CallTool:
    """A function of the session's to call, with its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Fail:
    """An answer that fails."""

    code: str = "server_error"
    type: str = "server_error"
    message: str = "The emulator was told to fail."


@dataclass(frozen=True, slots=True)
class Reply:
    """What to do, after waiting for `stall`."""

    action: Say | CallTool | Fail
    stall: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an answer answers. `heard` is None when nobody has spoken yet."""

    heard: str | None = None
    tool_output: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: Any = "auto"


def reply(script: Script, prompt: Prompt) -> Reply:
    """The first rule whose words were said and that can be followed, or a fixed answer."""
    if prompt.tool_output is not None:
        return Reply(Say(fill(script.text("tool_result"), output=sentence(prompt.tool_output))))
    if prompt.heard is None:
        return Reply(Say(script.text("greeting")))
    forced = forced_tool(prompt)
    for rule in script.rules():
        if not said(rule["words"], prompt.heard):
            continue
        action = action_of(script, rule, prompt)
        if action is not None and (forced is None or isinstance(action, CallTool)):
            return Reply(action, timedelta(seconds=rule.get("stall_seconds", 0)))
    if forced is not None:
        return Reply(CallTool(forced, "{}"))
    return Reply(plain(script, prompt.heard))


def plain(script: Script, heard: str) -> Say:
    """The answer where no rule fits."""
    if not heard.strip():
        return Say(script.text("unheard"))
    return Say(fill(script.text("otherwise"), heard=heard.strip().rstrip(".")))


def action_of(script: Script, rule: dict[str, Any], prompt: Prompt) -> Say | CallTool | Fail | None:
    heard = prompt.heard or ""
    if "fail" in rule:
        return Fail(**rule["fail"])
    if "call" in rule:
        name = tool_named(rule["call"]["tool"], prompt)
        arguments = fill_all(rule["call"].get("arguments", {}), heard)
        return CallTool(name, json.dumps(arguments, ensure_ascii=False)) if name else None
    say = Say(fill(rule["say"], heard=heard)) if "say" in rule else plain(script, heard)
    return Say(say.text, rule.get("incomplete"))


def functions(prompt: Prompt) -> list[str]:
    names = [t["name"] for t in prompt.tools if t.get("type", "function") == "function"]
    if prompt.tool_choice == "none":
        return []
    if isinstance(prompt.tool_choice, dict):
        return [name for name in names if name == prompt.tool_choice.get("name")]
    return names


def tool_named(part: str, prompt: Prompt) -> str | None:
    return next((name for name in functions(prompt) if part.lower() in name.lower()), None)


def forced_tool(prompt: Prompt) -> str | None:
    """The function that `tool_choice` insists on."""
    insists = prompt.tool_choice == "required" or isinstance(prompt.tool_choice, dict)
    names = functions(prompt)
    return names[0] if insists and names else None


def said(words: list[str], heard: str) -> bool:
    """Whether one of the words or phrases was said, as whole words; no words fit everything."""
    return not words or any(
        re.search(rf"\b{re.escape(word)}\b", heard, re.IGNORECASE) for word in words
    )


def fill(template: str, **values: str) -> str:
    """`{heard}` and `{output}` replaced; other braces are left alone."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def fill_all(value: Any, heard: str) -> Any:
    if isinstance(value, dict):
        return {name: fill_all(inner, heard) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill_all(inner, heard) for inner in value]
    return fill(value, heard=heard) if isinstance(value, str) else value


def sentence(output: str) -> str:
    """A tool's output as something to say: JSON objects become `name value, …`."""
    try:
        value = json.loads(output)
    except ValueError:
        return output
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {inner}" for name, inner in value.items())
    return value if isinstance(value, str) else output
