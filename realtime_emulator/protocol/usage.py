"""Token counts: plausible, repeatable and consistent with their totals, but not a tokenizer's.

Text counts one token per four characters, rounded up; the user's audio ten a second and the
assistant's twenty, the rates that OpenAI documents for realtime audio. Input that an earlier
response of the call has read counts as cached, in blocks of 64 as in recorded live traffic.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

CHARACTERS_PER_TOKEN = 4
INPUT_AUDIO_PER_SECOND = 10
OUTPUT_AUDIO_PER_SECOND = 20
CACHE_BLOCK = 64


@dataclass(frozen=True, slots=True)
class Tokens:
    """Text and audio tokens."""

    text: int = 0
    audio: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def total(self) -> int:
        return self.text + self.audio


def of_text(text: str) -> Tokens:
    return Tokens(text=math.ceil(len(text) / CHARACTERS_PER_TOKEN))


def of_input_audio(duration: timedelta) -> Tokens:
    return Tokens(audio=math.ceil(duration.total_seconds() * INPUT_AUDIO_PER_SECOND))


def of_output_audio(duration: timedelta) -> Tokens:
    return Tokens(audio=math.ceil(duration.total_seconds() * OUTPUT_AUDIO_PER_SECOND))


def of_instructions(instructions: str, tools: list[Any]) -> Tokens:
    """The part of the context that precedes the conversation."""
    return of_text(instructions) + (of_text(json.dumps(tools)) if tools else Tokens())


def cached(seen: Tokens, read: Tokens) -> Tokens:
    """How much of the `read` input was `seen` by an earlier response, in whole blocks."""

    def blocks(before: int, now: int) -> int:
        return min(before, now) // CACHE_BLOCK * CACHE_BLOCK

    return Tokens(blocks(seen.text, read.text), blocks(seen.audio, read.audio))


def report(read: Tokens, made: Tokens, from_cache: Tokens) -> dict[str, Any]:
    """The `usage` of a response."""
    return {
        "total_tokens": read.total + made.total,
        "input_tokens": read.total,
        "output_tokens": made.total,
        "input_token_details": {
            "text_tokens": read.text,
            "audio_tokens": read.audio,
            "image_tokens": 0,
            "cached_tokens": from_cache.total,
            "cached_tokens_details": {
                "text_tokens": from_cache.text,
                "audio_tokens": from_cache.audio,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": made.text, "audio_tokens": made.audio},
    }


def add_reports(total: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The sum of two reports, number by number."""
    out = dict(total)
    for name, value in more.items():
        out[name] = (
            add_reports(out.get(name, {}), value)
            if isinstance(value, dict)
            else out.get(name, 0) + value
        )
    return out


ZERO = report(Tokens(), Tokens(), Tokens())
