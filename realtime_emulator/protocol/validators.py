"""Checks of JSON values, with the live API's error codes and messages.

A check takes a value and its path (`session.audio.output.voice`) and raises Invalid or returns.
Checks compose: `obj({"seconds": integer(10, 7200)})`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]


class Invalid(ValueError):
    """A value that the API refuses: an error code, a message and the path of the parameter."""

    def __init__(self, code: str, message: str, param: str | None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def kind_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def wrong_type(value: Any, path: str, expected: str) -> Invalid:
    message = f"Invalid type for '{path}': expected {expected}, but got {kind_of(value)} instead."
    return Invalid("invalid_type", message, path)


def missing(path: str) -> Invalid:
    return Invalid("missing_required_parameter", f"Missing required parameter: '{path}'.", path)


def unknown(path: str) -> Invalid:
    return Invalid("unknown_parameter", f"Unknown parameter: '{path}'.", path)


def not_one_of(value: Any, path: str, allowed: tuple[str, ...]) -> Invalid:
    names = [f"'{name}'" for name in allowed]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])}, and {names[-1]}"
    message = f"Invalid value: '{value}'. Supported values are: {listed}."
    return Invalid("invalid_value", message, path)


def anything(value: Any, path: str) -> None:
    """Accepts every JSON value."""


def string(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise wrong_type(value, path, "a string")


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise wrong_type(value, path, "a boolean")


def number(low: float, high: float, *, whole: bool = False) -> Check:
    """A number from `low` to `high`; `whole` refuses decimals."""
    word = "integer" if whole else "decimal"

    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise wrong_type(value, path, "an integer" if whole else "a decimal")
        if value != value or not low <= value <= high:
            above = not value < low
            side, sign, edge = (
                ("above maximum", "<=", high) if above else ("below minimum", ">=", low)
            )
            code = f"{word}_{'above_max' if above else 'below_min'}_value"
            message = (
                f"Invalid '{path}': {word} {side} value. "
                f"Expected a value {sign} {edge:g}, but got {value} instead."
            )
            raise Invalid(code, message, path)

    return check


def integer(low: int, high: int) -> Check:
    return number(low, high, whole=True)


def choice(*allowed: str) -> Check:
    """One of these strings."""

    def check(value: Any, path: str) -> None:
        if value not in allowed:
            raise not_one_of(value, path, allowed)

    return check


def nullable(inner: Check) -> Check:
    """`null`, or what `inner` accepts."""

    def check(value: Any, path: str) -> None:
        if value is not None:
            inner(value, path)

    return check


def array(inner: Check) -> Check:
    """A list whose elements `inner` accepts."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(value, path, "an array")
        for index, element in enumerate(value):
            inner(element, f"{path}[{index}]")

    return check


def either(*, text: Check, other: Check) -> Check:
    """`text` for a string, `other` for anything else."""

    def check(value: Any, path: str) -> None:
        (text if isinstance(value, str) else other)(value, path)

    return check


def obj(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """An object with these fields and no others."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        prefix = f"{path}." if path else ""
        for name in required:
            if name not in value:
                raise missing(prefix + name)
        for name, field in value.items():
            if name not in fields:
                raise unknown(prefix + name)
            fields[name](field, prefix + name)

    return check


def mapping(inner: Check) -> Check:
    """An object with any names, whose values `inner` accepts."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        for name, field in value.items():
            inner(field, f"{path}.{name}")

    return check


def tagged(variants: Mapping[str, Check], *, tag: str = "type") -> Check:
    """An object whose `tag` says which of `variants` must accept it."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        if tag not in value:
            raise missing(f"{path}.{tag}")
        variant = variants.get(value[tag]) if isinstance(value[tag], str) else None
        if variant is None:
            raise not_one_of(value[tag], f"{path}.{tag}", tuple(variants))
        variant(value, path)

    return check
