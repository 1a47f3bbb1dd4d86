"""Keeps the delegation of a Live session to the profile: what a page changes is put back. Pure.

A page whose channel is open can send `session.update`, with which it may change the model that
work is delegated to, its instructions and its tools, and add triggers. Nothing else of a Live
session can be changed by anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

RESPONSES = "delegation.responses"
TRIGGERS = "triggers"
DELAY = "delegation.acknowledgement_delay_ms"
DEFAULTS: Mapping[str, Any] = {"tools": [], "tool_choice": "auto"}
"""What the service reports of fields that were left out; of others nothing, or null (recorded)."""
HIDDEN = ("authorization", "headers")
"""What it does not report of a tool of an MCP server."""
TOOL_DEFAULTS: Mapping[str, Any] = {"strict": False, "description": "", "parameters": {}}
UPDATABLE = (
    *("instructions", "max_output_tokens", "model", "parallel_tool_calls", "reasoning"),
    *("service_tier", "text", "tool_choice", "tools"),
)
"""The fields of `delegation.responses` that an update may change."""
MAX_RESTORES = 5
"""How often the profile is restored at once; see `allow_restore`."""
NEVER_AS_WANTED = 3
"""What the service reports otherwise after so many restores is its own form of the field."""


class LiveSessionGuard:
    """Guards one call's session. `session` is the profile's, complete."""

    def __init__(self, session: Mapping[str, Any]) -> None:
        delegation = mapping(session.get("delegation"))
        self.kind = str(delegation.get("type") or "client")
        self.backend = dict(mapping(delegation.get("responses")))
        self.delay = delegation.get("acknowledgement_delay_ms")
        self.triggers = session.get("triggers") or []
        self.has_had_triggers = False
        """Whether they were ever there: not every service is sent them."""
        self.accepted: dict[str, Any] = {}
        """Values of fields that could not be restored."""
        self.restores: Counter[str] = Counter()
        self.restores_left = MAX_RESTORES

    def overridden_fields(self, session: Mapping[str, Any] | None) -> list[str]:
        """The fields in which a running session differs from the profile; all of them where it
        could not be read (None)."""
        if session is None:
            return [f"{RESPONSES}.{name}" for name in self.backend] + [TRIGGERS]
        delegation = mapping(session.get("delegation"))
        running = mapping(delegation.get("responses"))
        found = []
        if self.kind == "responses":
            names = sorted({*self.backend, *map(str, running)})
            found += [
                f"{RESPONSES}.{name}"
                for name in names
                if not self.is_as_wanted(name, running.get(name))
            ]
        if self.delay is not None and delegation.get("acknowledgement_delay_ms") != self.delay:
            found.append(DELAY)
        if self.has_other_triggers(session.get("triggers") or []):
            found.append(TRIGGERS)
        return [name for name in found if not self.is_accepted(name, value_of(session, name))]

    def has_other_triggers(self, running: Any) -> bool:
        if is_same(running, self.triggers):
            self.has_had_triggers = True
            return False
        return bool(running) or self.has_had_triggers

    def is_as_wanted(self, name: str, running: Any) -> bool:
        wanted = self.backend.get(name)
        if name == "tools" and isinstance(running, list) and isinstance(wanted, list):
            pairs = zip(running, wanted, strict=False)
            return len(running) == len(wanted) and all(same_tool(*pair) for pair in pairs)
        default = DEFAULTS.get(name)
        one = default if running is None else running
        other = default if wanted is None else wanted
        return is_same(one, other)

    def is_accepted(self, name: str, running: Any) -> bool:
        return name in self.accepted and is_same(running, self.accepted[name])

    def restoring_session(self, session: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The session of an update that restores the profile; None where nothing is wrong, or no
        restore is left. `responses` is always complete: on Azure it replaces what is there."""
        names = self.overridden_fields(session)
        if not names or self.restores_left <= 0:
            return None
        self.restores_left -= 1
        if session is not None:
            self.note_restored(names, session)
        update: dict[str, Any] = {}
        delegation: dict[str, Any] = {"type": self.kind}
        if self.kind == "responses" and any(name.startswith(RESPONSES) for name in names):
            added = [name.removeprefix(f"{RESPONSES}.") for name in names]
            extra = {name: DEFAULTS.get(name) for name in added if name not in self.backend}
            known = {name: value for name, value in extra.items() if name in UPDATABLE}
            delegation["responses"] = {**self.backend, **known}
        if DELAY in names:
            delegation["acknowledgement_delay_ms"] = self.delay
        if len(delegation) > 1:
            update["delegation"] = delegation
        if TRIGGERS in names:
            update["triggers"] = self.triggers
        return update or None

    def note_restored(self, names: list[str], session: Mapping[str, Any]) -> None:
        """Takes note of what is put back. What is still otherwise after several times stays so."""
        self.restores.update(names)
        for name in names:
            if self.restores[name] > NEVER_AS_WANTED:
                self.accepted[name] = value_of(session, name)

    def allow_restore(self) -> None:
        """The profile may be restored once more."""
        self.restores_left = max(1, self.restores_left)

    def without_functions(self) -> dict[str, Any]:
        """The session of an update after which the work calls no function of ours any more. From
        then on that is what is guarded."""
        tools = self.backend.get("tools") or []
        self.backend["tools"] = [
            tool for tool in tools if mapping(tool).get("type") not in ("function", None)
        ]
        self.backend.pop("tool_choice", None)
        responses = {**self.backend, "tool_choice": "auto"}
        return {"delegation": {"type": "responses", "responses": responses}}


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def value_of(session: Mapping[str, Any], path: str) -> Any:
    value: Any = session
    for name in path.split("."):
        value = mapping(value).get(name)
    return value


def same_tool(running: Any, wanted: Any) -> bool:
    """Whether a tool is the profile's, as far as the service shows it."""
    one, other = mapping(running), mapping(wanted)
    names = {*one, *other} - set(HIDDEN)
    return all(is_same(tool_field(one, name), tool_field(other, name)) for name in map(str, names))


def tool_field(tool: Mapping[str, Any], name: str) -> Any:
    value = tool.get(name)
    return TOOL_DEFAULTS.get(name) if value is None else value


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: true is not 1, and null is not there. What is nested so
    deeply that it cannot be compared is nobody's profile."""
    try:
        return equal(one, other)
    except RecursionError:
        return False


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = {*one, *other}
        return all(equal(one.get(name), other.get(name)) for name in names)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
