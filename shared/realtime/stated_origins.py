"""Who wrote an item, as the record has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from shared.realtime.item_keys import ItemKeys, ItemMemory
from shared.realtime.item_origins import CALLER, MODEL, SERVER, UNKNOWN, ItemOrigins
from shared.transcripts.record_lines import RecordLine, StoredLine


class StatedOrigins:
    """By the key of an item, its origin on record. What has been proven of it stays."""

    def __init__(self, keys: ItemKeys, origins: ItemOrigins) -> None:
        self.keys = keys
        self.origins = origins
        self.stated: ItemMemory[str] = ItemMemory(keys.made_keys)

    def resume(self, line: StoredLine) -> None:
        """Takes over what a line of the record says."""
        origin = line.fields.get("origin")
        if line.kind in ("placed", "item", "origin") and origin:
            if origin in (CALLER, MODEL, SERVER):
                self.keys.made_keys.add(line.key)
            self.stated[line.key] = str(origin)

    def of(self, key: str) -> str:
        """The item's origin on record; UNKNOWN where there is none."""
        return self.stated.get(key, UNKNOWN)

    def state(self, key: str, seen_added: bool) -> str:
        """The origin with which an item is put on record now."""
        stated = self.of(key)
        if stated == UNKNOWN:
            stated = self.stated[key] = self.origins.origin_of(key, seen_added=seen_added)
        return stated

    def lines_of(self, proven: Iterable[str], at: datetime) -> list[RecordLine]:
        """What is proven of items that the record has as unknown."""
        lines = []
        for key in proven:
            if self.stated.get(key, "") == UNKNOWN:
                origin = self.stated[key] = self.origins.origin_of(key, seen_added=False)
                lines.append(RecordLine("origin", key, at, {"origin": origin}, by=origin))
        return lines
