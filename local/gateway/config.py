"""The contents of staticwebapp.config.json, and how requests are matched against them.

The rules are those of the Static Web Apps documentation (configuration.md): the first matching
route wins, a wildcard is at the end or before a file extension, any one of the roles is enough,
response overrides exist for 400, 401, 403 and 404, and global headers apply to files only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

CONFIG_FILE = "staticwebapp.config.json"
CSP = "content-security-policy"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path, optionally with a wildcard: `/api/*`, `/images/*.{png,jpg}`, `*.css`."""

    text: str

    def problem(self) -> str | None:
        """Why the service would reject the pattern, or None."""
        before, star, after = self.text.partition("*")
        if not star:
            return None if "{" not in before else "braces are allowed only after a wildcard"
        if after and not re.fullmatch(r"\.(\w+|\{\w+(,\w+)*\})", after):
            return "a wildcard is allowed only at the end or before a file extension"
        return None

    def matches(self, path: str) -> bool:
        before, star, after = self.text.partition("*")
        if not star:
            return path == self.text
        endings = "|".join(re.escape(e) for e in after.removeprefix(".").strip("{}").split(","))
        tail = rf"\.(?:{endings})" if after else ""
        return re.fullmatch(f"{re.escape(before)}.*{tail}", path) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """An entry of `routes`."""

    pattern: Pattern
    methods: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    rewrite: str | None = None
    redirect: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def matches(self, method: str, path: str) -> bool:
        """Whether the rule applies. A path without a dot also matches with `/index.html` added."""
        if self.methods and method not in self.methods:
            return False
        if self.pattern.matches(path):
            return True
        return "." not in path and self.pattern.matches(path.rstrip("/") + "/index.html")

    def admits(self, roles: frozenset[str]) -> bool:
        return not self.roles or "anonymous" in self.roles or bool(self.roles & roles)


@dataclass(frozen=True, slots=True)
class Override:
    """An entry of `responseOverrides`: what replaces an error page."""

    rewrite: str | None = None
    redirect: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class SiteConfig:
    """The whole file. The default serves files and forwards /api/*."""

    rules: tuple[Rule, ...] = ()
    fallback: str | None = None
    fallback_excludes: tuple[Pattern, ...] = ()
    overrides: Mapping[int, Override] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    mime_types: Mapping[str, str] = field(default_factory=dict)

    def rule_for(self, method: str, path: str) -> Rule | None:
        """The first rule that matches and does not redirect to the path it is already at."""
        for rule in self.rules:
            if rule.matches(method, path) and rule.redirect != path:
                return rule
        return None

    def falls_back(self, path: str) -> bool:
        """Whether the fallback page replaces a missing file at `path`."""
        return self.fallback is not None and not any(
            pattern.matches(path) or pattern.matches(path.lstrip("/"))
            for pattern in self.fallback_excludes
        )

    def allow_connections_to(self, origins: Sequence[str]) -> SiteConfig:
        """A copy with `origins` in the connect-src of every Content-Security-Policy."""
        if not origins:
            return self
        return replace(
            self,
            headers=allow_in_headers(self.headers, origins),
            rules=tuple(
                replace(r, headers=allow_in_headers(r.headers, origins)) for r in self.rules
            ),
        )


def allow_in_headers(headers: Mapping[str, str], origins: Sequence[str]) -> dict[str, str]:
    return {
        name: allow_connections(value, origins) if name.lower() == CSP else value
        for name, value in headers.items()
    }


def allow_connections(policy: str, origins: Sequence[str]) -> str:
    """A Content-Security-Policy with `origins` added to its connect-src.

    A policy without a connect-src gets one that starts as a copy of its default-src, which browsers
    would have used instead.
    """
    directives = [part.split() for part in policy.split(";") if part.split()]
    by_name = {parts[0].lower(): parts for parts in directives}
    connect = by_name.get("connect-src")
    if connect is None:
        base = by_name.get("default-src")
        if base is None:
            return policy
        connect = ["connect-src", *base[1:]]
        directives.append(connect)
    sources = [source for source in connect[1:] if source != "'none'"]
    connect[1:] = sources + [origin for origin in origins if origin not in sources]
    return "; ".join(" ".join(parts) for parts in directives)
