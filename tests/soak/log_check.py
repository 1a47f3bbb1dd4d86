"""What the hosts' logs may not hold: secrets, call ids, and what hostile pages sent."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from tests.soak.hostile_events import MARKER
from tests.support.secrets_reader import SECRETS

FORBIDDEN = {
    **SECRETS,
    "a call's id": re.compile(r"rtc_[0-9a-f]{16}"),
    "a page's text": re.compile(MARKER),
}
BUGS = (
    *("Traceback (most recent call last)", "was never retrieved", "was never awaited"),
    # The same, its text withheld (shared/core/logs.py).
    '"logger": "asyncio", "error"',
)


@dataclass
class LogCheck:
    """Reads each line once; keeps counts, and nothing of what it found but where."""

    lines: int = 0
    longest: int = 0
    found: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)

    def read_line(self, line: str) -> None:
        self.lines += 1
        self.longest = max(self.longest, len(line))
        for name, pattern in FORBIDDEN.items():
            if pattern.search(line):
                self.note(name, line)
        for name in BUGS:
            if name in line:
                self.note(name, line)

    def note(self, name: str, line: str) -> None:
        self.found[name] += 1
        # The level, the logger and the event; no values.
        self.first.setdefault(name, " ".join(line.partition("{")[0].split()[:6])[:80])

    def complaints(self) -> list[str]:
        return [
            f"the hosts' logs hold {name} ({number} lines, first: {self.first[name]})"
            for name, number in sorted(self.found.items())
        ]
