"""What was said in a Live call, from its record's `turn` lines: pieces put together, in the order
of the session's timeline. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from shared.transcripts.record_lines import StoredLine
from shared.usage import tokens
from shared.usage.live_usage import LiveUsage, LiveUsageCounter

ROLES = ("user", "assistant")
UNKNOWN_MODEL = "unknown"


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """What one speaker said until the other one had the word; `at` is about when it began, the
    times in milliseconds are places on the session's timeline. `first` is the line that has its
    beginning, where it has one of its own. `is_open`: more of it may follow."""

    key: str
    first: str
    role: str
    text: str
    at: datetime
    start_ms: int
    end_ms: int
    is_open: bool = False
    interrupted: bool = False
    backchannel: bool = False
    cut: bool = False


def spoken_turns(lines: Iterable[StoredLine]) -> list[SpokenTurn]:
    """The turns of a record. Two pieces of one turn with a gap between them stay two."""
    lines = list(lines)
    pieces = [turn_of(line) for line in lines if line.kind == "turn"]
    gaps = [line.at for line in lines if line.kind == "gap"]
    turns: list[SpokenTurn] = []
    places: dict[str, int] = {}
    """By the keys of lines, the turn that they are in."""
    open_at: dict[str, int] = {}
    """By the role, the turn that may go on: whoever took over does not know which it was."""
    for piece in sorted(pieces, key=lambda each: (each.start_ms, each.end_ms)):
        at = places.get(piece.first)
        if at is None and (latest := open_at.get(piece.role)) is not None and not piece.first:
            at = None if is_between(gaps, turns[latest], piece) else latest
        if at is None:
            turns.append(piece)
            at = len(turns) - 1
        else:
            turns[at] = joined(turns[at], piece)
        places[piece.key] = at
        open_at.pop(piece.role, None)
        if piece.is_open:
            open_at[piece.role] = at
        elif not piece.backchannel:
            # The other one's turn ends where this one's begins.
            open_at.clear()
    return [turn for turn in turns if turn.text.strip()]


def turn_of(line: StoredLine) -> SpokenTurn:
    fields = line.fields
    role, start = str(fields.get("role", "")), number(fields.get("start_ms"))
    return SpokenTurn(
        line.key,
        str(fields.get("turn") or ""),
        role if role in ROLES else "",
        str(fields.get("text") or ""),
        line.at,
        start,
        max(start, number(fields.get("end_ms"))),
        is_open=fields.get("open") is True,
        interrupted=fields.get("interrupted") is True,
        backchannel=fields.get("backchannel") is True,
        cut="cut" in fields,
    )


def number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def is_between(gaps: Sequence[datetime], before: SpokenTurn, after: SpokenTurn) -> bool:
    return any(before.at < gap < after.at for gap in gaps)


def joined(turn: SpokenTurn, piece: SpokenTurn) -> SpokenTurn:
    """A turn with its next piece."""
    apart = turn.text[-1:].isalnum() and piece.text[:1].isalnum() and piece.text[:1].isascii()
    return replace(
        turn,
        text=f"{turn.text}{' ' if apart else ''}{piece.text}",
        end_ms=max(turn.end_ms, piece.end_ms),
        is_open=piece.is_open,
        interrupted=turn.interrupted or piece.interrupted,
        cut=turn.cut or piece.cut,
    )


def live_usage_in(lines: Iterable[StoredLine]) -> LiveUsage | None:
    """What a Live call used, by its record; None for a call of the Realtime API."""
    lines = list(lines)
    if not any(line.kind in ("turn", "usage", "delegation") for line in lines):
        return None
    counter = LiveUsageCounter()
    for line in lines:
        count_line(counter, line)
    return counter.live_usage()


def count_line(counter: LiveUsageCounter, line: StoredLine) -> None:
    """Counts what a line of a record says that was used."""
    if line.kind == "usage" and line.fields.get("estimated") is True:
        seconds = line.fields.get("seconds")
        counter.end_call(timedelta(seconds=seconds if isinstance(seconds, int | float) else 0))
    elif line.kind == "usage":
        counter.count_snapshot(line.fields, final=line.fields.get("final") is True)
    elif line.kind == "response":
        model = str(line.fields.get("model") or UNKNOWN_MODEL)
        usage = tokens.usage_of_counts(line.fields.get("usage") or {})
        counter.count_response(line.key, model, usage)
