"""Recorded traffic of the Live API (tests/fixtures/live/README.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "fixtures" / "live"
NAMES = tuple(sorted(path.name for path in FOLDER.glob("*.jsonl")))
SAMPLES = "AAAA" * 3200
"""In place of the audio that the recordings leave out: 200 ms of silence."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame: `at` is the time since the connection in seconds, 0 where it was not recorded."""

    at: float
    is_from_service: bool
    data: dict[str, Any]


def frames(name: str) -> Iterator[Frame]:
    """The frames of a recording, with audio where it was left out."""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        content = json.loads(line)
        data = content.get("data") or {}
        if "type" not in data:
            continue
        for field in ("audio", "delta"):
            if data.get(field) == "~":
                data[field] = SAMPLES
        yield Frame(content.get("at", 0.0), content["dir"] == "in", data)


def server_events(name: str) -> Iterator[Frame]:
    """The frames from the service."""
    return (frame for frame in frames(name) if frame.is_from_service)
