"""What a problem code means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a problem code means: the HTTP status, a short title and what the reader can do."""

    status: int
    title: str
    hint: str
