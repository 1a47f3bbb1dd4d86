"""Reading settings one by one, every mistake remembered instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from shared.core.json_schema import did_you_mean

Provider = Literal["azure", "openai"]
CallerAuth = Literal["static-web-apps", "entra", "anonymous"]
Observer = Literal["off", "eager", "required"]
T = TypeVar("T")

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SECRET_BYTES = 32


class ConfigurationError(Exception):
    """Everything that is wrong with the settings: `mistakes`, each `NAME: what was expected`."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(mistakes))


class EnvReader:
    """Reads settings one by one and remembers every mistake instead of stopping at the first."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.mistakes: list[str] = []

    def text(self, name: str) -> str | None:
        """The setting without surrounding blanks; None if unset or empty."""
        return self.env.get(name, "").strip() or None

    def wrong(self, name: str, expected: str) -> None:
        self.mistakes.append(f"{name}: expected {expected}")

    def parsed(self, name: str, parse: Callable[[str], T], default: T, expected: str) -> T:
        """`parse` of the setting; it raises ValueError or KeyError for what it does not take."""
        value = self.text(name)
        if value is None:
            return default
        try:
            return parse(value)
        except (ValueError, KeyError):
            self.wrong(name, expected)
            return default

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""

        def parse(value: str) -> int:
            if not low <= int(value) <= high:
                raise ValueError(name)
            return int(value)

        return self.parsed(name, parse, default, f"a whole number from {low} to {high}")

    def seconds(self, name: str, default: int, low: int, high: int) -> timedelta:
        """Whole seconds from `low` to `high`."""
        return timedelta(seconds=self.number(name, default, low, high))

    def unknown(self, ours: tuple[str, ...], names: tuple[str, ...]) -> None:
        """A name that looks like ours and is not one is a typing error worth stopping for."""
        for name in sorted(self.env):
            if name.startswith(ours) and name not in names:
                self.mistakes.append(f"{name}: unknown setting{did_you_mean(name, names)}")


def safe_scheme(scheme: str, host: str) -> bool:
    return scheme == "https" or (scheme == "http" and host in LOOPBACK)


def provider_of(value: str) -> Provider:
    known: dict[str, Provider] = {"azure": "azure", "openai": "openai"}
    return known[value.lower()]


def observer(value: str) -> Observer:
    known: dict[str, Observer] = {"off": "off", "eager": "eager", "required": "required"}
    return known[value.lower()]


def on_off(value: str) -> bool:
    return {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}[
        value.lower()
    ]


def caller_auth(value: str) -> tuple[CallerAuth, ...]:
    known: dict[str, CallerAuth] = {
        "static-web-apps": "static-web-apps",
        "entra": "entra",
        "anonymous": "anonymous",
    }
    kinds = tuple(known[word.strip().lower()] for word in value.split(","))
    return tuple(dict.fromkeys(kinds))


def scope(value: str) -> str:
    if not re.fullmatch(r"(https|api)://\S+/\.default", value):
        raise ValueError
    return value


def https_uri(value: str) -> str | None:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError
    return value.rstrip("/")


def broker_secrets(value: str) -> tuple[str, ...]:
    """The broker's secret, then those before it, comma-separated: see docs/security.md."""
    secrets = tuple(secret.strip() for secret in value.split(","))
    if any(len(secret.encode()) < SECRET_BYTES for secret in secrets):
        raise ValueError
    return secrets


ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)
USUAL_PORTS = {"http": 80, "https": 443}


def normalize_origin(origin: str) -> str:
    """An origin as browsers write it: small letters, no usual port. Raises ValueError."""
    text = origin.strip()
    if not ORIGIN.fullmatch(text):
        raise ValueError("an origin is scheme://host or scheme://host:port, nothing after it")
    parts = urlsplit(text)
    scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    shown = f"[{host}]" if ":" in host else host
    return (
        f"{scheme}://{shown}"
        if port in (None, USUAL_PORTS[scheme])
        else (f"{scheme}://{shown}:{port}")
    )


def parse_origins(setting: str) -> frozenset[str]:
    """ALLOWED_ORIGINS, comma-separated. Raises ValueError for `*`, a path or anything not exact."""
    return frozenset(normalize_origin(origin) for origin in setting.split(",") if origin.strip())
