"""What a problem code means."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a problem code means: the HTTP status, a short title and what the reader can do."""

    status: int
    title: str
    hint: str
