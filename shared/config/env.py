"""Reads settings from the environment, and collects every mistake instead of stopping at one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from shared.config.unusable_values import (
    is_placeholder,
    is_quoted,
    unfilled,
    unresolved_reference,
)
from shared.core.json_schema import did_you_mean
from shared.core.origin import normalize_origin

Provider = Literal["azure", "openai"]
CallerAuth = Literal["static-web-apps", "entra", "anonymous"]
Observer = Literal["off", "eager", "required"]
T = TypeVar("T")

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MIN_SECRET_BYTES = 32
SECRET_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
NAME_IN_VAULT = "the name of a secret in KEY_VAULT_URI, not its URL and not the secret itself"
HOST = re.compile(r"(?!.*\.\.)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]+", re.IGNORECASE)
WORD = re.compile(r"[^\s\x00-\x1f\x7f]+")
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
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


class Unusable(ValueError):
    """A value that cannot work, where more can be said: `expected` is what to write, in `setting`
    if that is another one than was read."""

    def __init__(self, expected: str, setting: str | None = None) -> None:
        self.expected = expected
        self.setting = setting
        super().__init__(expected)


class EnvReader:
    """Reads settings one by one, with their defaults, and collects the mistakes.

    A mistake names the setting and what was expected, never the value: it may be a secret. A
    setting has one mistake, the first that was found.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.found: dict[str, str] = {}

    @property
    def mistakes(self) -> list[str]:
        """All mistakes, each `NAME: what was expected`."""
        return list(self.found.values())

    def read_free_text(self, name: str) -> str | None:
        """The setting without surrounding white space, whatever it says; None if unset, empty or
        never filled in."""
        value = self.env.get(name, "").strip()
        if (expected := unfilled(value)) is not None:
            self.add_mistake(name, expected)
            return None
        return value or None

    def read_value(self, name: str) -> str | None:
        """The setting as it is to be parsed: free of quotation marks."""
        value = self.read_free_text(name)
        if value is not None and is_quoted(value):
            self.add_mistake(name, "the value without quotation marks")
            return None
        return value

    def read_text(self, name: str) -> str | None:
        """The setting, which is a name or an address: no placeholder, and nothing in quotation
        marks. None if unset or unusable."""
        value = self.read_value(name)
        if value is not None and is_placeholder(value):
            self.add_mistake(name, "the value itself: this is a placeholder")
            return None
        return value

    def read_word(self, name: str, expected: str) -> str | None:
        """The setting, which is one word without white space."""
        value = self.read_text(name)
        if value is not None and not WORD.fullmatch(value):
            self.add_mistake(name, expected)
            return None
        return value

    def read_parsed(
        self,
        name: str,
        parse: Callable[[str], T],
        default: T,
        expected: str,
        *,
        quoted: bool = False,
    ) -> T:
        """The setting as `parse` reads it; ValueError or KeyError is a mistake, `Unusable` with
        words of its own. `quoted`: quotation marks may be part of it."""
        value = self.read_free_text(name) if quoted else self.read_value(name)
        if value is None:
            return default
        try:
            return parse(value)
        except Unusable as reason:
            self.add_mistake(name, reason.expected)
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
        self.found.setdefault(name, f"{name}: expected {expected}")

    def check_platform_references(self, prefixes: tuple[str, ...]) -> None:
        """A setting of the platform's own that holds an unresolved reference is a mistake too."""
        for name in sorted(self.env):
            expected = unresolved_reference(self.env[name])
            if name.startswith(prefixes) and expected is not None:
                self.add_mistake(name, expected)

    def check_names(self, prefixes: tuple[str, ...], known: tuple[str, ...]) -> None:
        """A name with one of our prefixes that is not a setting is a typing error: a mistake."""
        for name in sorted(self.env):
            if name.startswith(prefixes) and name not in known:
                self.found[name] = f"{name}: unknown setting{did_you_mean(name, known)}"


def parse_provider(value: str) -> Provider:
    return PROVIDERS[value.lower()]


def parse_observer(value: str) -> Observer:
    return OBSERVERS[value.lower()]


def parse_switch(value: str) -> bool:
    return SWITCHES[value.lower()]


def parse_caller_auth(value: str) -> tuple[CallerAuth, ...]:
    kinds = tuple(CALLER_AUTH[word.strip().lower()] for word in value.split(","))
    return tuple(dict.fromkeys(kinds))


def parse_https_host(value: str) -> str | None:
    """An https URL with nothing after its host."""
    parts = urlsplit(value)
    if parts.scheme != "https" or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError
    if not is_host(parts.hostname) or is_placeholder(value):
        raise ValueError
    return value.rstrip("/")


def is_host(name: str | None) -> bool:
    """Whether it is a host name or an address, as a URL has it."""
    return name is not None and HOST.fullmatch(name) is not None


def parse_secret_name(value: str) -> str:
    """The name of a secret in Key Vault, not its URL and not the secret."""
    if not SECRET_NAME.fullmatch(value):
        raise ValueError
    return value


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
