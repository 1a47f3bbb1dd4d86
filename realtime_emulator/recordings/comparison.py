"""What the emulator sent against what was recorded: the same fields in the same order, the same
kinds of values, and for the words of the API the same values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from realtime_emulator.protocol.journal import LEFT_OUT

Event = dict[str, Any]
OF_THE_API: Final = frozenset(
    {
        *("type", "object", "target", "reason", "code", "status", "role", "phase", "model"),
        *("sequence_number", "output_index", "content_index", "name", "voice", "tool_choice"),
        *("store", "truncation", "output_modalities"),
    }
)
"""Fields whose values must be the recorded ones, masked or not."""
WORDS: Final = frozenset({"arguments", "text", "instructions", "tools", "input"})
"""Fields whose values must be the recorded ones, unless they are masked."""
ACCOUNT: Final = frozenset({"access_programs", "user"})
"""What belongs to the account that was recorded."""
NUMBERS: Final = frozenset({"int", "float"})


@dataclass(frozen=True, slots=True)
class Difference:
    """`where` is an event's type and a path in it; `what` says recorded and emulated."""

    recording: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.recording}: {self.where}: {self.what}"


@dataclass(slots=True)
class Comparison:
    """The differences of one recording. Knows which of the emulator's ids is which recorded one."""

    recording: str
    is_masked: bool = False
    words: frozenset[str] = WORDS
    differences: list[Difference] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    def report(self, where: str, what: str) -> None:
        found = Difference(self.recording, where, what)
        if found not in self.differences:
            self.differences.append(found)

    def translate(self, text: str) -> str:
        """A frame of the recorded client, with the emulator's ids."""
        for theirs, ours in self.ids.items():
            text = text.replace(theirs, ours)
        return text

    def compare_event(self, ours: Event, theirs: Event) -> bool:
        """Whether it is the same event. Reports what differs in it."""
        if ours["type"] != theirs["type"]:
            self.report(theirs["type"], f"the emulator sent {ours['type']} instead")
            return False
        self.compare(ours, theirs, theirs["type"], "")
        return True

    def compare(self, ours: Any, theirs: Any, event: str, path: str) -> None:
        name = path.rpartition(".")[2]
        if isinstance(theirs, dict) and isinstance(ours, dict):
            self.compare_objects(ours, theirs, event, path)
        elif isinstance(theirs, list) and isinstance(ours, list):
            if len(ours) != len(theirs):
                self.report(event + path, f"{len(theirs)} recorded, {len(ours)} emulated")
            for one, other in zip(ours, theirs, strict=False):
                self.compare(one, other, event, path)
        elif (name == "id" or name.endswith("_id")) and isinstance(theirs, str):
            self.compare_ids(ours, theirs, event, path)
        elif self.must_equal(name) and theirs != LEFT_OUT:
            if ours != theirs and not (name == "arguments" and same_json(ours, theirs)):
                self.report(event + path, f"{theirs!r} recorded, {ours!r} emulated")
        elif not same_kind(ours, theirs):
            self.report(event + path, f"{kind(theirs)} recorded, {kind(ours)} emulated")

    def compare_objects(self, ours: Event, theirs: Event, event: str, path: str) -> None:
        theirs = {name: value for name, value in theirs.items() if name not in ACCOUNT}
        ours = {name: value for name, value in ours.items() if name not in ACCOUNT}
        for name in theirs.keys() - ours.keys():
            self.report(f"{event}{path}.{name}", "recorded, not emulated")
        for name in ours.keys() - theirs.keys():
            self.report(f"{event}{path}.{name}", "emulated, not recorded")
        if ours.keys() == theirs.keys() and list(ours) != list(theirs):
            self.report(event + path, f"fields in the order {list(theirs)}, emulated {list(ours)}")
        for name, value in theirs.items():
            if name in ours:
                self.compare(ours[name], value, event, f"{path}.{name}")

    def compare_ids(self, ours: Any, theirs: str, event: str, path: str) -> None:
        if path == ".client_event_id" or "(" in theirs:
            return
        is_id = isinstance(ours, str)
        if not is_id or ours.partition("_")[0] != theirs.partition("_")[0]:
            self.report(event + path, f"{prefix(theirs)} recorded, {prefix(ours)} emulated")
        elif self.ids.setdefault(theirs, ours) != ours:
            self.report(event + path, "another id than the one before")

    def must_equal(self, name: str) -> bool:
        return name in OF_THE_API or (name in self.words and not self.is_masked)


def prefix(value: Any) -> str:
    return f"{value.partition('_')[0]}_…" if isinstance(value, str) else kind(value)


def same_json(ours: Any, theirs: Any) -> bool:
    """Whether two texts are the same JSON. Models put their spaces where they like."""
    try:
        return bool(json.loads(ours) == json.loads(theirs))
    except (TypeError, ValueError):
        return False


def kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def same_kind(ours: Any, theirs: Any) -> bool:
    return type(ours) is type(theirs) or {kind(ours), kind(theirs)} <= NUMBERS
