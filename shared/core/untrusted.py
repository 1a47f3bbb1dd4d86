"""Values from elsewhere, made safe to keep: bounded, and encodable as JSON. Pure.

A page puts text of its own into what the model's endpoint sends (ids, names, content), and any of
it may be long, empty, not Unicode or of another type than expected.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Container, Mapping
from typing import Any

from shared.core.json_reader import well_formed

TEXT_CHARACTERS = 32_000
"""The longest text of an item that is kept: twice the longest answer (4,096 tokens)."""
NAME_CHARACTERS = 128
PLAIN_ID = re.compile(r"[!-~]{1,128}")
LARGEST_NUMBER = 2**53
"""The largest whole number that every reader of JSON understands."""
LONGEST_MILLISECONDS = 24 * 3_600_000
LONGEST_PATH = 200
"""The longest path of a field that is shown, in characters."""
INDEX = re.compile(r"\[[0-9]{1,4}\]")
DEEPEST = 8
"""How deep a value of a record's line may be nested."""


def clean_text(text: str, limit: int = TEXT_CHARACTERS) -> str:
    """The first `limit` characters; what is not Unicode (a lone surrogate) becomes U+FFFD."""
    return well_formed(text[:limit])


def bounded_id(text: str) -> str:
    """An id as it is kept. One that no service would give (over 128 characters, empty, or not
    printable ASCII) is abbreviated to its beginning and its hash, with a space in between: no other
    id has one, so no two ids become one."""
    if PLAIN_ID.fullmatch(text):
        return text
    readable = re.sub(r"[^!-~]", "", text[:40])
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable} sha256:{digest[:24]}"


def hashed(name: str) -> str:
    """What stands for a name that may be anybody's words: it tells two of them apart, and no
    more."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"unknown #{digest[:8]}"


def shown_path(path: object, names: Container[str]) -> str | None:
    """The path of a field as far as its names are among `names`, and the hash of the whole after
    that: a page chooses the names of the fields that it sends. None where there is no path."""
    if path is None or path == "":
        return None
    text = str(path)
    shown: list[str] = []
    for name in text[:LONGEST_PATH].split("."):
        if INDEX.sub("", name) not in names:
            return ".".join([*shown, hashed(text)])
        shown.append(name)
    return ".".join(shown) if len(text) <= LONGEST_PATH else hashed(text)


def is_abbreviated(name: str) -> bool:
    """Whether `bounded_id` has abbreviated that id, so that the endpoint does not know it."""
    return " " in name


def finite(value: Any) -> float | int | None:
    """A number that JSON has, within 53 bits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return max(-LARGEST_NUMBER, min(value, LARGEST_NUMBER))


def is_count(value: Any) -> bool:
    """Whether it is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def storable(value: Any, depth: int = DEEPEST) -> Any:
    """A value of JSON's types that can be encoded, whatever it was."""
    if isinstance(value, str):
        # As long as it is: it has been cut where it came in.
        return clean_text(value, len(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return finite(value)
    if depth and isinstance(value, Mapping):
        return {
            clean_text(str(name), NAME_CHARACTERS): storable(inner, depth - 1)
            for name, inner in value.items()
        }
    if depth and isinstance(value, list | tuple):
        return [storable(inner, depth - 1) for inner in value]
    return None
