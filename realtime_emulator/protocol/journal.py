"""What passed in each call, for tests to read: in the form in which recordings are kept."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

LEFT_OUT: Final = "~"
"""In place of audio, and of anything as large."""
AUDIO_FIELDS: Final = frozenset({"audio"})
LONGEST_TEXT: Final = 16_384
MOST_LINES: Final = 2000
"""For each call. Earlier ones are forgotten, and counted."""
REMEMBERED: Final = 50
"""Of the calls that have ended."""


class Journal:
    """The events of one call, from both sides, and when each passed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.started = clock()
        self.lines: deque[dict[str, Any]] = deque(maxlen=MOST_LINES)
        self.total = 0

    def note_sent(self, event: dict[str, Any]) -> None:
        """An event from the service."""
        self.add("in", event)

    def note_received(self, event: dict[str, Any]) -> None:
        """A client event: from the page, or from an observer."""
        self.add("out", event)

    def add(self, direction: str, event: dict[str, Any]) -> None:
        at = round(self.clock() - self.started, 3)
        self.lines.append({"at": at, "dir": direction, "data": leave_out(event)})
        self.total += 1

    def to_json(self, after: int = 0) -> dict[str, Any]:
        """The lines after the first `after`, their whole number, and how many of it are gone."""
        forgotten = self.total - len(self.lines)
        lines = list(self.lines)[max(0, after - forgotten) :]
        return {"total": self.total, "forgotten": forgotten, "events": lines}


def leave_out(value: Any) -> Any:
    """A copy without audio and without texts as large as images are."""
    if isinstance(value, dict):
        return {
            name: LEFT_OUT if name in AUDIO_FIELDS and isinstance(part, str) else leave_out(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [leave_out(part) for part in value]
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return LEFT_OUT
    return value


class Journals:
    """The journals of the calls in progress, and of the last that ended."""

    def __init__(self) -> None:
        self.past: OrderedDict[str, Journal] = OrderedDict()

    def keep(self, call_id: str, journal: Journal) -> None:
        """Keeps the journal of a call that has ended."""
        self.past[call_id] = journal
        while len(self.past) > REMEMBERED:
            self.past.popitem(last=False)

    def clear(self) -> None:
        self.past.clear()

    def find(self, call_id: str, running: Iterable[tuple[str, Journal]]) -> Journal | None:
        return {**self.past, **dict(running)}.get(call_id)
