"""Keeps the delegation of a Live session to the profile: what a page changes is put back. Pure.

A page whose channel is open can send `session.update`, with which it may change the model that
work is delegated to, its instructions and its tools, and add triggers. Nothing else of a Live
session can be changed by anybody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

DELEGATION = "delegation"
TRIGGERS = "triggers"
DELAY_NAME = "acknowledgement_delay_ms"
DELAY = f"{DELEGATION}.{DELAY_NAME}"
OTHER = "other"
"""Stands for every field of the delegated work that is not known by name."""
UPDATABLE: Mapping[str, tuple[str, ...]] = {
    "responses": (
        *("instructions", "max_output_tokens", "model", "parallel_tool_calls", "reasoning"),
        *("service_tier", "text", "tool_choice", "tools"),
    ),
    "decisions": ("model", "questions"),
}
"""The fields that an update can change, by the kind of the delegation (official types)."""
DEFAULTS: Mapping[str, Any] = {"tools": [], "tool_choice": "auto", "questions": []}
"""What the service reports of fields that were left out; of others nothing, or null (recorded)."""
DEFAULT_DELAYS: Mapping[str, int] = {"decisions": 400}
"""In milliseconds, by the kind of the delegation; of the others it is 0 (documented)."""
HIDDEN = ("authorization", "headers")
"""What it does not report of a tool of an MCP server."""
TOOL_DEFAULTS: Mapping[str, Any] = {"strict": False, "description": "", "parameters": {}}
MAX_RESTORES = 5
"""How often the profile is restored at once; see `allow_restore`."""
NEVER_AS_WANTED = 3
"""What the service reports otherwise after so many restores, and has never reported as the profile
has it, is its own form of the field."""


class LiveSessionGuard:
    """Guards one call's session. `session` is the profile's, complete."""

    def __init__(self, session: Mapping[str, Any]) -> None:
        delegation = mapping(session.get(DELEGATION))
        self.kind = str(delegation.get("type") or "client")
        self.backend = dict(mapping(delegation.get(self.kind)))
        stated = delegation.get(DELAY_NAME)
        self.default_delay = DEFAULT_DELAYS.get(self.kind, 0)
        self.delay = self.default_delay if stated is None else stated
        self.triggers = session.get(TRIGGERS) or []
        self.has_had_triggers = False
        """Whether they were ever there: not every service is sent them."""
        self.accepted: dict[str, Any] = {}
        """Values of fields that could not be restored."""
        self.seen_as_wanted: set[str] = set()
        """Fields that the service has reported as the profile has them: they can be restored."""
        self.restores: Counter[str] = Counter()
        self.restores_left = MAX_RESTORES
        self.is_refused = False
        """Whether the service has refused a restore: then no field is sent as null."""

    @property
    def backend_names(self) -> list[str]:
        return sorted({*self.backend, *UPDATABLE.get(self.kind, ())})

    @property
    def names(self) -> list[str]:
        """The paths of all that is guarded."""
        work = [*self.backend_names, OTHER] if self.kind in UPDATABLE else []
        return [*(f"{DELEGATION}.{self.kind}.{name}" for name in work), DELAY, TRIGGERS]

    def observe_session(self, session: Mapping[str, Any]) -> bool:
        """Learns from a running session what the service reports as the profile has it. Returns
        whether all is."""
        wanted = [name for name in self.names if self.is_as_wanted(name, session)]
        self.seen_as_wanted.update(wanted)
        for name in wanted:
            self.accepted.pop(name, None)
        return len(wanted) == len(self.names)

    def overridden_fields(self, session: Mapping[str, Any] | None) -> list[str]:
        """The fields in which a running session differs from the profile; all of them where it
        could not be read (None)."""
        if session is None:
            return self.names
        return [
            name
            for name in self.names
            if not self.is_as_wanted(name, session)
            and not (
                name in self.accepted
                and is_same(self.running_value(session, name), self.accepted[name])
            )
        ]

    def running_value(self, session: Mapping[str, Any], path: str) -> Any:
        value: Any = session
        *parents, last = path.split(".")
        for name in parents:
            value = mapping(value).get(name)
        if last == OTHER:
            known = self.backend_names
            return {
                name: each
                for name, each in mapping(value).items()
                if name not in known and each is not None
            }
        return mapping(value).get(last)

    def is_as_wanted(self, path: str, session: Mapping[str, Any]) -> bool:
        running, name = self.running_value(session, path), path.rpartition(".")[2]
        if name == OTHER:
            return not running
        if path == TRIGGERS:
            return not self.has_other_triggers(running or [])
        if path == DELAY:
            return is_same(self.default_delay if running is None else running, self.delay)
        wanted = self.backend.get(name)
        if name == "tools" and isinstance(running, list) and isinstance(wanted, list):
            pairs = zip(running, wanted, strict=False)
            return len(running) == len(wanted) and all(same_tool(*pair) for pair in pairs)
        default = DEFAULTS.get(name)
        one = default if running is None else running
        other = default if wanted is None else wanted
        return is_same(one, other)

    def has_other_triggers(self, running: Any) -> bool:
        if is_same(running, self.triggers):
            self.has_had_triggers = True
            return False
        return bool(running) or self.has_had_triggers

    def restoring_session(self, session: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """The session of an update that restores the profile; None where nothing is wrong, or no
        restore is left. `responses` is always complete: on Azure it replaces what is there."""
        names = self.overridden_fields(session)
        if not names or self.restores_left <= 0:
            return None
        self.restores_left -= 1
        if session is not None:
            self.note_restored(names, session)
        elif self.is_refused:
            # Not every service takes every field, or null for it; which it refuses is not known.
            sure = [name for name in self.backend_names if name in {*self.backend, *DEFAULTS}]
            names = [f"{DELEGATION}.{self.kind}.{name}" for name in sure] or [TRIGGERS]
        work = f"{DELEGATION}.{self.kind}."
        update: dict[str, Any] = {}
        delegation: dict[str, Any] = {"type": self.kind}
        if self.kind in UPDATABLE and any(name.startswith(work) for name in names):
            extra = [name.removeprefix(work) for name in names if name.startswith(work)]
            defaults = {name: DEFAULTS.get(name) for name in extra if name != OTHER}
            delegation[self.kind] = {**defaults, **self.backend}
        if DELAY in names:
            delegation[DELAY_NAME] = self.delay
        if len(delegation) > 1:
            update[DELEGATION] = delegation
        if TRIGGERS in names:
            update[TRIGGERS] = self.triggers
        return update or None

    def note_restored(self, names: list[str], session: Mapping[str, Any]) -> None:
        """Takes note of what is put back. What is still otherwise after several times, and never
        was as the profile has it, stays so. A page that repeats a change does not win by it."""
        self.restores.update(names)
        for name in names:
            if name not in self.seen_as_wanted and self.restores[name] > NEVER_AS_WANTED:
                self.accepted[name] = self.running_value(session, name)

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
