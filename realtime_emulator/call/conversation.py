"""The items of one conversation, in order."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from realtime_emulator.protocol import ids, usage
from realtime_emulator.protocol.usage import Tokens
from realtime_emulator.protocol.validators import Invalid

ROOT = "root"


@dataclass(slots=True)
class Item:
    """One item. `data` is the item as the API shows it, `audio` the length of its speech.

    `words` is the recognition of a user's speech; the task belongs to the call, and `heard` waits
    for it. `asked` says whether a response of the conversation began to answer the item, `answered`
    whether one did and was not cancelled.
    """

    data: dict[str, Any]
    audio: timedelta = timedelta(0)
    words: asyncio.Task[str] | None = field(default=None, compare=False)
    asked: bool = False
    answered: bool = False

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def is_assistant_audio(self) -> bool:
        content = self.data.get("content", [])
        return self.data.get("role") == "assistant" and any(
            part["type"] == "output_audio" for part in content
        )

    def to_json(self) -> dict[str, Any]:
        """The item for an event: a copy, because the item may still change."""
        return copy.deepcopy(self.data)

    def tool_output(self) -> str | None:
        """What a tool has given, if the item tells of that."""
        match self.data:
            case {"type": "function_call_output", "output": str(output)}:
                return output
            case {"type": "mcp_call", "output": str(output)}:
                return output
            case {"type": "mcp_call", "error": {"message": str(message)}}:
                return message
            case {"type": "mcp_approval_response", "approve": False}:
                return "not approved"
        return None

    def tokens(self) -> Tokens:
        """The tokens that the item takes in the model's context."""
        user = self.data.get("role") == "user"
        total = usage.of_input_audio(self.audio) if user else usage.of_output_audio(self.audio)
        for part in self.data.get("content", []):
            spoken = None if user else part.get("transcript")
            total += usage.of_text(part.get("text") or spoken or "")
        for name in ("arguments", "output"):
            total += usage.of_text(self.data.get(name) or "")
        return total

    async def heard(self) -> str:
        """What a user's item says, once it is recognised.

        Recognition is shared by everyone who waits for it, so it outlives a cancelled waiter.
        """
        spoken = await asyncio.shield(self.words) if self.words else ""
        written = [part.get("text") or "" for part in self.data.get("content", [])]
        return " ".join(text for text in [*written, spoken] if text)

    def drop_transcript(self) -> None:
        for part in self.data["content"]:
            part.pop("transcript", None)


def item_not_found(item_id: str, param: str) -> Invalid:
    return Invalid("item_not_found", f"Item with item_id not found: {item_id}", param)


class Conversation:
    """The items of a call, and what its responses have read of them so far."""

    def __init__(self) -> None:
        self.id = ids.new("conv")
        self.items: list[Item] = []
        self.has_spoken = False
        """Whether there has been assistant audio, which locks the voice."""
        self.responses_done = 0
        self.tokens_seen = Tokens()
        """The most that a response has read, which later responses find cached."""
        self.rule_uses: Counter[str] = Counter()
        """How often each rule of the script has been followed."""
        self.unanswered: str | None = None
        """What the last response was to answer, if it failed."""

    def find_item(self, item_id: str, param: str = "item_id") -> Item:
        """The item with this id. Raises Invalid if there is none."""
        for item in self.items:
            if item.id == item_id:
                return item
        raise item_not_found(item_id, param)

    def check_approval_request(self, request_id: str) -> None:
        """Raises Invalid unless an MCP call's request of this id is still to be answered."""
        request = self.find_item(request_id, "item.approval_request_id")
        if request.data["type"] != "mcp_approval_request" or any(
            other.data.get("approval_request_id") == request_id
            and other.data["type"] == "mcp_approval_response"
            for other in self.items
        ):
            message = f"No approval is awaited for '{request_id}'."
            raise Invalid("invalid_value", message, "item.approval_request_id")

    def previous_id(self, item_id: str) -> str | None:
        """The id of the item before this one, or of the last item if there is no such item."""
        previous = None
        for item in self.items:
            if item.id == item_id:
                break
            previous = item.id
        return previous

    def last_id(self) -> str | None:
        return self.items[-1].id if self.items else None

    def add_item(self, item: Item, after: str | None = None) -> str | None:
        """Inserts an item after the one named, first for `root`, last for None.

        Returns the id of the item before it. Raises Invalid if the item named does not exist or the
        new one's id is taken.
        """
        if any(other.id == item.id for other in self.items):
            raise Invalid("invalid_value", f"Item already exists: {item.id}", "item.id")
        if after is None:
            place = len(self.items)
        elif after == ROOT:
            place = 0
        else:
            place = self.items.index(self.find_item(after, "previous_item_id")) + 1
        self.items.insert(place, item)
        return self.previous_id(item.id)

    def delete_item(self, item_id: str) -> None:
        self.items.remove(self.find_item(item_id))

    def truncate_item(self, item_id: str, heard: timedelta) -> None:
        """Cuts an assistant's speech to what was heard, and drops its transcript.

        Raises Invalid if there is no such item, if it has no assistant audio, or less than `heard`.
        """
        item = self.find_item(item_id)
        if not item.is_assistant_audio:
            raise Invalid(
                "invalid_value", "Only model output audio messages can be truncated", "item_id"
            )
        if heard > item.audio:
            raise Invalid(
                "invalid_value",
                f"Audio content of {milliseconds(item.audio)}ms is already shorter than "
                f"{milliseconds(heard)}ms",
                "audio_end_ms",
            )
        item.audio = heard
        item.drop_transcript()

    def resolve_input(self, given: list[dict[str, Any]] | None) -> list[Item]:
        """The items that a response reads: those of its `input`, or all where that is None."""
        if given is None:
            return self.items
        known = {item.id: item for item in self.items}
        return [known.get(data.get("id", ""), Item(data)) for data in given]

    def count_response(self, read: Tokens) -> None:
        """Counts a response that is done and has read `read`."""
        self.responses_done += 1
        seen = self.tokens_seen
        self.tokens_seen = Tokens(max(seen.text, read.text), max(seen.audio, read.audio))

    def tokens(self) -> Tokens:
        return sum((item.tokens() for item in self.items), Tokens())


def milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)
