"""Delegated work that nobody has asked for aloud: a page asks for it with `response.create`, and
need not state an id. What it has asked for is shown to nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from shared.live.server_events import (
    USER,
    ContextAppended,
    DelegationCreated,
    TranscriptFragment,
)
from shared.observer.run_context import RunContext
from shared.sideband.events import ServerEvent
from shared.transcripts.record_lines import StoredLine

FRAGMENTS = 1_000
LATE_WORDS = timedelta(seconds=3)
"""How long the words that ask for work may come after it."""
LATE_MS = 500
"""How much later than the work they may be on the timeline."""
ONE_REQUEST_MS = 5_000
"""Work that is delegated within so long of other work may be asked for by the same words."""


class UnaskedWork:
    """The delegations of one call. `found` is told of each that nobody seems to have asked for."""

    def __init__(self, context: RunContext, found: Callable[[], None]) -> None:
        self.context = context
        self.found = found
        self.words: deque[tuple[int, int]] = deque(maxlen=FRAGMENTS)
        """Of the caller's: the number of each fragment, and where it begins."""
        self.heard = 0
        self.heard_before = 0
        """How many of them had come when work was last delegated."""
        self.request_offset: int | None = None
        """Where the first work began that may be asked for by the same words as the latest."""
        self.may_be_prompted = False
        """Whether something else may be why work is delegated: what a text that was appended says,
        or words that were said while nobody was connected."""

    def resume(self, lines: Sequence[StoredLine]) -> None:
        """Takes over a record: not all that was said need be in it."""
        self.may_be_prompted = bool(lines)

    def reconnected(self) -> None:
        """Some of what was said was not heard."""
        self.may_be_prompted = True

    def handle_event(self, event: ServerEvent, *, is_ours: bool) -> None:
        """To be given every event. `is_ours`: the server has asked for work that has not begun."""
        match event:
            case TranscriptFragment(speaker=speaker) if speaker == USER and event.text:
                self.heard += 1
                self.words.append((self.heard, event.start_ms))
            case ContextAppended():
                self.may_be_prompted = True
            case DelegationCreated():
                self.handle_delegation(event, is_ours=is_ours)

    def handle_delegation(self, event: DelegationCreated, *, is_ours: bool) -> None:
        since, until, begun = self.heard_before, event.offset_ms, self.request_offset
        is_told = self.may_be_prompted or is_ours or event.client_event_id is not None
        is_apart = begun is None or abs(until - begun) > ONE_REQUEST_MS
        self.request_offset = until if is_apart else begun
        self.heard_before, self.may_be_prompted = self.heard, False
        if event.target == "responses" and not is_told and is_apart:
            self.context.background.call_later(LATE_WORDS, lambda: self.check(since, until))

    def check(self, since: int, until: int) -> None:
        """Looks for words that have come since other work was delegated, and that precede this."""
        if not any(number > since and start <= until + LATE_MS for number, start in self.words):
            self.found()
