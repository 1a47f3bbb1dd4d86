"""How much of one call is kept. Pages, callers, and the model with the server have a share each, so
that none uses up another's: a page can also speak as the caller, by committing audio of its own.
Whoever uses up a share has only long texts cut short. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from json.encoder import encode_basestring

from shared.core.bounded import BoundedDict
from shared.transcripts.record_lines import REDACTED_FIELDS, WORD_KINDS, RecordLine, StoredLine

SHARES: Mapping[str, int] = {
    "page": 1024 * 1024,
    "caller": 4 * 1024 * 1024,
    "conversation": 12 * 1024 * 1024,
}
"""In bytes. An hour of talk is about 100 KB; the results of tools are up to 16,000 characters."""
RESERVE = 4 * 1024 * 1024
"""For what comes after a share is used up, with texts of `SHORT` characters."""
SHORT = 500
REMEMBERED = 5_000
LINE_BYTES = 300
"""What a line takes besides its texts."""
LINES: Mapping[str, int] = {
    "delegation": 2_000,
    "latency": 5_000,
    "muted": 500,
    "paused": 500,
    "response": 10_000,
    "resumed": 500,
    "session": 200,
    "steered": 500,
    "transcription": 20_000,
    "unmuted": 500,
    "usage": 2_000,
}
"""Lines of a kind, where a page decides how many there are."""
LINES_OF_EACH: Mapping[str, int] = {"error": 500, "failed": 500}
"""The same for kinds that tell of several things: of each, so that what a page gets wrong over and
over does not use up what the record has for what fails."""
EACH_AT_MOST = 20
"""Different things of such a kind; all further ones share what one has."""


class RecordBudget:
    """What is left to be written of one call."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()
        self.different: Counter[str] = Counter()
        """By kind, how many shares of `LINES_OF_EACH` there are."""
        self.origins: BoundedDict[str, str] = BoundedDict(REMEMBERED)
        """By the keys of the items in the record."""

    def admit(self, line: RecordLine) -> tuple[RecordLine | None, str]:
        """The line as it is to be written, None if it is not; and the share that it exceeds."""
        if line.kind not in WORD_KINDS:
            counted = self.count_line(line)
            limit = LINES_OF_EACH.get(line.kind) or LINES.get(line.kind, counted)
            return (line, "") if counted <= limit else (None, line.kind)
        share = share_of(line.by)
        if self.spend(share, line, SHARES[share]):
            return line, ""
        short = shortened(line)
        fits = self.spend(share, short, SHARES[share] + RESERVE)
        return (short if fits else None), share

    def count_line(self, line: RecordLine | StoredLine) -> int:
        """Counts a line; returns how many of its share there are."""
        share = line.kind
        if line.kind in LINES_OF_EACH:
            told = (line.fields.get(name) for name in ("what", "type", "code"))
            share = " ".join([line.kind, *(str(each) for each in told)])
            if share not in self.lines:
                self.different[line.kind] += 1
                if self.different[line.kind] > EACH_AT_MOST:
                    share = f"{line.kind} other"
        self.lines[share] += 1
        return self.lines[share]

    def spend(self, share: str, line: RecordLine, limit: int) -> bool:
        size = size_of(line)
        fits = self.spent[share] + size <= limit
        if fits:
            self.spent[share] += size
        return fits

    def count_stored(self, line: StoredLine) -> None:
        """Counts a line that is in the record already."""
        if line.kind in WORD_KINDS:
            if "origin" in line.fields:
                self.origins[line.key] = str(line.fields["origin"])
            self.spent[share_of(self.origins.get(line.key, "unknown"))] += size_of(line)
        else:
            self.count_line(line)


def share_of(by: str) -> str:
    """Whose share a line of an item is counted to, by who wrote the item. What nobody is known to
    have written, a page may have."""
    return {"caller": "caller", "page": "page", "unknown": "page"}.get(by, "conversation")


def shortened(line: RecordLine) -> RecordLine:
    """The line with the beginnings of its texts."""
    long = {
        name: value
        for name, value in line.fields.items()
        if name in REDACTED_FIELDS and isinstance(value, str) and len(value) > SHORT
    }
    if not long:
        return line
    beginnings = {name: value[:SHORT] for name, value in long.items()}
    return replace(line, fields={**line.fields, **beginnings, "cut": sorted(long)})


def size_of(line: RecordLine | StoredLine) -> int:
    """About how many bytes a line takes in the record."""
    texts = [line.key, *(value for value in line.fields.values() if isinstance(value, str))]
    return LINE_BYTES + sum(
        len(encode_basestring(text).encode("utf-8", "replace")) for text in texts
    )
