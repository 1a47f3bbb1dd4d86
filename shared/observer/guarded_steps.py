"""Steps of handling an event, of which a failure costs that event alone."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

from shared.core import logs
from shared.observer.recorder import CallRecorder
from shared.sideband.events import NotUnderstood, ServerEvent

P = ParamSpec("P")
LOGGED_AT_MOST = 20
"""In one run: a page decides how many there are."""


class GuardedSteps:
    """Runs steps; what fails is on record as an event that was not understood."""

    def __init__(self, recorder: CallRecorder) -> None:
        self.recorder = recorder
        self.logged = 0

    def attempt(
        self, event: ServerEvent, step: Callable[P, None], *args: P.args, **named: P.kwargs
    ) -> None:
        """One step of handling an event. A fault of ours must not end the record of the call."""
        try:
            step(*args, **named)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            fault = NotUnderstood(event.type, type(error).__name__)
            try:
                self.recorder.record_event(fault)
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
