"""Events that come once more: a sideband begins with the last few seconds of its session, and the
events in them have the ids that they had. Pure."""

from __future__ import annotations

from collections import defaultdict

from shared.core.bounded import BoundedSet
from shared.live.server_events import event_id_of
from shared.sideband.events import ServerEvent

REMEMBERED = 5_000
"""Of each kind: a few seconds of the busiest session have some hundreds. A page may have its
session tell of a mute as often as it likes, and words must not be forgotten for that."""


class Replays:
    """The events of one run."""

    def __init__(self) -> None:
        self.seen: defaultdict[type[ServerEvent], BoundedSet[str]] = defaultdict(
            lambda: BoundedSet(REMEMBERED)
        )

    def is_replayed(self, event: ServerEvent) -> bool:
        """Whether this run has had the event before."""
        event_id = event_id_of(event)
        if event_id is None:
            return False
        seen = self.seen[type(event)]
        if event_id in seen:
            return True
        seen.add(event_id)
        return False
