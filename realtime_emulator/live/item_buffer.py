"""What a client adds to the backend's input: bounded for the whole session."""

from __future__ import annotations

import json
from typing import Any, Final

from realtime_emulator.protocol.validators import Invalid

ITEMS: Final = 128
BYTES: Final = 32_768


class ItemBuffer:
    """Counts every item that was ever added; nothing makes room again."""

    def __init__(self) -> None:
        self.items = 0
        self.bytes = 0
        self.waiting: list[dict[str, Any]] = []
        """Those that the backend has not read yet."""

    def add(self, item: dict[str, Any]) -> None:
        """Raises Invalid `response_input_buffer_full`."""
        text = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode("utf-8", "surrogatepass"))
        if self.items + 1 > ITEMS or self.bytes + size > BYTES:
            raise Invalid(
                "response_input_buffer_full",
                f"Backend response input history is limited to {ITEMS} items and {BYTES} UTF-8 "
                "bytes per session.",
                "item",
            )
        self.items += 1
        self.bytes += size
        self.waiting.append(item)

    def take(self) -> list[dict[str, Any]]:
        """The items that wait, which the backend reads now."""
        waiting, self.waiting = self.waiting, []
        return waiting


def text_of(items: list[dict[str, Any]]) -> str:
    """The words in messages of the user."""
    found = []
    for item in items:
        if item.get("type", "message") != "message":
            continue
        content = item["content"]
        parts = [{"text": content}] if isinstance(content, str) else content
        found += [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return " ".join(found)


def has_image(items: list[dict[str, Any]]) -> bool:
    return any(
        part["type"] == "input_image"
        for item in items
        if item.get("type", "message") == "message" and isinstance(item["content"], list)
        for part in item["content"]
    )
