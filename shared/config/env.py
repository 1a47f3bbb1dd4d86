"""Reads settings from the environment, and collects every mistake instead of stopping at one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from shared.core.json_schema import did_you_mean
from shared.core.origin import normalize_origin

Provider = Literal["azure", "openai"]
CallerAuth = Literal["static-web-apps", "entra", "anonymous"]
Observer = Literal["off", "eager", "required"]
T = TypeVar("T")

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MIN_SECRET_BYTES = 32
PROVIDERS: Mapping[str, Provider] = {"azure": "azure", "openai": "openai"}
OBSERVERS: Mapping[str, Observer] = {"off": "off", "eager": "eager", "required": "required"}
CALLER_AUTH: Mapping[str, CallerAuth] = {
    "static-web-apps": "static-web-apps",
    "entra": "entra",
    "anonymous": "anonymous",
}
SWITCHES = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


class ConfigurationError(Exception):
    """All that is wrong with the settings: `mistakes`, each `NAME: what was expected`."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(mistakes))


class EnvReader:
    """Reads settings one by one, with their defaults, and collects the mistakes.

    A mistake names the setting and what was expected, never the value: it may be a secret.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.mistakes: list[str] = []

    def read_text(self, name: str) -> str | None:
        """The setting without surrounding white space; None if unset or empty."""
        return self.env.get(name, "").strip() or None

    def read_parsed(self, name: str, parse: Callable[[str], T], default: T, expected: str) -> T:
        """The setting as `parse` reads it; ValueError or KeyError is a mistake."""
        value = self.read_text(name)
        if value is None:
            return default
        try:
            return parse(value)
        except (ValueError, KeyError):
            self.add_mistake(name, expected)
            return default

    def read_switch(self, name: str, default: bool) -> bool:
        return self.read_parsed(name, parse_switch, default, '"on" or "off"')

    def read_number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""

        def parse(value: str) -> int:
            if not low <= int(value) <= high:
                raise ValueError(name)
            return int(value)

        return self.read_parsed(name, parse, default, f"a whole number from {low} to {high}")

    def read_seconds(self, name: str, default: int, low: int, high: int) -> timedelta:
        """Whole seconds from `low` to `high`."""
        return timedelta(seconds=self.read_number(name, default, low, high))

    def add_mistake(self, name: str, expected: str) -> None:
        self.mistakes.append(f"{name}: expected {expected}")

    def check_names(self, prefixes: tuple[str, ...], known: tuple[str, ...]) -> None:
        """A name with one of our prefixes that is not a setting is a typing error: a mistake."""
        for name in sorted(self.env):
            if name.startswith(prefixes) and name not in known:
                self.mistakes.append(f"{name}: unknown setting{did_you_mean(name, known)}")


def parse_provider(value: str) -> Provider:
    return PROVIDERS[value.lower()]


def parse_observer(value: str) -> Observer:
    return OBSERVERS[value.lower()]


def parse_switch(value: str) -> bool:
    return SWITCHES[value.lower()]


def parse_caller_auth(value: str) -> tuple[CallerAuth, ...]:
    kinds = tuple(CALLER_AUTH[word.strip().lower()] for word in value.split(","))
    return tuple(dict.fromkeys(kinds))


def parse_scope(value: str) -> str:
    if not re.fullmatch(r"(https|api)://\S+/\.default", value):
        raise ValueError
    return value


def parse_https_host(value: str) -> str | None:
    """An https URL with nothing after its host."""
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError
    return value.rstrip("/")


def parse_broker_secrets(value: str) -> tuple[str, ...]:
    """The broker's secret and its predecessors, comma-separated: see docs/security.md."""
    secrets = tuple(secret.strip() for secret in value.split(","))
    if any(len(secret.encode()) < MIN_SECRET_BYTES for secret in secrets):
        raise ValueError
    return secrets


def parse_origins(value: str) -> frozenset[str]:
    """Origins, comma-separated. Raises ValueError for `*`, a path or anything else."""
    return frozenset(normalize_origin(origin) for origin in value.split(",") if origin.strip())


def is_safe_scheme(scheme: str, host: str) -> bool:
    """Whether secrets may be sent there: plain http is for this machine only."""
    return scheme == "https" or (scheme == "http" and host in LOOPBACK)
