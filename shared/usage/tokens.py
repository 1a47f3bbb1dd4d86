"""Tokens by kind, from `response.done`. Pure.

The numbers are those of the API's `usage` (recorded live traffic): input and output are split into
text, audio and images, and cached tokens are part of the input, not added to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from shared.core.untrusted import finite


@dataclass(frozen=True, slots=True)
class Usage:
    """The number of tokens of each kind. `cached_…` are those of `…_in` that came from the cache;
    `written_text` are those of `text_in` that were put into it, for which some models charge more;
    `unsplit_…` are tokens that the endpoint counted without naming their kind."""

    text_in: int = 0
    audio_in: int = 0
    image_in: int = 0
    cached_text: int = 0
    cached_audio: int = 0
    cached_image: int = 0
    text_out: int = 0
    audio_out: int = 0
    unsplit_in: int = 0
    unsplit_out: int = 0
    written_text: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def tokens_in(self) -> int:
        """All input tokens."""
        return self.text_in + self.audio_in + self.image_in + self.unsplit_in

    @property
    def tokens_out(self) -> int:
        """All output tokens."""
        return self.text_out + self.audio_out + self.unsplit_out

    @property
    def total(self) -> int:
        """All tokens, cached ones included."""
        return self.tokens_in + self.tokens_out

    @property
    def cached(self) -> int:
        """The input tokens that came from the cache."""
        return self.cached_text + self.cached_audio + self.cached_image

    def counts(self) -> dict[str, int]:
        """The counts by name, without zeros."""
        return {name: number for name in KINDS if (number := getattr(self, name))}


KINDS = tuple(each.name for each in fields(Usage))
ZERO = Usage()
MOST_TOKENS = 1_000_000_000
"""The most tokens of a kind that one response is believed to have used: sums of these fit the 64
bits of a table's column."""


def usage_of_response(response: Mapping[str, Any]) -> Usage:
    """The usage of a response in `response.done`; zero where the endpoint sends none."""
    told = mapping(response.get("usage"))
    read, made = mapping(told.get("input_token_details")), mapping(told.get("output_token_details"))
    text, audio = count(read, "text_tokens"), count(read, "audio_tokens")
    image = count(read, "image_tokens")
    text_out, audio_out = count(made, "text_tokens"), count(made, "audio_tokens")
    cached_text, cached_audio, cached_image = cached(read, text, audio, image)
    return Usage(
        text_in=text,
        audio_in=audio,
        image_in=image,
        cached_text=cached_text,
        cached_audio=cached_audio,
        cached_image=cached_image,
        text_out=text_out,
        audio_out=audio_out,
        unsplit_in=max(0, count(told, "input_tokens") - text - audio - image),
        unsplit_out=max(0, count(told, "output_tokens") - text_out - audio_out),
    )


def cached(read: Mapping[str, Any], text: int, audio: int, image: int) -> tuple[int, int, int]:
    """The cached tokens of each kind. Where the endpoint does not split them they count as text
    first, because text comes first in every context."""
    split = read.get("cached_tokens_details")
    if isinstance(split, Mapping):
        kinds = ("text_tokens", "audio_tokens", "image_tokens")
        of_text, of_audio, of_image = (count(split, kind) for kind in kinds)
        return min(of_text, text), min(of_audio, audio), min(of_image, image)
    left = count(read, "cached_tokens")
    of_text = min(left, text)
    of_audio = min(left - of_text, audio)
    return of_text, of_audio, min(left - of_text - of_audio, image)


def usage_of_counts(counts: Mapping[str, Any]) -> Usage:
    """The usage with these counts (see `Usage.counts`); unknown names are ignored."""
    return Usage(**{f.name: count(counts, f.name) for f in fields(Usage)})


def sum_usages(usages: Iterable[Usage]) -> Usage:
    """The sum of all."""
    return sum(usages, ZERO)


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def count(values: Mapping[str, Any], name: str) -> int:
    """A count, at most a billion; 0 for anything that is not a positive number."""
    number = finite(values.get(name))
    return 0 if number is None else max(0, min(int(number), MOST_TOKENS))
