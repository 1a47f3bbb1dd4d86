"""Hands each server event of a call to those who act on it. A failure costs that event alone."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path

from shared.core import logs
from shared.observer.controller import CallController
from shared.observer.gaps import GapKeeper
from shared.observer.run_context import RunContext
from shared.realtime.item_origins import PROBE, UNKNOWN
from shared.realtime.server_events import ItemDeleted, ItemEvent, ItemRetrieved, ItemTruncated
from shared.sideband.events import NotUnderstood, ServerEvent

LOGGED_AT_MOST = 20
"""In one run: a page decides how many there are."""


class EventDispatch:
    """Records an event, requests what it shows to be missing, and lets the controller act on it, in
    this order."""

    def __init__(self, context: RunContext, gaps: GapKeeper, controller: CallController) -> None:
        self.context = context
        self.gaps = gaps
        self.controller = controller
        self.logged = 0

    def handle_event(self, event: ServerEvent) -> None:
        """Never raises: what is not understood costs this event, not the call."""
        was_missed = isinstance(event, ItemRetrieved) and self.gaps.has_requested(event.item.id)
        self.attempt(event, lambda: self.context.recorder.record_event(event))
        origin = self.origin_of(event)
        self.attempt(event, lambda: self.request_missing(event))
        self.attempt(event, lambda: self.controller.watch_steering(event, origin))
        self.attempt(
            event, lambda: self.controller.handle_server_event(event, was_missed=was_missed)
        )
        if isinstance(event, NotUnderstood):
            self.log_unread(event.type, event.reason)

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

    def attempt(self, event: ServerEvent, step: Callable[[], None]) -> None:
        """One step of handling an event. A fault of ours must not end the record of the call."""
        try:
            step()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            fault = NotUnderstood(event.type, type(error).__name__)
            try:
                self.context.recorder.record_event(fault)
            finally:
                self.log_unread(event.type, type(error).__name__, place)

    def log_unread(self, kind: str, reason: str, place: str = "") -> None:
        self.logged += 1
        if self.logged <= LOGGED_AT_MOST:
            logs.event(
                "server event not understood",
                logging.WARNING,
                type=kind,
                reason=reason,
                place=place,
            )
