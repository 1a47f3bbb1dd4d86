"""A transcript that is followed while it grows: what has changed since it was last read.

A cursor says how much of the record had been read, and what it was: a record that has been deleted
meanwhile, and begun again, is another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from shared.storage.interfaces import Log
from shared.transcripts.record_lines import StoredLine, decode_lines
from shared.transcripts.transcript import build_transcript

CURSOR = re.compile(r"([0-9]{1,12})-([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a record has been read: `size` bytes with that checksum."""

    size: int = 0
    checksum: int = 0

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The cursor in a query. Raises ValueError."""
        match = CURSOR.fullmatch(text)
        if match is None:
            raise ValueError("not a cursor")
        return cls(int(match[1]), int(match[2], 16))

    @classmethod
    def after(cls, data: bytes) -> Cursor:
        """The cursor of whoever has read that."""
        return cls(len(data), crc32(data))

    def __str__(self) -> str:
        return f"{self.size}-{self.checksum:08x}"

    def read_part(self, data: bytes) -> bytes:
        """What had been read of a record; nothing if that was another one."""
        part = data[: self.size]
        return part if Cursor.after(part) == self else b""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """A record as it is now. `transcript` is as JSON: what has changed, if some had been read."""

    lines: list[StoredLine]
    transcript: Mapping[str, Any]
    cursor: Cursor


def read_record(log: Log, name: str, after: Cursor | None) -> ReadRecord | None:
    """The record of a call, whole or with what has changed since `after`; None if nothing has.
    Blocks. Raises StorageUnavailable."""
    if after is not None and log.length(name) == after.size:
        return None
    data = log.read(name)
    lines = decode_lines(data)
    shown = build_transcript(lines).to_json()
    entries = shown["entries"]
    if after is not None:
        before = build_transcript(decode_lines(after.read_part(data))).to_json()["entries"]
        shown["entries"] = [
            {"index": index, **entry}
            for index, entry in enumerate(entries)
            if index >= len(before) or before[index] != entry
        ]
    return ReadRecord(lines, {**shown, "total": len(entries)}, Cursor.after(data))
