"""The items of one conversation, in order."""

import asyncio
import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from local.emulator.protocol import ids, usage
from local.emulator.protocol.usage import Tokens
from local.emulator.protocol.validators import Invalid

ROOT = "root"


@dataclass(slots=True)
class Item:
    """One item. `data` is what the API shows; `audio` how long its speech is.

    `words` is what the recogniser makes of a user's speech; its task belongs to the call, and
    `heard` is the way to wait for it. `answered` says whether a response of the conversation was
    made to it and not cancelled.
    """

    data: dict[str, Any]
    audio: timedelta = timedelta(0)
    words: "asyncio.Task[str] | None" = field(default=None, compare=False)
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

    def shown(self) -> dict[str, Any]:
        """The item for an event: a copy, because an item goes on changing."""
        return copy.deepcopy(self.data)

    def tokens(self) -> Tokens:
        """What the item takes in the model's context."""
        user = self.data.get("role") == "user"
        total = usage.of_speech_heard(self.audio) if user else usage.of_speech_made(self.audio)
        for part in self.data.get("content", []):
            spoken = None if user else part.get("transcript")
            total += usage.of_text(part.get("text") or spoken or "")
        for name in ("arguments", "output"):
            total += usage.of_text(self.data.get(name, ""))
        return total

    async def heard(self) -> str:
        """What a user's item says, once it is known.

        Recognition is shared by everybody who waits for it, so it outlives a cancelled waiter.
        """
        spoken = await asyncio.shield(self.words) if self.words else ""
        written = [part.get("text") or "" for part in self.data.get("content", [])]
        return " ".join(text for text in [*written, spoken] if text)


def item_not_found(item_id: str, param: str) -> Invalid:
    return Invalid("item_not_found", f"Item with item_id not found: {item_id}", param)


class Conversation:
    """What was said, by whom, after what."""

    def __init__(self) -> None:
        self.id = ids.new("conv")
        self.items: list[Item] = []
        self.has_spoken = False
        """Whether there has been assistant audio, which locks the voice."""

    def find(self, item_id: str, param: str = "item_id") -> Item:
        """The item of this id.

        Raises:
            Invalid: there is none.
        """
        for item in self.items:
            if item.id == item_id:
                return item
        raise item_not_found(item_id, param)

    def before(self, item_id: str) -> str | None:
        """The id of the item in front of this one (or in front of the end)."""
        previous = None
        for item in self.items:
            if item.id == item_id:
                break
            previous = item.id
        return previous

    def last(self) -> str | None:
        return self.items[-1].id if self.items else None

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Puts an item after the one named, `root` for the front, the end if None.

        Returns the id of the item in front of it.

        Raises:
            Invalid: no such item, or there is one of that id already.
        """
        if any(other.id == item.id for other in self.items):
            raise Invalid("invalid_value", f"Item already exists: {item.id}", "item.id")
        if after is None:
            place = len(self.items)
        elif after == ROOT:
            place = 0
        else:
            place = self.items.index(self.find(after, "previous_item_id")) + 1
        self.items.insert(place, item)
        return self.before(item.id)

    def delete(self, item_id: str) -> None:
        self.items.remove(self.find(item_id))

    def truncate(self, item_id: str, heard: timedelta) -> None:
        """Cuts an assistant's speech to what was heard. The transcript goes: nobody heard it all.

        Raises:
            Invalid: no such item, no assistant's audio, or shorter than that.
        """
        item = self.find(item_id)
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
        for part in item.data["content"]:
            part.pop("transcript", None)

    def tokens(self) -> Tokens:
        return sum((item.tokens() for item in self.items), Tokens())


def milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)
