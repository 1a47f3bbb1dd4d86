"""JSON -> an item of the conversation, bounded. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.core.untrusted import TEXT_CHARACTERS, clean_text
from shared.realtime.server_events import Item
from shared.sideband.events import Json, Scalar
from shared.sideband.json_fields import name_text, objects, optional_id, required_id, scalar, text

MAX_PARTS = 256
"""Of an item's content; an item has a few."""


def parse_item(raw: Json) -> Item:
    said, parts_cut = content_text(raw.get("content"))
    cut = [name for name in ("arguments", "output") if is_too_long(raw.get(name))]
    if parts_cut or is_too_long(said):
        cut.append("text")
    return Item(
        required_id(raw, "id"),
        name_text(raw, "type"),
        name_text(raw, "role"),
        name_text(raw, "status"),
        name_text(raw, "name"),
        optional_id(raw, "call_id"),
        text(raw, "arguments"),
        text(raw, "output"),
        name_text(raw, "server_label"),
        clean_text(said),
        tuple(cut),
        *item_error(raw.get("error")),
        optional_id(raw, "approval_request_id"),
        raw["approve"] if isinstance(raw.get("approve"), bool) else None,
    )


def item_error(error: Any) -> tuple[bool, Scalar, Scalar]:
    """Whether an item has an error, with its type and code."""
    told: Json = error if isinstance(error, Mapping) else {}
    return error is not None, scalar(told, "type"), scalar(told, "code")


def is_too_long(value: Any) -> bool:
    return isinstance(value, str) and len(value) > TEXT_CHARACTERS


def content_text(content: Any) -> tuple[str, bool]:
    """What the parts of an item's content say, without audio; and whether parts were left out."""
    found = []
    for part in objects(content, MAX_PARTS):
        if part.get("type") == "input_image":
            found.append("[image]")
        elif said := text_of(part.get("text")) or text_of(part.get("transcript")):
            # One character more than is kept, so that a cut is noticed.
            found.append(said[: TEXT_CHARACTERS + 1])
    return "\n".join(found), isinstance(content, list) and len(content) > MAX_PARTS


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
