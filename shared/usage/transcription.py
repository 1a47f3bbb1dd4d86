"""What transcribing the caller takes: tokens or seconds, as the API reports them. Pure.

A transcription is a model's work of its own, beside the response (recorded live traffic; reports
of bills say that it adds 12 to 24 % to a call). Its `usage` is in
`conversation.item.input_audio_transcription.completed`: `{"type": "tokens", …}` or
`{"type": "duration", "seconds": …}`, whichever the model is billed by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from shared.core.untrusted import finite
from shared.usage.tokens import MOST_TOKENS, count, mapping

TYPES = ("tokens", "duration")
COUNTS = ("seconds", "total_tokens", "input_tokens", "output_tokens")
SPLIT = ("text_tokens", "audio_tokens")
SECONDS_DIGITS = 3


@dataclass(frozen=True, slots=True)
class TranscriptionUsage:
    """What transcriptions took. `unsplit_in` are input tokens whose kind the endpoint did not name;
    `unmeasured` is the number of transcriptions of which it told nothing."""

    text_in: int = 0
    audio_in: int = 0
    unsplit_in: int = 0
    text_out: int = 0
    seconds: float = 0
    unmeasured: int = 0

    def __add__(self, other: TranscriptionUsage) -> TranscriptionUsage:
        # Rounded, because sums of tenths of a second are not exact.
        return TranscriptionUsage(
            *(
                round(getattr(self, f.name) + getattr(other, f.name), SECONDS_DIGITS)
                for f in fields(self)
            )
        )

    @property
    def total(self) -> int:
        """All tokens."""
        return self.text_in + self.audio_in + self.unsplit_in + self.text_out

    def counts(self) -> dict[str, int | float]:
        """The counts by name, as in a call's record, without zeros."""
        return {name: number for name in KINDS if (number := getattr(self, name))}


NOTHING = TranscriptionUsage()
KINDS = tuple(each.name for each in fields(TranscriptionUsage))


def usage_of_transcription(told: object) -> dict[str, int | float | str] | None:
    """What a transcription took, as it is recorded: in the API's own names and units. None where
    the endpoint does not say."""
    told = mapping(told)
    split = mapping(told.get("input_token_details"))
    numbers = {name: finite(told.get(name)) for name in COUNTS}
    numbers |= {name: finite(split.get(name)) for name in SPLIT}
    found: dict[str, int | float | str] = {
        name: min(number, MOST_TOKENS) for name, number in numbers.items() if number and number > 0
    }
    if told.get("type") in TYPES:
        found["type"] = told["type"]
    return found or None


def transcription_usage_of(recorded: Mapping[str, Any]) -> TranscriptionUsage:
    """The usage in what `usage_of_transcription` gives; also of lines without the split, which
    earlier releases wrote."""
    text, audio = count(recorded, "text_tokens"), count(recorded, "audio_tokens")
    made = count(recorded, "output_tokens")
    read = count(recorded, "input_tokens") or max(0, count(recorded, "total_tokens") - made)
    seconds = finite(recorded.get("seconds")) or 0
    return TranscriptionUsage(
        text_in=text,
        audio_in=audio,
        unsplit_in=max(0, read - text - audio),
        text_out=made,
        seconds=round(max(0, min(seconds, MOST_TOKENS)), SECONDS_DIGITS),
        unmeasured=count(recorded, "unmeasured"),
    )


def recorded_fields(usage: TranscriptionUsage) -> dict[str, int | float]:
    """What `transcription_usage_of` reads: a usage as a line of a record has it."""
    fields_of_line = {
        "seconds": usage.seconds,
        "input_tokens": usage.text_in + usage.audio_in + usage.unsplit_in,
        "output_tokens": usage.text_out,
        "text_tokens": usage.text_in,
        "audio_tokens": usage.audio_in,
        "unmeasured": usage.unmeasured,
    }
    return {name: number for name, number in fields_of_line.items() if number}
