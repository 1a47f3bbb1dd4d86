"""Parses the subset of Bicep that this project uses, so that tests can check rules against it.

This is not the compiler, which CI runs too: it knows no types. A value is a dict (an object), a
list (an array) or a str (the text of any other expression). A declaration's loop and condition are
kept beside its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Value = dict[str, Any] | list[Any] | str

START = re.compile(
    r"^(?P<kind>param|var|resource|module|output) (?P<name>\w+)"
    r"(?: (?P<type>'[^'\n]*'|\w+(?:\[\])?|\{[^{}\n]*\}))?(?P<existing> existing)?(?: = |$)",
    re.MULTILINE,
)
LOOP = re.compile(r"\[\s*for (?:\((\w+), (\w+)\)|(\w+)) in ")
KEY = re.compile(r"'((?:[^'\\\n]|\\.)*)'|(\w+)")
OPENING, CLOSING = "([{", ")]}"


class BicepError(ValueError):
    """The text is not in the subset of Bicep that is supported."""


@dataclass
class Declaration:
    """A `param`, `var`, `resource`, `module` or `output`."""

    kind: str
    name: str
    type: str
    value: Value | None
    decorators: list[str]
    existing: bool = False
    condition: str = ""
    over: str = ""
    loop: tuple[str, ...] = ()
    text: str = ""

    @property
    def resource_type(self) -> str:
        return self.type.partition("@")[0]

    @property
    def version(self) -> str:
        return self.type.partition("@")[2]

    def at(self, path: str) -> Any:
        """The value at `a.b.c` in the body, or None."""
        found: Any = self.value
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found


@dataclass
class File:
    """A parsed file."""

    path: Path
    text: str
    declarations: list[Declaration] = field(default_factory=list)

    def of(self, kind: str) -> dict[str, Declaration]:
        return {each.name: each for each in self.declarations if each.kind == kind}


def read(path: Path) -> File:
    """Parses a file. Raises BicepError."""
    text = without_comments(path.read_text(encoding="utf-8"))
    file = File(path, text)
    for match in START.finditer(text):
        file.declarations.append(declaration(text, match, path))
    return file


def declaration(text: str, match: re.Match[str], path: Path) -> Declaration:
    before = text[: match.start()].rstrip("\n").split("\n")
    decorators: list[str] = []
    while before and before[-1].startswith(("@", "])")):
        lines = [before.pop()]
        while before and not lines[0].startswith("@"):
            lines.insert(0, before.pop())
        decorators.insert(0, "\n".join(lines))
    made = Declaration(
        match["kind"],
        match["name"],
        (match["type"] or "").strip("'"),
        None,
        decorators,
        existing=bool(match["existing"]),
    )
    reader = Reader(text, match.end(), path)
    if match[0].endswith("= "):
        loop = LOOP.match(text, reader.at)
        if made.kind in ("resource", "module") and loop:
            made.loop = tuple(name for name in loop.groups() if name)
            reader.at = loop.end()
            made.over = reader.expression(until=":")
            reader.at += 1
        if text.startswith("if (", reader.at_word()):
            start = reader.at + 3
            reader.at = reader.closing(start) + 1
            made.condition = text[start : reader.at]
        made.value = reader.value()
    made.text = text[match.start() : reader.at]
    return made


@dataclass
class Reader:
    """Parses the values in `text` from position `at`."""

    text: str
    at: int
    path: Path

    def fail(self, words: str) -> BicepError:
        line = self.text.count("\n", 0, self.at) + 1
        return BicepError(f"{self.path.name}:{line}: {words}")

    def at_word(self) -> int:
        while self.at < len(self.text) and self.text[self.at] in " \t\n,":
            self.at += 1
        return self.at

    def value(self) -> Value:
        self.at_word()
        if self.text.startswith("{", self.at):
            return self.object()
        if self.text.startswith("[", self.at) and not LOOP.match(self.text, self.at):
            return self.array()
        return self.expression()

    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.at += 1
        while self.text[self.at_word()] != "}":
            key = KEY.match(self.text, self.at)
            if not key:
                raise self.fail("expected a key or }")
            name = key[1] if key[1] is not None else key[2]
            if name in found:
                raise self.fail(f"duplicate key {name}")
            self.at = key.end()
            if not self.text.startswith(":", self.at):
                raise self.fail(f"expected : after {name}")
            self.at += 1
            found[name] = self.value()
        self.at += 1
        return found

    def array(self) -> list[Any]:
        found: list[Any] = []
        self.at += 1
        while self.text[self.at_word()] != "]":
            found.append(self.value())
        self.at += 1
        return found

    def expression(self, until: str = ",\n") -> str:
        start = self.at
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter in until or letter in CLOSING:
                break
            if letter == "'":
                self.at = end_of_string(self.text, self.at)
            elif letter in OPENING:
                self.at = self.closing(self.at)
            self.at += 1
        found = self.text[start : self.at].strip()
        if not found:
            raise self.fail("expected a value")
        return found

    def closing(self, start: int) -> int:
        """The position of the bracket that closes the one at `start`."""
        wanted = [CLOSING[OPENING.index(self.text[start])]]
        at = start + 1
        while at < len(self.text):
            letter = self.text[at]
            if letter == "'":
                at = end_of_string(self.text, at)
            elif letter in OPENING:
                wanted.append(CLOSING[OPENING.index(letter)])
            elif letter in CLOSING:
                if letter != wanted.pop():
                    break
                if not wanted:
                    return at
            at += 1
        self.at = start
        raise self.fail(f"{self.text[start]} is not closed")


def end_of_string(text: str, start: int) -> int:
    """The end of the quoted string at `start`, which may interpolate other strings."""
    at = start + 1
    while at < len(text) and text[at] not in "'\n":
        if text[at] == "\\":
            at += 1
        elif text.startswith("${", at):
            depth, at = 1, at + 2
            while depth and at < len(text):
                if text[at] == "'":
                    at = end_of_string(text, at)
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            continue
        at += 1
    if at >= len(text) or text[at] != "'":
        raise BicepError(f"line {text.count(chr(10), 0, start) + 1}: a string is not closed")
    return at


def without_comments(text: str) -> str:
    lines = (
        "" if line.lstrip().startswith(("//", "#disable")) else line for line in text.split("\n")
    )
    return "\n".join(lines)


def expressions(value: Any) -> Iterator[str]:
    """Every expression in a value, outermost first."""
    if isinstance(value, dict):
        for name, each in value.items():
            if "${" in name:
                yield f"'{name}'"
            yield from expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from expressions(each)
    elif value is not None:
        yield value


def names_in(expression: str) -> set[str]:
    """The symbols that an expression reads, without strings, functions, properties and keys."""
    code = unquoted(expression)
    loops = {name for match in LOOP.finditer(code) for name in match.groups() if name}
    found = re.findall(r"(?<![\w.])(?<!\.\?)([A-Za-z_]\w*)\b(?!\s*[(:])", code)
    # Names before a colon are left out above as keys; those of `a ? b : c` are added back here.
    conditional = re.findall(r"\?\s*([A-Za-z_]\w*)\s*:", code)
    looped = re.findall(r"\bin\s+([A-Za-z_]\w*)\s*:", code)
    # Of a function: `word => …`.
    taken = set(re.findall(r"\b(\w+)\s*=>", code))
    return (
        {*found, *conditional, *looped}
        - loops
        - taken
        - {"true", "false", "null", "for", "in", "if"}
    )


def unquoted(expression: str) -> str:
    """The expression without its strings, but with what they interpolate."""
    found, at = "", 0
    while at < len(expression):
        if expression[at] != "'":
            found += expression[at]
            at += 1
            continue
        end = end_of_string(expression, at)
        inside = expression[at + 1 : end]
        while "${" in inside:
            start = inside.index("${") + 2
            depth, stop = 1, start
            while depth:
                if inside[stop] == "'":
                    stop = end_of_string(inside, stop)
                depth += {"{": 1, "}": -1}.get(inside[stop], 0)
                stop += 1
            found += f" {unquoted(inside[start : stop - 1])} "
            inside = inside[stop:]
        found += " "
        at = end + 1
    return found
