"""The items that a client gives to the backend, or to decisions."""

from __future__ import annotations

from typing import Any

from realtime_emulator.live.json_shapes import (
    TEXT,
    Array,
    Either,
    Nullable,
    Object,
    Shape,
    Tagged,
    choice,
)

STATUS = Nullable(choice("in_progress", "completed", "incomplete"))
PARTS = Array(Object({"type": TEXT, "text": TEXT}, ("type",), is_open=True))
MESSAGE = Object(
    {
        "role": choice("user", "assistant", "system", "developer"),
        "content": Either(text=TEXT, other=PARTS),
        "status": STATUS,
    },
    ("role", "content"),
    is_open=True,
)
OUTPUT = Object(
    {"call_id": TEXT, "output": Either(text=TEXT, other=PARTS), "status": STATUS},
    ("call_id", "output"),
    is_open=True,
)


class BackendItem:
    """Any input item of the Responses API: messages and outputs of functions as they must be, and
    others, of which the emulator knows nothing, with any fields."""

    def find_unknown(self, value: Any, path: str) -> None: ...

    def check_value(self, value: Any, path: str) -> None:
        Object({"type": TEXT}, is_open=True).check_value(value, path)
        known = {"message": MESSAGE, "function_call_output": OUTPUT}
        kind = value.get("type", "message")
        if kind in known:
            known[kind].check_value(value, path)


IDENTIFIED: dict[str, Shape] = {"type": TEXT, "id": Nullable(TEXT), "status": STATUS}


def part(kind: str) -> Shape:
    return Tagged({kind: Object({"type": TEXT, "text": TEXT}, ("text",))})


def decision_message(kind: str) -> Object:
    content = Either(text=TEXT, other=Array(part(kind)))
    return Object({**IDENTIFIED, "role": TEXT, "content": content}, ("role", "content"))


DECISION_ITEM = Tagged(
    {
        "function_call": Object(
            {**IDENTIFIED, "call_id": TEXT, "name": TEXT, "arguments": TEXT},
            ("call_id", "name", "arguments"),
        ),
        "function_call_output": Object(
            {**IDENTIFIED, "call_id": TEXT, "output": TEXT}, ("call_id", "output")
        ),
        "custom_tool_call": Object(
            {**IDENTIFIED, "call_id": TEXT, "name": TEXT, "input": TEXT},
            ("call_id", "name", "input"),
        ),
        "custom_tool_call_output": Object(
            {**IDENTIFIED, "call_id": TEXT, "output": TEXT}, ("call_id", "output")
        ),
        "message": Object({"role": TEXT}, ("role",), is_open=True),
    }
)
DECISION_ROLE = Tagged(
    {
        **dict.fromkeys(("user", "developer", "system"), decision_message("input_text")),
        "assistant": decision_message("output_text"),
    },
    tag="role",
)


class DecisionItem:
    """An item of a decision. A message has the parts that its role may have."""

    def chosen(self, value: Any) -> Shape:
        is_message = isinstance(value, dict) and value.get("type") == "message"
        return DECISION_ROLE if is_message else DECISION_ITEM

    def find_unknown(self, value: Any, path: str) -> None:
        self.chosen(value).find_unknown(value, path)

    def check_value(self, value: Any, path: str) -> None:
        self.chosen(value).check_value(value, path)
