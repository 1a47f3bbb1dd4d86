"""What host.json says about how the broker's functions are run.

In the broker's own app it says what they need. In an app of somebody else's it is theirs: what the
broker can adapt to, it adapts to, and of the rest it warns. A setting `AzureFunctionsJobHost__…`
overrides the file, as it does for Functions (Microsoft's 'host.json reference').
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.core.json_reader import read_object

OVERRIDES = "AzureFunctionsJobHost"
SHORTEST_DEFAULT = timedelta(minutes=5)
"""Of `functionTimeout`, on the Consumption plan. The other plans' is half an hour."""
USUAL_RUN = timedelta(minutes=50)
AROUND_A_RUN = timedelta(minutes=15)
"""How long a function may wait for storage before and after it follows a call."""
SLOW_POLLING = timedelta(seconds=4)
"""End messages are sent this early (calls/queue_messages.py)."""
TIMESPAN = re.compile(r"(?:(\d{1,6})\.)?(\d{1,6}):(\d{1,2}):(\d{1,2})(?:\.\d{1,7})?")


@dataclass(frozen=True, slots=True)
class HostFile:
    """`timeout` is that of a function; None: there is none. `at_once` is how many messages of one
    queue an instance handles at once, and so how many calls it follows; an idle queue is polled
    every `polled_every`."""

    timeout: timedelta | None
    at_once: int
    polled_every: timedelta
    encoding: str

    @property
    def longest_run(self) -> timedelta:
        """How long one run may follow a call: a function that runs out of time takes all others of
        its worker with it."""
        if self.timeout is None:
            return USUAL_RUN
        return min(USUAL_RUN, max(self.timeout - AROUND_A_RUN, self.timeout / 2))

    def warnings(self, capacity: int) -> list[str]:
        """What works, and not as well as it could where an instance may observe `capacity`
        calls."""
        found = []
        if self.at_once < capacity:
            found.append(
                f"host.json: an instance follows no more than {self.at_once} calls at once: raise "
                "newBatchThreshold of the queues."
            )
        if self.polled_every > SLOW_POLLING:
            seconds = f"{self.polled_every.total_seconds():g} s"
            found.append(
                f"host.json: an idle queue is looked at every {seconds}, so a call may go on for "
                "so long past its limit: set maxPollingInterval of the queues to 00:00:02."
            )
        return found


def read_host_file(root: Path, env: Mapping[str, str]) -> HostFile:
    """The host.json of the app in `root`, with Functions' defaults for what it does not say or says
    unreadably."""
    try:
        document = read_object((root / "host.json").read_text(encoding="utf-8-sig"))
    except OSError:
        document = {}
    queues = member(member(document, "extensions"), "queues")

    def value(section: Mapping[str, Any], *path: str) -> Any:
        return env.get("__".join((OVERRIDES, *path)), section.get(path[-1]))

    def of_queues(name: str) -> Any:
        return value(queues, "extensions", "queues", name)

    batch = whole_number(of_queues("batchSize"), 16)
    timeout = value(document, "functionTimeout")
    return HostFile(
        timeout=None if str(timeout) == "-1" else parse_timespan(timeout, SHORTEST_DEFAULT),
        at_once=batch + whole_number(of_queues("newBatchThreshold"), batch // 2),
        polled_every=parse_timespan(of_queues("maxPollingInterval"), timedelta(minutes=1)),
        encoding=str(of_queues("messageEncoding") or "base64").lower(),
    )


def member(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def whole_number(value: Any, default: int) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default


def parse_timespan(value: Any, default: timedelta) -> timedelta:
    """A .NET TimeSpan, `[d.]hh:mm:ss`."""
    found = TIMESPAN.fullmatch(str(value))
    if found is None:
        return default
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
