"""How much of one call is kept. What a page writes has a share of its own, so that it cannot use up
that of the caller and the model. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any, Protocol

PAGE_BYTES = 1024 * 1024
CONVERSATION_BYTES = 16 * 1024 * 1024
"""An hour of talk is about 100 KB; the results of tools are up to 16,000 characters each."""
LINE_BYTES = 300
"""What a line takes besides its texts."""
LINES: Mapping[str, int] = {"error": 500, "session": 200, "steered": 500, "transcription": 20_000}
"""Lines of a kind, where a page decides how many there are."""
PROVEN = ("caller", "model", "server")


class AnyLine(Protocol):
    """A line that is to be written, or one that has been."""

    @property
    def kind(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, Any]: ...


class RecordBudget:
    """What is left to be written of one call. `word_kinds` are the kinds with words in them."""

    def __init__(self, word_kinds: frozenset[str]) -> None:
        self.word_kinds = word_kinds
        self.left = {"page": PAGE_BYTES, "conversation": CONVERSATION_BYTES}
        self.lines: Counter[str] = Counter()

    def exceeded_by(self, line: AnyLine, by: str) -> str:
        """Counts a line; gives the share that it exceeds, or nothing. `by`: who wrote its item."""
        share = self.count_line(line, by)
        if line.kind in self.word_kinds:
            return share if self.left[share] < 0 else ""
        return share if self.lines[share] > LINES.get(share, self.lines[share]) else ""

    def count_line(self, line: AnyLine, by: str) -> str:
        """Counts a line; gives its share: `page`, `conversation`, or the line's kind."""
        if line.kind in self.word_kinds:
            share = "page" if by in ("page", "unknown") else "conversation"
            self.left[share] -= size_of(line)
            return share
        self.lines[line.kind] += 1
        return line.kind


def size_of(line: AnyLine) -> int:
    """About how many bytes a line takes in the record."""
    texts = [line.key, *(value for value in line.fields.values() if isinstance(value, str))]
    return LINE_BYTES + sum(
        len(encode_basestring(text).encode("utf-8", "replace")) for text in texts
    )
