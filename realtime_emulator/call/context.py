"""The view of a call that its parts get."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from realtime_emulator.call.services import Services
from realtime_emulator.protocol import session
from realtime_emulator.protocol.events import Event
from realtime_emulator.protocol.journal import Journal

T = TypeVar("T")


class CallContext(Protocol):
    """A call as its dialogue, its audio buffers and its responses see it.

    They take this rather than `Call`, which is built from them and therefore imports them.
    """

    id: str
    services: Services
    session: session.Config
    journal: Journal

    def emit(self, event: Event) -> None:
        """Sends a server event to every observer, and to the caller if the filter lets it pass."""
        ...

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Starts a task that ends with the call at the latest."""
        ...
