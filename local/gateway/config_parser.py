"""Parses staticwebapp.config.json and reports all mistakes in it at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.gateway.config import CONFIG_FILE, Override, Pattern, Rule, SiteConfig

MAX_CONFIG_BYTES = 20 * 1024
METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "CONNECT", "OPTIONS", "TRACE"}
)
OVERRIDABLE = frozenset({400, 401, 403, 404})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SECTIONS = {
    "$schema": str,
    "routes": list,
    "navigationFallback": dict,
    "responseOverrides": dict,
    "globalHeaders": dict,
    "mimeTypes": dict,
    "auth": dict,
    "networking": dict,
    "forwardingGateway": dict,
    "platform": dict,
    "trailingSlash": str,
}


class SiteConfigError(ValueError):
    """Static Web Apps would reject the file. `reasons` has one sentence for each mistake."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = tuple(reasons)


def read_site_config(path: Path) -> SiteConfig:
    """Reads the configuration; the default if there is no file. Raises SiteConfigError."""
    if not path.is_file():
        return SiteConfig()
    content = path.read_bytes()
    if len(content) > MAX_CONFIG_BYTES:
        raise SiteConfigError([f"{CONFIG_FILE} exceeds 20 KiB, the limit of Static Web Apps."])
    try:
        document = json.loads(content)
    except ValueError as error:
        raise SiteConfigError([f"{CONFIG_FILE} is not valid JSON: {error}."]) from None
    return parse_site_config(document)


def parse_site_config(document: object) -> SiteConfig:
    """The configuration from the file's JSON. Raises SiteConfigError with every mistake."""
    parser = SiteConfigParser()
    config = parser.parse_config(document)
    if parser.reasons:
        raise SiteConfigError([f"{CONFIG_FILE}: {reason}" for reason in parser.reasons])
    return config


class SiteConfigParser:
    """Parses the sections of the file and collects the mistakes in `reasons`."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def add_mistake(self, where: str, what: str) -> None:
        self.reasons.append(f"{where}: {what}.")

    def parse_config(self, document: object) -> SiteConfig:
        if not isinstance(document, dict):
            self.add_mistake("the file", "must be a JSON object")
            return SiteConfig()
        for name, value in document.items():
            if name not in SECTIONS:
                self.add_mistake(name, "unknown section")
            elif not isinstance(value, SECTIONS[name]):
                self.add_mistake(name, "wrong type")
        if self.reasons:
            return SiteConfig()
        fallback = document.get("navigationFallback", {})
        self.check_keys("navigationFallback", fallback, {"rewrite", "exclude"})
        if "navigationFallback" in document and "rewrite" not in fallback:
            self.add_mistake("navigationFallback", "rewrite is missing")
        return SiteConfig(
            rules=tuple(self.parse_rule(n, r) for n, r in enumerate(document.get("routes", []))),
            fallback=self.parse_path("navigationFallback.rewrite", fallback.get("rewrite")),
            fallback_excludes=tuple(
                self.parse_pattern("navigationFallback.exclude", text)
                for text in self.parse_strings(
                    "navigationFallback.exclude", fallback.get("exclude", [])
                )
            ),
            overrides=self.parse_overrides(document.get("responseOverrides", {})),
            headers=self.parse_headers("globalHeaders", document.get("globalHeaders", {})),
            mime_types=self.parse_headers("mimeTypes", document.get("mimeTypes", {})),
        )

    def parse_rule(self, number: int, entry: object) -> Rule:
        where = f"routes[{number}]"
        known = {"route", "methods", "allowedRoles", "rewrite", "redirect", "statusCode", "headers"}
        if not isinstance(entry, dict) or not isinstance(entry.get("route"), str):
            self.add_mistake(where, "must be an object with a route")
            return Rule(Pattern("/"))
        where += f" ({entry['route']})"
        self.check_keys(where, entry, known)
        methods = frozenset(self.parse_strings(f"{where}.methods", entry.get("methods", [])))
        for method in sorted(methods - METHODS):
            self.add_mistake(f"{where}.methods", f"{method} is not an upper-case HTTP method")
        redirect, status = entry.get("redirect"), self.parse_status(where, entry.get("statusCode"))
        if redirect is not None and "rewrite" in entry:
            self.add_mistake(where, "redirect and rewrite exclude each other")
        if redirect is not None and status is not None and status not in REDIRECTS:
            self.add_mistake(
                where, "the statusCode of a redirect must be 301, 302, 303, 307 or 308"
            )
        return Rule(
            pattern=self.parse_pattern(where, entry["route"]),
            methods=methods,
            roles=frozenset(
                self.parse_strings(f"{where}.allowedRoles", entry.get("allowedRoles", []))
            ),
            rewrite=self.parse_path(f"{where}.rewrite", entry.get("rewrite")),
            redirect=self.parse_text(f"{where}.redirect", redirect),
            status=status,
            headers=self.parse_headers(f"{where}.headers", entry.get("headers", {})),
        )

    def parse_overrides(self, section: Mapping[str, Any]) -> dict[int, Override]:
        found: dict[int, Override] = {}
        for code, entry in section.items():
            where = f"responseOverrides.{code}"
            if code not in {str(number) for number in OVERRIDABLE}:
                self.add_mistake(where, "only 400, 401, 403 and 404 can be overridden")
            elif not isinstance(entry, dict):
                self.add_mistake(where, "must be an object")
            else:
                self.check_keys(where, entry, {"rewrite", "redirect", "statusCode"})
                found[int(code)] = Override(
                    rewrite=self.parse_path(f"{where}.rewrite", entry.get("rewrite")),
                    redirect=self.parse_text(f"{where}.redirect", entry.get("redirect")),
                    status=self.parse_status(where, entry.get("statusCode")),
                )
        return found

    def check_keys(self, where: str, entry: Mapping[str, Any], known: set[str]) -> None:
        for name in sorted(set(entry) - known):
            self.add_mistake(where, f"unknown property {name!r}")

    def parse_pattern(self, where: str, text: str) -> Pattern:
        pattern = Pattern(text)
        problem = pattern.problem()
        if problem:
            self.add_mistake(f"{where}, {text!r}", problem)
        return pattern

    def parse_path(self, where: str, value: object) -> str | None:
        text = self.parse_text(where, value)
        return None if text is None else "/" + text.removeprefix("/")

    def parse_text(self, where: str, value: object) -> str | None:
        if value is None or isinstance(value, str):
            return value
        self.add_mistake(where, "must be a string")
        return None

    def parse_status(self, where: str, value: object) -> int | None:
        if value is None or (isinstance(value, int) and 200 <= value <= 599):
            return value
        self.add_mistake(f"{where}.statusCode", "must be an HTTP status")
        return None

    def parse_strings(self, where: str, value: object) -> list[str]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self.add_mistake(where, "must be a list of strings")
        return []

    def parse_headers(self, where: str, value: object) -> dict[str, str]:
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            return value
        self.add_mistake(where, "values must be strings")
        return {}
