"""Route constraints, such as the `int` of `{id:int}`: which values a route parameter accepts.

The set is that of ASP.NET Core, which the Functions host uses, without `file` and `nonfile`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

Check = Callable[[str], bool]


class TemplateError(ValueError):
    """A route template that the Functions host would reject."""


def parses_with(parse: Callable[[str], object]) -> Check:
    def check(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return check


def is_integer(bits: int) -> Check:
    def check(value: str) -> bool:
        if not re.fullmatch(r"\s*[+-]?\d+\s*", value):
            return False
        limit = 1 << (bits - 1)
        return -limit <= int(value) < limit

    return check


SIMPLE_CONSTRAINTS: Mapping[str, Check] = {
    "int": is_integer(32),
    "long": is_integer(64),
    "bool": lambda value: value.lower() in ("true", "false"),
    "guid": parses_with(uuid.UUID),
    "alpha": lambda value: bool(re.fullmatch(r"[A-Za-z]*", value)),
    "decimal": parses_with(float),
    "double": parses_with(float),
    "float": parses_with(float),
    "datetime": parses_with(datetime.fromisoformat),
    "required": bool,
}


def parse_constraint(text: str) -> Check:
    """The check for a constraint such as `int` or `length(2,8)`. Raises TemplateError."""
    name, _, rest = text.partition("(")
    if not rest:
        if name not in SIMPLE_CONSTRAINTS:
            raise TemplateError(f"there is no route constraint {name!r}")
        return SIMPLE_CONSTRAINTS[name]
    argument = rest.removesuffix(")")
    if name == "regex":
        pattern = re.compile(argument.replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
        return lambda value: bool(pattern.search(value))
    try:
        numbers = [int(part) for part in argument.split(",")]
    except ValueError:
        raise TemplateError(f"the route constraint {text!r} takes integers") from None
    low, high = numbers[0], numbers[-1]
    checks: dict[str, Check] = {
        "length": lambda value: low <= len(value) <= high,
        "minlength": lambda value: len(value) >= low,
        "maxlength": lambda value: len(value) <= low,
        "min": lambda value: SIMPLE_CONSTRAINTS["long"](value) and int(value) >= low,
        "max": lambda value: SIMPLE_CONSTRAINTS["long"](value) and int(value) <= low,
        "range": lambda value: SIMPLE_CONSTRAINTS["long"](value) and low <= int(value) <= high,
    }
    if name not in checks:
        raise TemplateError(f"there is no route constraint {name!r}")
    return checks[name]
