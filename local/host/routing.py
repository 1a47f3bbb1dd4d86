"""Finds the HTTP function for a request, matching route templates as the Functions host does.

Templates are ASP.NET Core's: literals (case-insensitive), `{name}`, `{name:constraint}`, `{name?}`
and `{name=default}` at the end, `{*rest}` for the remaining path, and several parts in one segment
(`{name}.{ext}`). Where several routes match, a literal segment beats a constrained parameter, which
beats a plain one, which beats a catch-all. The real host uses the order in which it registered the
functions instead, which an app does not control: `overlapping_routes` finds such pairs, so that
they can be avoided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from local.host.percent_escapes import unescape
from local.host.route_constraints import Check, TemplateError, parse_constraint

CACHED_MATCHES = 512
RESERVED = ("admin", "runtime")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A `{…}` of a template. `default` is its value where the path has none; None for no value."""

    name: str
    checks: tuple[Check, ...]
    catch_all: bool
    optional: bool
    default: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """The part between two slashes: a literal, or a pattern with parameters.

    `alone` is set for a segment that is a single parameter and nothing else.
    """

    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]
    literal: str | None
    alone: bool

    @property
    def rank(self) -> int:
        """How specific the segment is, 1 being the most: ASP.NET Core's inbound precedence."""
        if self.literal is not None:
            return 1
        if not self.alone:
            return 2
        only = self.parameters[0]
        return (5 if only.catch_all else 3) - bool(only.checks)

    @property
    def may_be_absent(self) -> bool:
        return any(p.optional or p.catch_all or p.default is not None for p in self.parameters)


SEGMENT_PART = re.compile(r"\{((?:[^{}]|\{\{|\}\})*)\}|([^{}]+)")


def parse_parameter(text: str) -> Parameter:
    catch_all = text.startswith("*")
    name_and_more = text.lstrip("*")
    default: str | None = None
    match = re.fullmatch(r"(\w+)((?::[^:=?(]+(?:\(.*?\))?)*)(\?|=.*)?", name_and_more)
    if match is None:
        raise TemplateError(f"{{{text}}} is not a route parameter")
    name, constraints, tail = match.groups()
    if tail and tail.startswith("="):
        default = tail[1:]
    checks = re.findall(r":([^:=?(]+(?:\(.*?\))?)", constraints or "")
    return Parameter(
        name, tuple(parse_constraint(check) for check in checks), catch_all, tail == "?", default
    )


def parse_segment(text: str) -> Segment:
    if "".join(part.group(0) for part in SEGMENT_PART.finditer(text)) != text:
        raise TemplateError(f"the braces in {text!r} are unbalanced")
    pattern, parameters = "", []
    for part in SEGMENT_PART.finditer(text):
        if part.group(2) is not None:
            pattern += re.escape(part.group(2))
            continue
        parameters.append(parse_parameter(part.group(1)))
        pattern += "(.*)" if parameters[-1].catch_all else "([^/]+)"
    return Segment(
        re.compile(pattern, re.IGNORECASE | re.DOTALL),
        tuple(parameters),
        literal=None if parameters else text,
        alone=pattern in ("(.*)", "([^/]+)"),
    )


def unescape_segment(text: str) -> str:
    """Decodes a segment as the host does: an escaped slash stays escaped."""
    return unescape(re.sub("%2f", "%252F", text, flags=re.IGNORECASE))


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed route template."""

    text: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Parses a template, ignoring leading and trailing slashes. Raises TemplateError."""
        text = text.strip("/")
        segments = tuple(parse_segment(part) for part in text.split("/")) if text else ()
        for position, segment in enumerate(segments):
            if segment.literal == "":
                raise TemplateError("it has two slashes in a row")
            if position < len(segments) - 1 and any(
                p.catch_all or p.optional for p in segment.parameters
            ):
                raise TemplateError("a catch-all or optional parameter must be at the end")
        names = [p.name.lower() for segment in segments for p in segment.parameters]
        if len(names) != len(set(names)):
            raise TemplateError("it names a parameter twice")
        return cls(text, segments)

    @property
    def precedence(self) -> tuple[int, ...]:
        return tuple(segment.rank for segment in self.segments)

    @property
    def shape(self) -> str:
        """The template without parameter names. Two routes of the same shape are duplicates."""
        return re.sub(r"\{(\**)\w+", r"{\1", self.text).lower()

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters' values if `path` (still percent-encoded) matches, otherwise None.

        It may end with one slash. An empty segment matches nothing but a catch-all.
        """
        stripped = path.removeprefix("/").removesuffix("/")
        parts = stripped.split("/") if stripped else []
        values: dict[str, str] = {}
        for position, segment in enumerate(self.segments):
            last = segment.parameters[-1] if segment.parameters else None
            if last and last.catch_all:
                found: str | None = "/".join(parts[position:])
                parts = parts[: position + 1]
            else:
                found = parts[position] if position < len(parts) else None
            if not found:
                if not segment.may_be_absent or len(segment.parameters) != 1:
                    return None
                assert last is not None
                if last.default is not None:
                    values[last.name] = last.default
                continue
            matched = segment.pattern.fullmatch(unescape_segment(found))
            if matched is None:
                return None
            for parameter, value in zip(segment.parameters, matched.groups(), strict=True):
                if not all(check(value) for check in parameter.checks):
                    return None
                values[parameter.name] = value
        return None if len(parts) > len(self.segments) else values


@dataclass(frozen=True, slots=True)
class Route:
    """The address of an HTTP function. No methods means every method."""

    function: str
    template: Template
    methods: frozenset[str]

    def accepts_method(self, method: str) -> bool:
        return not self.methods or method in self.methods

    def shares_method_with(self, other: Route) -> bool:
        return not self.methods or not other.methods or bool(self.methods & other.methods)


@dataclass(frozen=True, slots=True)
class Match:
    """The function for a request, and the values of its route parameters."""

    function: str
    parameters: Mapping[str, str]


class Router:
    """Finds the function for a request. `find_function` is `look_up_function` with a cache."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes: Sequence[Route] = sorted(routes, key=lambda route: route.template.precedence)
        self.find_function = lru_cache(maxsize=CACHED_MATCHES)(self.look_up_function)

    def look_up_function(self, method: str, path: str) -> Match | None:
        """The match, or None for a 404. The real host has no 405: a wrong method is a 404 too."""
        for route in self.routes:
            if route.accepts_method(method):
                values = route.template.match(path)
                if values is not None:
                    return Match(route.function, values)
        return None

    def overlapping_routes(self) -> list[tuple[Route, Route]]:
        """Pairs of routes that could match the same request, leaving constraints aside."""
        return [
            (one, other)
            for one, other in combinations(self.routes, 2)
            if one.shares_method_with(other) and templates_overlap(one.template, other.template)
        ]


def templates_overlap(one: Template, other: Template) -> bool:
    for first, second in zip(one.segments, other.segments, strict=False):
        if any(p.catch_all for p in first.parameters + second.parameters):
            return True
        if any(p.checks for p in first.parameters + second.parameters):
            return False
        if (
            first.literal is not None
            and second.pattern.fullmatch(first.literal) is None
            and (second.literal is not None or second.alone)
        ):
            return False
        if (
            second.literal is not None
            and first.literal is None
            and first.pattern.fullmatch(second.literal) is None
        ):
            return False
    shorter = min(len(one.segments), len(other.segments))
    return all(s.may_be_absent for s in one.segments[shorter:] + other.segments[shorter:])
