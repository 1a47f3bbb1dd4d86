"""Turns -> lines of the call's record. Pure.

A turn is written when it is over, and in pieces while it is long, so that a run that is killed
loses little. A piece that is not the last says `open`, one that is not the first says which line
was (`turn`); whoever reads puts pieces together. Pieces end between two fragments, with neither
digits nor an @ anywhere near, so that redaction finds every number and address whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.core.bounded import BoundedDict, BoundedSet
from shared.live.server_events import ASSISTANT, USER, TranscriptFragment
from shared.live.spoken import Spoken
from shared.live.turn import USUAL_RULES, ClosedTurn, Turn, TurnRules
from shared.live.turn_clock import TurnClock
from shared.live.turns import LATE, TurnGrouper
from shared.transcripts.record_lines import LATENCY, RecordLine, StoredLine

PIECE_MS = 4_000
PIECE_CHARACTERS = 400
"""How much of a turn there is before a piece of it is written."""
NEAR = 40
"""Characters. The longest e-mail address that is redacted may be longer; it has no space in it."""
AFTER = 12
"""Characters that must have come after the end of a piece."""
UNWRITTEN_CHARACTERS = 2_000
UNWRITTEN_MS = 60_000
"""How much of a turn may wait for a place that is fit: a run that is killed loses it."""
RISKY = re.compile(r"[\d@+]")
WORD = re.compile(r"[A-Za-z0-9_.+-]")
QUIET_MS = 5_000
QUIET_WITH_NUMBER_MS = 20_000
"""How long a speaker is silent before all of an open turn is written. Whoever reads out a number
makes pauses."""
REMEMBERED_KEYS = 20_000
REPEATED_FOR = timedelta(seconds=5)
"""For so long after a connection has begun, the service may be sending again what it had sent."""
ORIGINS = {USER: "caller", ASSISTANT: "model"}


class FragmentFilter:
    """Drops fragments that an earlier run has recorded: a connection begins with the last few
    seconds once more. Later on nothing is dropped, whatever place the record ends with."""

    def __init__(self) -> None:
        self.recorded_until: dict[str, int] = {}
        self.repeats_until: datetime | None = None

    def resume(self, line: StoredLine) -> None:
        """Takes over a `turn` line of the record."""
        role, end_ms = line.fields.get("role"), line.fields.get("end_ms")
        if not (isinstance(role, str) and isinstance(end_ms, int)):
            return
        if end_ms < self.recorded_until.get(role, 0) - LATE:
            # The timeline has begun again: places from before that are no measure.
            self.recorded_until = {
                role: until for role, until in self.recorded_until.items() if until <= end_ms + LATE
            }
        self.recorded_until[role] = max(end_ms, self.recorded_until.get(role, 0))

    def start_connection(self, at: datetime) -> None:
        """What comes next may be a repetition."""
        self.repeats_until = at + REPEATED_FOR

    def may_repeat(self, at: datetime) -> bool:
        """Whether what comes at that time may be a repetition."""
        return self.repeats_until is not None and at <= self.repeats_until

    def is_new(self, fragment: TranscriptFragment, at: datetime) -> bool:
        if not self.may_repeat(at):
            return True
        return fragment.start_ms >= self.recorded_until.get(fragment.speaker, 0)


class TurnRecorder:
    """Makes lines of the fragments of one call."""

    def __init__(self, rules: TurnRules = USUAL_RULES) -> None:
        self.grouper = TurnGrouper(rules)
        self.filter = FragmentFilter()
        self.spoken = Spoken(self.grouper.open_turns)
        self.clock = TurnClock()
        self.keys: BoundedSet[str] = BoundedSet(REMEMBERED_KEYS)
        self.numbers: BoundedDict[str, int] = BoundedDict(REMEMBERED_KEYS)
        """How often a key has been wanted: a flood of words with one place wants the same."""
        self.latest_key: str | None = None

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what is in the record."""
        for line in lines:
            if line.kind == "turn":
                self.filter.resume(line)
                self.spoken.resume(line)
                self.keys.add(line.key)
                self.latest_key = line.key

    def add(self, fragment: TranscriptFragment, at: datetime) -> list[RecordLine]:
        """The lines that are complete once this fragment has come."""
        if not self.filter.is_new(fragment, at):
            return []
        self.spoken.add(fragment, may_repeat=self.filter.may_repeat(at))
        lines = self.lines_of(self.grouper.add(fragment, milliseconds(at)), at)
        for turn in self.grouper.open_turns():
            lines += self.piece_of(turn, at)
        return lines

    def advance(self, at: datetime) -> list[RecordLine]:
        """The lines that are complete after silence up to now."""
        now = milliseconds(at)
        lines = self.lines_of(self.grouper.advance(now), at)
        for turn in self.grouper.open_turns():
            if self.unrecorded(turn) and now >= self.quiet_at(turn):
                lines.append(self.line_of(turn, len(turn.text), at, is_open=True))
        return lines

    def due_in(self, at: datetime) -> timedelta | None:
        """In what time `advance` has something to do; None if it has nothing."""
        now = milliseconds(at)
        due = [self.quiet_at(turn) - now for turn in self.open_unrecorded()]
        grouping = self.grouper.due_in(now)
        due += [] if grouping is None else [grouping]
        return timedelta(milliseconds=max(0.0, min(due)) + 1) if due else None

    def close(self, at: datetime) -> list[RecordLine]:
        """The lines of all that is open: the session is over, or this run is."""
        return self.lines_of(self.grouper.close(milliseconds(at)), at)

    def lines_of(self, closed: list[ClosedTurn], at: datetime) -> list[RecordLine]:
        lines = []
        for each in closed:
            turn = each.turn
            self.spoken.note_closed(turn, again=each.reason == "late" and bool(turn.recorded))
            # The last piece says that the turn is over, even if there is nothing new in it.
            if self.unrecorded(turn) or turn.recorded:
                lines.append(self.line_of(turn, len(turn.text), at, is_open=False))
            latency = self.clock.latency_of(each)
            if latency is not None and turn.key:
                fields = {"ms": latency, "item": turn.key}
                began = at - timedelta(milliseconds=self.since(turn.start_ms, at))
                lines.append(RecordLine(LATENCY, turn.key, began, fields))
        return lines

    def open_unrecorded(self) -> list[Turn]:
        return [turn for turn in self.grouper.open_turns() if self.unrecorded(turn)]

    def unrecorded(self, turn: Turn) -> bool:
        return bool(turn.text[turn.recorded :].strip())

    def quiet_at(self, turn: Turn) -> float:
        """When all of an open turn is written, if nothing more of it comes."""
        risky = RISKY.search(turn.text, max(0, len(turn.text) - NEAR))
        silence = QUIET_WITH_NUMBER_MS if risky else QUIET_MS
        behind = self.grouper.latest_end - turn.end_ms
        return self.grouper.heard_at - behind + silence

    def piece_of(self, turn: Turn, at: datetime) -> list[RecordLine]:
        """The beginning of what is not recorded of a long turn, up to where it may be cut."""
        new = len(turn.text) - turn.recorded
        lasts = turn.end_ms - turn.place_of(turn.recorded)
        is_settled = turn.duration >= self.grouper.rules.backchannel_longest
        if not is_settled or (new < PIECE_CHARACTERS and lasts < PIECE_MS):
            return []
        end = last_cut(turn)
        return [self.line_of(turn, end, at, is_open=True)] if end > turn.recorded else []

    def line_of(self, turn: Turn, end: int, at: datetime, *, is_open: bool) -> RecordLine:
        """The line of what is not recorded of a turn, up to that character."""
        text, start_ms = turn.text[turn.recorded : end], turn.place_of(turn.recorded)
        end_ms = turn.end_ms if end >= len(turn.text) else turn.place_of(end)
        turn.recorded = end
        fields = {"role": turn.speaker, "text": text, "start_ms": start_ms, "end_ms": end_ms}
        told = {
            "open": is_open,
            "interrupted": turn.interrupted,
            "backchannel": turn.is_backchannel,
        }
        fields |= {name: True for name, holds in told.items() if holds}
        said_at = at - timedelta(milliseconds=self.since(start_ms, at))
        key = self.new_key(f"{turn.speaker} {start_ms}")
        if turn.key:
            fields["turn"] = turn.key
        turn.key = turn.key or key
        return RecordLine("turn", key, said_at, fields, by=ORIGINS[turn.speaker])

    def since(self, place: int, at: datetime) -> float:
        """How long ago that place of the timeline was, about."""
        return max(0.0, self.grouper.timeline_at(milliseconds(at)) - place)

    def new_key(self, key: str) -> str:
        """The key, or one like it if it is taken."""
        found, number = key, self.numbers.get(key, 1)
        while found in self.keys:
            number += 1
            found = f"{key} {number}"
        self.keys.add(found)
        self.numbers[key] = number
        self.latest_key = found
        return found


def milliseconds(at: datetime) -> float:
    return at.timestamp() * 1000


def last_cut(turn: Turn) -> int:
    """The last place, in characters, at which a turn may be cut; 0 if there is none. Where no place
    has been fit for a long time, it is the least bad one."""
    text, known = turn.text, max(turn.recorded, turn.no_cut_until)
    for place, _ in reversed(turn.pieces):
        if place <= known:
            break
        if len(text) - place >= AFTER:
            if is_cut(text, place):
                return place
            # What is not fit does not become so by what follows: it is looked at once.
            turn.no_cut_until = max(turn.no_cut_until, place)
    lasts = turn.end_ms - turn.place_of(turn.recorded)
    is_long = len(text) - turn.recorded > UNWRITTEN_CHARACTERS or lasts > UNWRITTEN_MS
    return least_bad_cut(turn) if is_long else 0


def least_bad_cut(turn: Turn) -> int:
    """The last of the best places in the later half of what is not written: as far from digits as
    there is one, then between words, then wherever a fragment begins."""
    text = turn.text
    half = (turn.recorded + len(text)) // 2
    best = (-1, 0)
    for place, _ in reversed(turn.pieces):
        if (place <= half and best[1]) or place <= turn.recorded:
            break
        for_cut = (NEAR // 2, NEAR // 4, NEAR // 10, 1)
        fit = next((near for near in for_cut if is_cut(text, place, near)), 0)
        if fit > best[0]:
            best = (fit, place)
    return best[1]


def is_cut(text: str, place: int, near: int = NEAR) -> bool:
    """Whether nothing that redaction would find can lie across that place: no digit is so near."""
    if RISKY.search(text, max(0, place - near), place + near):
        return False
    return not (WORD.match(text[place - 1]) and WORD.match(text[place]))
