"""Reads JSON that somebody else wrote: upstream, or a page through it. Pure.

Python's own reader takes what is no JSON (NaN, Infinity, 1e999) and what no other program can do
anything with: lone surrogates, which cannot be encoded, and nesting so deep that walking it fails.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

DEEPEST = 100
"""Levels of brackets. A session with nested tool parameters has about ten."""


def read_json(text: str | bytes) -> Any:
    """The value in `text`. A lone surrogate is read as U+FFFD. Raises ValueError for anything that
    is not JSON or is nested deeper than `DEEPEST`, and nothing else."""
    try:
        if isinstance(text, bytes):
            text = text.decode()
        value = READER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    brackets = text.count("[") + text.count("{")
    # Only an escape can bring one in: UTF-8 has none.
    has_surrogates = "\\ud" in text or "\\uD" in text
    if brackets > DEEPEST or has_surrogates:
        return checked(value, DEEPEST)
    return value


def read_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object in `text`; {} for anything else."""
    try:
        value = read_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def finite_float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number without bounds")
    return value


READER = json.JSONDecoder(parse_constant=refuse_constant, parse_float=finite_float)


def checked(value: Any, levels: int) -> Any:
    """`value` with texts that can be encoded. Raises ValueError below `levels` of nesting."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict | list) and not levels:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {well_formed(name): checked(inner, levels - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [checked(inner, levels - 1) for inner in value]
    return value


def well_formed(text: str) -> str:
    """`text` without lone surrogates."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
