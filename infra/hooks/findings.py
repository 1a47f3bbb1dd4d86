"""What preflight finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """An error (`stops`) or a warning."""

    stops: bool
    message: str


def error(message: str) -> Finding:
    return Finding(True, message)


def warning(message: str) -> Finding:
    return Finding(False, message)
