"""Shapes of JSON values that are checked in passes, as the Live API does.

Its order: unknown names at any depth, then types and values, then limits. Each pass of a shape
goes over the whole value and raises Invalid for the first thing wrong. `param` is a path such as
`session.delegation.responses.tools[0].name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from realtime_emulator.protocol.validators import (
    Invalid,
    kind_of,
    missing,
    not_one_of,
    unknown,
)


class Shape(Protocol):
    """What a value has to look like."""

    def find_unknown(self, value: Any, path: str) -> None:
        """Raises Invalid `unknown_parameter` for a name that the shape does not have."""
        ...

    def check_value(self, value: Any, path: str) -> None:
        """Raises Invalid for what is missing, has a wrong type or is not among the choices."""
        ...


def wrong_type(value: Any, path: str, expected: str) -> Invalid:
    message = f"Invalid type for '{path}': expected {expected}, but got {kind_of(value)} instead."
    return Invalid("invalid_value", message, path)


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


class Anything:
    """Every JSON value."""

    def find_unknown(self, value: Any, path: str) -> None: ...

    def check_value(self, value: Any, path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, boolean or number; `choices` are the only strings allowed."""

    kind: type | tuple[type, ...]
    name: str
    choices: tuple[str, ...] = ()

    def find_unknown(self, value: Any, path: str) -> None: ...

    def check_value(self, value: Any, path: str) -> None:
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise wrong_type(value, path, self.name)
        if self.choices and value not in self.choices:
            raise not_one_of(value, path, self.choices)


@dataclass(frozen=True, slots=True)
class Nullable:
    """`null`, or what `inner` takes."""

    inner: Shape

    def find_unknown(self, value: Any, path: str) -> None:
        if value is not None:
            self.inner.find_unknown(value, path)

    def check_value(self, value: Any, path: str) -> None:
        if value is not None:
            self.inner.check_value(value, path)


@dataclass(frozen=True, slots=True)
class Array:
    """A list of `inner`."""

    inner: Shape

    def find_unknown(self, value: Any, path: str) -> None:
        for index, element in enumerate(value if isinstance(value, list) else ()):
            self.inner.find_unknown(element, f"{path}[{index}]")

    def check_value(self, value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise wrong_type(value, path, "an array")
        for index, element in enumerate(value):
            self.inner.check_value(element, f"{path}[{index}]")


@dataclass(frozen=True, slots=True)
class Either:
    """`text` for a string, `other` for anything else."""

    text: Shape
    other: Shape

    def chosen(self, value: Any) -> Shape:
        return self.text if isinstance(value, str) else self.other

    def find_unknown(self, value: Any, path: str) -> None:
        self.chosen(value).find_unknown(value, path)

    def check_value(self, value: Any, path: str) -> None:
        self.chosen(value).check_value(value, path)


@dataclass(frozen=True, slots=True)
class Object:
    """An object with these fields and no others, or with any where `is_open`."""

    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    is_open: bool = False

    def find_unknown(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            return
        for name, inner in value.items():
            if name in self.fields:
                self.fields[name].find_unknown(inner, join(path, name))
            elif not self.is_open:
                raise unknown(join(path, name))

    def check_value(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        for name in self.required:
            if name not in value:
                raise missing(join(path, name))
        for name, inner in value.items():
            if name in self.fields:
                self.fields[name].check_value(inner, join(path, name))

    def without(self, *names: str) -> Object:
        """The same without these fields, which are unknown then."""
        kept = {name: shape for name, shape in self.fields.items() if name not in names}
        return Object(kept, tuple(n for n in self.required if n not in names), self.is_open)

    def having(self, **fields: Shape) -> Object:
        """The same with other fields in the place of, or beside, its own."""
        return Object({**self.fields, **fields}, self.required, self.is_open)


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object whose `tag` says which of `variants` it is; `default` where it has none."""

    variants: Mapping[str, Object]
    tag: str = "type"
    default: str | None = None

    def variant(self, value: dict[str, Any]) -> Object | None:
        name = value.get(self.tag, self.default)
        return self.variants.get(name) if isinstance(name, str) else None

    def find_unknown(self, value: Any, path: str) -> None:
        variant = self.variant(value) if isinstance(value, dict) else None
        if variant is not None:
            variant.find_unknown(value, path)

    def check_value(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, path, "an object")
        if self.tag not in value and self.default is None:
            raise missing(join(path, self.tag))
        variant = self.variant(value)
        if variant is None:
            raise not_one_of(value[self.tag], join(path, self.tag), tuple(self.variants))
        variant.check_value(value, path)


ANYTHING = Anything()
TEXT = Scalar(str, "a string")
BOOLEAN = Scalar(bool, "a boolean")
INTEGER = Scalar(int, "an integer")
NUMBER = Scalar((int, float), "a decimal")
MAPPING = Object(is_open=True)


def choice(*allowed: str) -> Scalar:
    """One of these strings."""
    return Scalar(str, "a string", allowed)
