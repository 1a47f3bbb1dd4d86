"""The script: replies, accepted credentials, time limits and injected faults.

It is a JSON file (README.md is its reference, script.json the default) that can be changed
with a JSON merge patch (RFC 7396) while the emulator runs.
"""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from realtime_emulator.protocol.ids import Provider
from realtime_emulator.protocol.validators import (
    Check,
    Invalid,
    anything,
    array,
    boolean,
    choice,
    either,
    integer,
    mapping,
    missing,
    nullable,
    number,
    obj,
    string,
)
from realtime_emulator.script import live_script
from realtime_emulator.script.live_script import LiveScript

DEFAULT = Path(__file__).with_name("script.json")
LIVE_ROUTES = (
    *("live_sessions", "live_connect", "live_attach", "live_fork", "live_hangup", "live_content"),
)
ROUTES = ("client_secrets", "calls", "hangup", "sideband", *LIVE_ROUTES)
DAY = 86_400.0
ACTIONS = ("say", "call", "delegate", "mcp", "fail", "stall_seconds", "incomplete")


CHECK_MCP_ERROR = obj(
    {
        "type": choice("http_error", "protocol_error", "tool_execution_error"),
        "code": integer(-1_000_000, 1_000_000),
        "message": string,
    },
    required=("type", "message"),
)


ACTION_FIELDS: dict[str, Check] = {
    "say": string,
    "call": obj({"tool": string, "arguments": mapping(anything)}, required=("tool",)),
    "delegate": live_script.CHECK_DELEGATE,
    "mcp": obj(
        {
            "server": string,
            "tool": string,
            "arguments": mapping(anything),
            "output": string,
            "error": CHECK_MCP_ERROR,
        },
        required=("tool",),
    ),
    "fail": obj({"type": string, "code": string, "message": string}),
    "incomplete": string,
    "stall_seconds": number(0, DAY),
}
RULE = obj(
    {
        "words": array(string),
        "instructed": array(string),
        **ACTION_FIELDS,
        "times": integer(1, 1_000_000),
    }
)
PLANNED_REPLY = obj(ACTION_FIELDS)


def check_rule(value: Any, path: str) -> None:
    RULE(value, path)
    if "words" not in value and "instructed" not in value:
        raise missing(f"{path}.words")
    require_action(value, path)


def check_planned_reply(value: Any, path: str) -> None:
    PLANNED_REPLY(value, path)
    require_action(value, path)


def require_action(value: dict[str, Any], path: str) -> None:
    if not any(action in value for action in ACTIONS):
        raise Invalid("invalid_value", f"'{path}' needs one of {', '.join(ACTIONS)}.", path)


CHECK_REPLY = obj(
    {
        "status": integer(200, 599),
        "headers": mapping(nullable(string)),
        "body": string,
        "json": mapping(anything),
    }
)
CHECK_REFUSAL = obj(
    {
        "event": string,
        "item": string,
        "code": string,
        "message": string,
        "anonymous": boolean,
        "times": integer(1, 1_000_000),
    },
    required=("event",),
)


def check_fault(value: Any, path: str) -> None:
    obj(
        {
            "status": integer(400, 599),
            "code": string,
            "message": string,
            "delay_seconds": number(0, DAY),
            "retry_after": either(text=string, other=number(0, DAY)),
            "reset": boolean,
            "reply": CHECK_REPLY,
            "drip_seconds": number(0, DAY),
            "drip": choice("all", "body"),
            "forget_after_seconds": number(0, DAY),
            "send": array(string),
            "drop_after_seconds": number(0, DAY),
            "drop_after_events": integer(0, 1_000_000),
            "close_code": integer(1000, 4999),
            "close_reason": string,
            "times": integer(1, 1_000_000),
            "every": integer(1, 1_000_000),
        }
    )(value, path)
    if "times" in value and "every" in value:
        raise Invalid("invalid_value", f"'{path}' has both 'times' and 'every'.", path)


SECONDS = number(0, DAY)
CREDENTIALS: Check = either(
    text=lambda value, path: None if value == "any" else string(None, path), other=array(string)
)
SHAPE = obj(
    {
        "greeting": string,
        "rules": array(check_rule),
        "replies": array(check_planned_reply),
        "otherwise": string,
        "unheard": string,
        "tool_result": string,
        "instructed": string,
        "ahead_seconds": SECONDS,
        "text_delta_seconds": SECONDS,
        "session_seconds": SECONDS,
        "connect_seconds": SECONDS,
        "key_seconds_max": SECONDS,
        "credentials": CREDENTIALS,
        "deployments": obj(dict.fromkeys(("realtime", "transcription", "other"), array(string))),
        "models": mapping(string),
        "refusals": array(CHECK_REFUSAL),
        "live": live_script.SHAPE,
        "faults": obj(dict.fromkeys(ROUTES, nullable(array(check_fault)))),
    }
)


class Script:
    """The current script. A change is validated as a whole before it takes effect."""

    def __init__(self, changes: dict[str, Any] | None = None) -> None:
        self.base: dict[str, Any] = json.loads(DEFAULT.read_text(encoding="utf-8"))
        self.values = self.base
        if changes:
            self.apply_patch(changes)
        self.base = self.values

    @classmethod
    def load(cls, path: Path) -> Script:
        """Reads a script file; settings that it omits have their defaults.

        Raises Invalid if it is not JSON or not a script.
        """
        try:
            changes = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise Invalid("invalid_json", f"{path} is not JSON: {error}", None) from None
        if not isinstance(changes, dict):
            raise Invalid("invalid_json", f"{path} is not a JSON object.", None)
        return cls(changes)

    def apply_patch(self, patch: Any) -> None:
        """Applies a merge patch; `null` restores a setting's initial value.

        Raises Invalid, and changes nothing, if the result would not be a valid script.
        """
        if not isinstance(patch, dict):
            raise Invalid("invalid_type", "A patch is a JSON object.", None)
        values = merge_patch(copy.deepcopy(self.values), patch)
        for name, value in self.base.items():
            if values.get(name) is None:
                values[name] = copy.deepcopy(value)
        for section in ("deployments", "faults"):
            if isinstance(values[section], dict):
                values[section] = {**{name: [] for name in self.base[section]}, **values[section]}
        if isinstance(values["live"], dict):
            values["live"] = {**copy.deepcopy(self.base["live"]), **values["live"]}
        SHAPE(values, "")
        self.values = values

    def reset(self) -> None:
        """Restores the script as it was loaded."""
        self.values = self.base

    def to_json(self) -> dict[str, Any]:
        """The script, with the accepted credentials left out."""
        credentials = self.values["credentials"]
        hidden = credentials if credentials == "any" else f"{len(credentials)} accepted"
        return {**self.values, "credentials": hidden}

    def text(self, name: str) -> str:
        return str(self.values[name])

    def time(self, name: str) -> timedelta:
        """One of the `…_seconds` settings."""
        return timedelta(seconds=self.values[name])

    def rules(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = self.values["rules"]
        return rules

    def refusals(self) -> list[dict[str, Any]]:
        refusals: list[dict[str, Any]] = self.values["refusals"]
        return refusals

    def accepts(self, credential: str) -> bool:
        """Whether this value of an `api-key` or bearer token is a valid standard credential."""
        accepted = self.values["credentials"]
        if not credential or credential.startswith("ek_"):
            return False
        return accepted == "any" or credential in accepted

    def is_deployed(self, kind: str, model: str) -> bool:
        """Whether `model` is among the `realtime`, `transcription` or `other` deployments."""
        return model in self.values["deployments"][kind]

    def model_behind(self, deployment: str) -> str:
        """The model that the session of a deployment names."""
        return str(self.values["models"].get(deployment, deployment))

    def live(self, provider: Provider) -> LiveScript:
        """The settings of GPT-Live sessions."""
        return LiveScript(self.values["live"], provider)

    def is_live(self, model: str) -> bool:
        """Whether `model` is one of GPT-Live."""
        return model in self.values["live"]["models"]

    def faults(self, route: str) -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = self.values["faults"][route]
        return faults


def merge_patch(target: Any, patch: Any) -> Any:
    """Applies a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merge_patch(out.get(name), value)
    return out
