"""Hands each server event of a call to those who act on it. A failure costs that event alone."""

from __future__ import annotations

from dataclasses import replace

from shared.core import logs
from shared.observer.guarded_steps import GuardedSteps
from shared.observer.realtime.controller import CallController
from shared.observer.realtime.item_gaps import ItemGaps
from shared.observer.realtime.run_context import RealtimeContext
from shared.realtime.item_origins import PROBE, UNKNOWN
from shared.realtime.known_names import known_code, known_path
from shared.realtime.server_events import (
    ItemDeleted,
    ItemEvent,
    ItemRetrieved,
    ItemTruncated,
    OutputTextDelta,
)
from shared.sideband.events import ErrorEvent, NotUnderstood, ServerEvent

WORDS_AT_ONCE = 16
"""Each is at most 32,000 characters."""
LOGGED_ERRORS = 50
"""In one run: a page decides how many there are, and the record has them."""


class EventDispatch:
    """Records an event, requests what it shows to be missing, and lets the controller act on it, in
    this order."""

    def __init__(
        self, context: RealtimeContext, gaps: ItemGaps, controller: CallController
    ) -> None:
        self.context = context
        self.gaps = gaps
        self.controller = controller
        self.steps = GuardedSteps(context.recorder)
        self.errors = 0
        self.words: list[OutputTextDelta] = []
        """Of one answer, that are not recorded yet."""

    def handle_event(self, event: ServerEvent) -> None:
        """Never raises: what is not understood costs this event, not the call."""
        if type(event) is OutputTextDelta:
            self.handle_delta(event)
            return
        self.record_words()
        was_missed = isinstance(event, ItemRetrieved) and self.gaps.has_requested(event.item.id)
        attempt = self.steps.attempt
        attempt(event, self.context.recorder.record_event, event)
        origin = self.origin_of(event)
        attempt(event, self.request_missing, event)
        attempt(event, self.controller.watch_steering, event, origin)
        attempt(event, self.controller.handle_server_event, event, was_missed=was_missed)
        if isinstance(event, NotUnderstood):
            self.steps.log_unread(event.type, event.reason)
        elif isinstance(event, ErrorEvent):
            self.log_error(event)

    def handle_delta(self, event: OutputTextDelta) -> None:
        """Words of an answer: most of what comes, and nobody but the recorder makes anything of
        them, and only when something else comes."""
        words = self.words
        if words and (words[0].item_id != event.item_id or len(words) >= WORDS_AT_ONCE):
            self.record_words()
        self.words.append(event)
        self.steps.attempt(event, self.controller.event_passed)

    def record_words(self) -> None:
        """Records the words that have come since anything else did."""
        if not self.words:
            return
        words, self.words = self.words, []
        first = words[0]
        event = replace(first, delta="".join(each.delta for each in words))
        self.steps.attempt(event, self.context.recorder.record_event, event)

    def origin_of(self, event: ServerEvent) -> str:
        """Who wrote the item that an event is about, or truncated it."""
        mapper = self.context.recorder.mapper
        match event:
            case ItemEvent(item=item):
                item_id = item.id
            case ItemDeleted(item_id=item_id):
                pass
            case ItemTruncated():
                return mapper.origins.truncated_by
            case _:
                return UNKNOWN
        key = mapper.keys.key_of(item_id)
        if key in mapper.origins.probes:
            return PROBE
        return mapper.origins.proven.get(key, mapper.stated.of(key))

    def request_missing(self, event: ServerEvent) -> None:
        for request in self.gaps.requests_for(event):
            self.context.send_in_background(request)

    def log_error(self, error: ErrorEvent) -> None:
        self.errors += 1
        if self.errors <= LOGGED_ERRORS:
            code, param = known_code(error.code), known_path(error.param)
            logs.event("error event received", code=code, param=param)
