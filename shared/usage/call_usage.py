"""What one call has used: its responses and the transcriptions of its caller, or the seconds and
the delegated work of a Live call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.core.bounded import BoundedSet
from shared.usage.counted_models import counted_as
from shared.usage.live_usage import LiveUsage
from shared.usage.tokens import ZERO, Usage
from shared.usage.transcription import NOTHING, TranscriptionUsage

MOST_COUNTED = 20_000
"""How many responses, and how many transcriptions, of a call are remembered."""


@dataclass(frozen=True, slots=True)
class CallUsage:
    """What a call has used since its start.

    `responses` is what its model used, and `model` what the session says that it is: on Azure a
    deployment may have any name. `transcriptions` is by the name of their model. `live` is there
    for a Live call, which has neither: `model` is its voice's.
    """

    responses: Usage = ZERO
    model: str | None = None
    transcriptions: Mapping[str, TranscriptionUsage] = field(default_factory=dict)
    live: LiveUsage | None = None

    @property
    def tokens(self) -> Usage:
        """The tokens of its responses: of a Live call, those of the work that it delegated."""
        return self.responses if self.live is None else self.responses + self.live.tokens

    def counts(self) -> dict[str, int | float]:
        """The tokens by kind, without zeros, and the time of a Live call, as in its record."""
        return {**self.tokens.counts(), **(self.live.time_counts() if self.live else {})}

    @property
    def transcribed(self) -> TranscriptionUsage:
        """What all transcriptions used."""
        return sum(self.transcriptions.values(), NOTHING)

    @property
    def total(self) -> int:
        """All tokens, those of transcriptions included."""
        return self.tokens.total + self.transcribed.total


NOTHING_USED = CallUsage()


class UsageCounter:
    """The usage of one call. Each response and each transcription counts once, however often it is
    reported. `model` is the latest that the session told."""

    def __init__(self) -> None:
        self.counted: BoundedSet[str] = BoundedSet(MOST_COUNTED)
        self.transcribed: BoundedSet[str] = BoundedSet(MOST_COUNTED)
        self.usage = ZERO
        self.model: str | None = None
        self.transcriptions: dict[str, TranscriptionUsage] = {}

    def count_response(self, response_id: str, usage: Usage) -> bool:
        """Counts a response; returns False if it was counted before."""
        if response_id in self.counted:
            return False
        self.counted.add(response_id)
        self.usage += usage
        return True

    def count_transcription(self, item_id: str, model: str, usage: TranscriptionUsage) -> bool:
        """Counts the transcription of an item; returns False if it was counted before."""
        if item_id in self.transcribed:
            return False
        self.transcribed.add(item_id)
        model = counted_as(model, self.transcriptions)
        self.transcriptions[model] = self.transcriptions.get(model, NOTHING) + usage
        return True

    def call_usage(self) -> CallUsage:
        """All that the call has used so far."""
        return CallUsage(self.usage, self.model, dict(self.transcriptions))
