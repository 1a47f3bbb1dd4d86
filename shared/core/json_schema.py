"""Validates JSON values against the small part of JSON Schema that the session profiles use.

All mistakes are reported together, each with its path and the nearest correct name. A full JSON
Schema library takes longer to import than the rest of the broker and says less about a misspelt
field (docs/adr/0007-profiles-are-checked-before-they-are-sent.md); a test compares the two.

Supported: $ref (within the file), type, const, enum, anyOf, properties, required,
additionalProperties, items, minItems, maxItems, minimum, maximum, minLength, maxLength, pattern.
Beside `properties`, `anyOf` lists members of which an object must have one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

Schema = Mapping[str, Any]

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}


LONGEST_WORD = 64
MOST_VIOLATIONS = 50
LONGEST_PATH = 200


def did_you_mean(word: str, known: Mapping[str, Any] | set[str] | tuple[str, ...]) -> str:
    """`, did you mean "…"?` with the known word most like `word`; "" if none is close."""
    if len(word) > LONGEST_WORD:
        # Comparing takes the square of the length, and no known word is that long.
        return ""
    # Imported here: only mistakes need it, and every cold start would pay for it.
    import difflib

    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f', did you mean "{found[0]}"?' if found else ""


def validation_errors(value: Any, schema: Schema, path: str = "") -> list[str]:
    """Every violation of `schema` in `value`, as `path: what was expected`; [] if it is valid. No
    more than `MOST_VIOLATIONS` are listed."""
    return list(islice(Validator(schema).validate(value, schema, path), MOST_VIOLATIONS))


class Validator:
    """Walks a value and its schema in parallel. Yields the violations."""

    def __init__(self, root: Schema) -> None:
        self.definitions: Mapping[str, Schema] = root.get("$defs", {})
        self.is_trial = False

    def resolve(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        if reference is None:
            return schema
        return self.resolve(self.definitions[reference.removeprefix("#/$defs/")])

    def validate(self, value: Any, schema: Schema, path: str) -> Iterator[str]:
        schema = self.resolve(schema)
        if "anyOf" in schema and "properties" not in schema:
            yield from self.validate_any(value, schema["anyOf"], path)
            return
        if not self.type_matches(value, schema) or not literal_matches(value, schema):
            yield f"{path or 'the file'}: expected {self.describe(schema)}"
            return
        if isinstance(value, dict):
            yield from self.validate_object(value, schema, path)
        elif isinstance(value, list) and "items" in schema:
            yield from self.validate_list(value, schema, path)
        elif not in_bounds(value, schema):
            yield f"{path}: expected {self.describe(schema)}"

    def validate_list(self, value: list[Any], schema: Schema, path: str) -> Iterator[str]:
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        if not least <= len(value) <= most:
            words = f"{least}" if least == most else f"{least} to {most}"
            if "maxItems" not in schema:
                words = f"{least} or more"
            yield f"{path}: expected {words} of them"
            return
        for index, item in enumerate(value):
            yield from self.validate(item, schema["items"], f"{path}[{index}]")

    def validate_object(self, value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
        known: Mapping[str, Schema] = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        for name, member in value.items():
            inner = f"{path}.{name}" if path else name
            if len(inner) > LONGEST_PATH:
                inner = f"{inner[:LONGEST_PATH]}…"
            if name in known:
                yield from self.validate(member, known[name], inner)
            elif others is False:
                yield (
                    inner if self.is_trial else f"{inner}: unknown field{did_you_mean(name, known)}"
                )
            elif isinstance(others, Mapping):
                yield from self.validate(member, others, inner)
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{path}.{name}: missing" if path else f"{name}: missing"
        groups = [branch["required"] for branch in schema.get("anyOf", ())]
        if groups and not any(all(name in value for name in group) for group in groups):
            words = " or ".join(" with ".join(group) for group in groups)
            yield f"{path or 'the file'}: expected {words}"

    def validate_any(self, value: Any, branches: list[Schema], path: str) -> Iterator[str]:
        resolved = [self.resolve(branch) for branch in branches]
        if any(self.accepts(value, branch) for branch in resolved):
            return
        if self.is_trial:
            yield path
            return
        attempts = [(branch, list(self.validate(value, branch, path))) for branch in resolved]
        # The branch that was meant is the one whose type, then literal `type` member, matches.
        meant = [(b, f) for b, f in attempts if self.type_matches(value, b) and not is_literal(b)]
        if isinstance(value, dict):
            named = [(b, f) for b, f in meant if self.kind_of(b) in (None, value.get("type"))]
            meant = named or meant
        if len(meant) == 1:
            yield from meant[0][1]
        else:
            expected = " or ".join(self.describe(b) for b in resolved)
            yield f"{path}: expected {expected}"

    def accepts(self, value: Any, branch: Schema) -> bool:
        """Whether nothing is wrong with `value`. What is wrong is not put into words, which takes
        longer and is nobody's business where another branch accepts it."""
        outer, self.is_trial = self.is_trial, True
        try:
            return next(self.validate(value, branch, ""), None) is None
        finally:
            self.is_trial = outer

    def kind_of(self, branch: Schema) -> Any:
        return self.resolve(branch.get("properties", {}).get("type", {})).get("const")

    def type_matches(self, value: Any, schema: Schema) -> bool:
        names = schema.get("type")
        if names is None:
            return True
        names = [names] if isinstance(names, str) else names
        if isinstance(value, bool):
            return "boolean" in names
        if isinstance(value, float) and value.is_integer() and "integer" in names:
            return True
        return any(isinstance(value, TYPES[name]) for name in names)

    def describe(self, schema: Schema) -> str:
        schema = self.resolve(schema)
        if "const" in schema:
            return f'"{schema["const"]}"'
        if "enum" in schema:
            return "one of " + ", ".join(json.dumps(word) for word in schema["enum"])
        if (kind := self.kind_of(schema)) is not None:
            return f'an object of type "{kind}"'
        names = schema.get("type", "a value")
        words = names if isinstance(names, str) else " or ".join(names)
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None or high is not None:
            words += f" from {low} to {high}"
        words += describe_length(schema)
        if "pattern" in schema:
            words += f" like {schema['pattern']}"
        return words


def describe_length(schema: Schema) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is not None:
        return f" of {least} to {most} characters" if least else f" of up to {most} characters"
    if least == 1:
        return " that is not empty"
    return f" of {least} or more characters" if least else ""


def is_literal(schema: Schema) -> bool:
    """Whether it names values and no type. Such a branch says nothing about what was meant."""
    return "type" not in schema and ("const" in schema or "enum" in schema)


def literal_matches(value: Any, schema: Schema) -> bool:
    if "const" in schema and value != schema["const"]:
        return False
    return "enum" not in schema or value in schema["enum"]


def in_bounds(value: Any, schema: Schema) -> bool:
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return False
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True
