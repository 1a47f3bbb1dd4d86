"""The fields of a server event, each bounded and of its type. What is required raises KeyError or
TypeError; what is only reported is left out where it is of another type. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.core.untrusted import NAME_CHARACTERS, bounded_id, clean_text, finite
from shared.sideband.events import Json, Scalar


def required_text(raw: Json, name: str) -> str:
    value = raw[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return clean_text(value)


def required_id(raw: Json, name: str) -> str:
    value = raw[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return bounded_id(value)


def optional_id(raw: Json, name: str) -> str | None:
    value = raw.get(name)
    return bounded_id(value) if isinstance(value, str) else None


def required_object(raw: Json, name: str) -> Json:
    value = raw[name]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is not an object")
    return value


def optional_object(raw: Json, name: str) -> Json:
    """An object, empty where it is missing or null."""
    return required_object(raw, name) if raw.get(name) else {}


def object_or_empty(raw: Json, name: str) -> Json:
    """An object that is only reported: empty where it is anything else."""
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def text(raw: Json, name: str) -> str | None:
    value = raw.get(name)
    return clean_text(value) if isinstance(value, str) else None


def name_text(raw: Json, name: str) -> str | None:
    value = raw.get(name)
    return clean_text(value, NAME_CHARACTERS) if isinstance(value, str) else None


def scalar(raw: Json, name: str) -> Scalar:
    value = raw.get(name)
    return clean_text(value, 4 * NAME_CHARACTERS) if isinstance(value, str) else finite(value)


def value_at(value: Any, path: Iterable[str]) -> Any:
    """What is at that path of objects, None where there is nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def objects(values: Any, limit: int) -> list[Json]:
    """The objects among the first `limit` elements of an array."""
    found = values[:limit] if isinstance(values, list) else ()
    return [value for value in found if isinstance(value, Mapping)]
