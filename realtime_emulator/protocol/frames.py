"""WebSocket messages of a test's making."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """A WebSocket message to send as it is, whatever it holds."""

    payload: bytes
    binary: bool = False
