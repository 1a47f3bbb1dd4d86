"""How long the turns of a call waited for their answers, by its record. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.core.untrusted import finite
from shared.transcripts.record_lines import LATENCY, StoredLine, format_time


@dataclass(frozen=True, slots=True)
class AnsweredTurn:
    """A turn whose answer was heard at `at`; `item_id` is that answer in the transcript, where it
    is known."""

    at: datetime
    latency_ms: int
    item_id: str = ""

    def to_json(self) -> dict[str, Any]:
        """The turn as JSON."""
        item = {"item_id": self.item_id} if self.item_id else {}
        return {"at": format_time(self.at), "ms": self.latency_ms, **item}


def answered_turns(lines: Iterable[StoredLine]) -> tuple[AnsweredTurn, ...]:
    """The turns of a record. Those of a record that was deleted are only counted there."""
    return tuple(
        AnsweredTurn(line.at, round(latency), str(line.fields.get("item") or ""))
        for line in lines
        if line.kind == LATENCY and (latency := finite(line.fields.get("ms"))) is not None
    )
