"""A function's signature and docstring -> the JSON Schema of its arguments, and checks for them.

Types: str, int, float, bool, Literal, Enum, list[...], Optional[...] of these, and
`dict[str, Any]`. The description of a parameter is the line `name: …` of the docstring; a line that
is indented deeper continues it.
"""

from __future__ import annotations

import enum
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union

Check = Callable[[Any, str], Any]
SECTION = re.compile(r"(?:args|arguments|parameters|params):?", re.IGNORECASE)
AFTER = re.compile(r"(?:returns?|raises|yields|examples?|notes?):.*", re.IGNORECASE)


class WrongArguments(Exception):
    """The model's arguments are invalid. The text is for the model."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The JSON Schema of a function's arguments, and the check of each."""

    schema: dict[str, Any]
    checks: Mapping[str, Check]

    def check_arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments for the function; those left out get their defaults. Raises WrongArguments,
        which names every mistake."""
        wrong = [f"There is no argument {name}." for name in given if name not in self.checks]
        wrong += [f"{name} is missing." for name in self.schema["required"] if name not in given]
        fitting: dict[str, Any] = {}
        for name, check in self.checks.items():
            if name not in given:
                continue
            try:
                fitting[name] = check(given[name], name)
            except WrongArguments as mistake:
                wrong.append(str(mistake))
        if wrong:
            raise WrongArguments(" ".join(wrong))
        return fitting


def parameters_of(function: Callable[..., Any]) -> tuple[str, Parameters]:
    """The function's description and its parameters. Raises TypeError or ValueError."""
    description, told = parse_docstring(function)
    hints = typing.get_type_hints(function)
    properties: dict[str, Any] = {}
    checks: dict[str, Check] = {}
    required: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        where = f"{function.__name__}({name})"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where}: a tool takes named parameters only")
        if name not in hints:
            raise TypeError(f"{where}: a tool's parameters need types")
        schema, checks[name] = json_schema_of(hints[name], where)
        if name in told:
            schema = {**schema, "description": told[name]}
        if parameter.default is parameter.empty:
            required.append(name)
        elif parameter.default is not None:
            default = parameter.default
            schema["default"] = default.value if isinstance(default, enum.Enum) else default
        properties[name] = schema
    if strangers := set(told) - set(properties):
        raise ValueError(f"{function.__name__}: described but not parameters: {sorted(strangers)}")
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return description, Parameters(schema, checks)


def parse_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What a docstring says about the function, and about each parameter."""
    lines = inspect.cleandoc(function.__doc__ or "").splitlines()
    names = set(inspect.signature(function).parameters)
    description: list[str] = []
    told: dict[str, str] = {}
    current: str | None = None
    inside = False
    for line in lines:
        text = line.strip()
        if AFTER.fullmatch(text):
            break
        if SECTION.fullmatch(text):
            inside = True
            continue
        match = re.fullmatch(r"(\w+)(?:\s*\([^)]*\))?:\s+(.+)", text)
        if match and (inside or match[1] in names):
            current = match[1]
            told[current] = match[2]
        elif current and text and line[:1].isspace():
            told[current] += f" {text}"
        elif text:
            current = None
            description.append(text)
    if not description:
        raise ValueError(f"{function.__name__}: a tool needs a docstring that says what it does")
    return " ".join(description), told


def json_schema_of(hint: Any, where: str) -> tuple[dict[str, Any], Check]:
    """The schema of a type, and its check. Raises TypeError for a type without a schema."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in SIMPLE:
        kind, check = SIMPLE[hint]
        return {"type": kind}, check
    if origin is Literal:
        return enum_schema({value: value for value in arguments})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return enum_schema({member.value: member for member in hint})
    if origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        inner = next(each for each in arguments if each is not type(None))
        schema, check = json_schema_of(inner, where)
        return or_null(schema), lambda value, name: None if value is None else check(value, name)
    if origin is list and len(arguments) == 1:
        schema, check = json_schema_of(arguments[0], where)
        return {"type": "array", "items": schema}, check_of_list(check)
    if hint is dict or (origin is dict and arguments == (str, Any)):
        return {"type": "object"}, check_object
    raise TypeError(f"{where}: no JSON Schema for the type {hint!r}")


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, with null allowed too."""
    out = {**schema, "type": [schema["type"], "null"]} if "type" in schema else dict(schema)
    if "enum" in out:
        out["enum"] = [*out["enum"], None]
    return out


def enum_schema(values: Mapping[Any, Any]) -> tuple[dict[str, Any], Check]:
    kinds = {type(value) for value in values}
    names = {str: "string", int: "integer"}
    kind = next(iter(kinds), None)
    if len(kinds) != 1 or kind not in names:
        raise TypeError("the values are all strings or all integers")

    def check(value: Any, name: str) -> Any:
        if type(value) is not kind or value not in values:
            raise WrongArguments(f"{name} must be one of: {', '.join(map(str, values))}.")
        return values[value]

    return {"type": names[kind], "enum": list(values)}, check


def check_of_list(check: Check) -> Check:
    def check_all(value: Any, name: str) -> Any:
        if not isinstance(value, list):
            raise WrongArguments(f"{name} must be a list.")
        return [check(each, f"{name}[{index}]") for index, each in enumerate(value)]

    return check_all


def check_object(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        raise WrongArguments(f"{name} must be an object.")
    return value


def check_string(value: Any, name: str) -> Any:
    if not isinstance(value, str):
        raise WrongArguments(f"{name} must be text.")
    return value


def check_integer(value: Any, name: str) -> Any:
    """JSON Schema counts 2.0 as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongArguments(f"{name} must be a whole number.")
    return value


def check_number(value: Any, name: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise WrongArguments(f"{name} must be a number.")
    return float(value)


def check_boolean(value: Any, name: str) -> Any:
    if not isinstance(value, bool):
        raise WrongArguments(f"{name} must be true or false.")
    return value


SIMPLE: Mapping[Any, tuple[str, Check]] = {
    str: ("string", check_string),
    int: ("integer", check_integer),
    float: ("number", check_number),
    bool: ("boolean", check_boolean),
}
