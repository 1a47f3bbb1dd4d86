"""App settings -> one frozen `Settings`, every mistake reported at once.

docs/settings.md and local.settings.json.example list the same names; a test holds them together.
A mistake names the setting and what was expected, never the value: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from shared.config.env import (
    CallerAuth,
    ConfigurationError,
    EnvReader,
    Observer,
    Provider,
    broker_secrets,
    caller_auth,
    https_uri,
    observer,
    on_off,
    parse_origins,
    provider_of,
    safe_scheme,
    scope,
)
from shared.storage.factory import is_configured

DEFAULT_SCOPE = "https://ai.azure.com/.default"
OPENAI_ENDPOINT = "https://api.openai.com"
OURS = ("REALTIME_", "CALLER_", "BROKER_", "KEY_VAULT_", "LIMIT_", "ENTRA_", "TRANSCRIPT")


LONGEST_CALL = timedelta(minutes=60)
"""The service ends every call after an hour (measured on recorded live traffic)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller, and all callers together, may use. 0 is no limit.

    `call_length` is how long a call may last, and so how long one that nobody settles counts.
    """

    starts_per_minute: int = 6
    live_calls: int = 2
    call_length: timedelta = timedelta(minutes=15)
    tokens_per_day: int = 0
    live_calls_total: int = 0

    def __post_init__(self) -> None:
        for name in ("starts_per_minute", "live_calls"):
            if not 0 <= getattr(self, name) <= 5000:
                raise ValueError(f"{name} is 0 to 5000: it is counted in one row of a table")
        if self.tokens_per_day < 0 or self.live_calls_total < 0 or self.call_length < timedelta(0):
            raise ValueError("a limit is 0 or more")

    @property
    def longest(self) -> timedelta:
        """How long a call lasts at most."""
        return self.call_length or LONGEST_CALL

    @property
    def none(self) -> bool:
        """Whether nothing is limited, so that nothing needs to be counted."""
        counted = (self.starts_per_minute, self.live_calls, self.tokens_per_day)
        return not any(counted) and not self.live_calls_total


@dataclass(frozen=True, slots=True)
class Settings:
    """What the broker was told to be. Secrets are kept out of its repr."""

    provider: Provider
    endpoint: str
    model: str
    voice: str | None
    instructions: str | None
    transcription_model: str | None
    profiles: Path
    token_scope: str
    safety_identifier: bool
    api_key: str | None = field(repr=False)
    vault_uri: str | None
    api_key_secret: str | None
    vault_ttl: timedelta
    token_endpoint: bool
    token_life: timedelta
    caller_auth: tuple[CallerAuth, ...]
    entra_tenant: str | None
    entra_audience: str | None
    entra_scope: str | None
    allowed_origins: frozenset[str]
    trusted_proxies: int
    limits: Limits
    observer: Observer
    transcripts: bool
    redaction: bool
    in_azure: bool
    broker_secrets: tuple[str, ...] = field(repr=False)
    broker_secret_name: str | None


# Every setting that `load` reads; the test of the docs uses it too.
NAMES = (
    "REALTIME_PROVIDER",
    "REALTIME_ENDPOINT",
    "AZURE_RESOURCE",
    "REALTIME_MODEL",
    "REALTIME_VOICE",
    "REALTIME_INSTRUCTIONS",
    "REALTIME_TRANSCRIPTION_MODEL",
    "REALTIME_PROFILES",
    "REALTIME_TOKEN_SCOPE",
    "REALTIME_SAFETY_IDENTIFIER",
    "REALTIME_API_KEY",
    "REALTIME_API_KEY_SECRET",
    "KEY_VAULT_URI",
    "KEY_VAULT_TTL_SECONDS",
    "TOKEN_ENDPOINT",
    "TOKEN_SECONDS",
    "CALLER_AUTH",
    "STATIC_WEB_APP_LINKED",
    "ENTRA_TENANT_ID",
    "ENTRA_AUDIENCE",
    "ENTRA_REQUIRED_SCOPE",
    "ALLOWED_ORIGINS",
    "CALLER_TRUSTED_PROXIES",
    "LIMIT_STARTS_PER_MINUTE",
    "LIMIT_LIVE_CALLS",
    "LIMIT_CALL_SECONDS",
    "LIMIT_TOKENS_PER_DAY",
    "LIMIT_LIVE_CALLS_TOTAL",
    "OBSERVER",
    "TRANSCRIPTS",
    "TRANSCRIPT_REDACTION",
    "BROKER_SECRET",
    "BROKER_SECRET_NAME",
)


def load(env: Mapping[str, str], root: Path) -> Settings:
    """Takes the environment and the app's folder (relative paths start there); gives `Settings`.

    Raises `ConfigurationError` with all mistakes together.
    """
    read = EnvReader(env)
    azure: Provider = "azure"
    eager: Observer = "eager"
    provider = read.parsed("REALTIME_PROVIDER", provider_of, azure, '"azure" or "openai"')
    vault_uri = read.parsed("KEY_VAULT_URI", https_uri, None, "https://<vault>.vault.azure.net")
    settings = Settings(
        provider=provider,
        endpoint=endpoint(read, provider),
        model=read.text("REALTIME_MODEL") or "",
        voice=read.text("REALTIME_VOICE"),
        instructions=read.text("REALTIME_INSTRUCTIONS"),
        transcription_model=read.text("REALTIME_TRANSCRIPTION_MODEL"),
        profiles=root / (read.text("REALTIME_PROFILES") or "profiles"),
        token_scope=read.parsed(
            "REALTIME_TOKEN_SCOPE", scope, DEFAULT_SCOPE, "an Entra scope like " + DEFAULT_SCOPE
        ),
        # Not known to be accepted by Azure; OpenAI recommends it.
        safety_identifier=read.parsed(
            "REALTIME_SAFETY_IDENTIFIER", on_off, provider == "openai", '"on" or "off"'
        ),
        api_key=read.text("REALTIME_API_KEY"),
        vault_uri=vault_uri,
        api_key_secret=read.text("REALTIME_API_KEY_SECRET"),
        vault_ttl=read.seconds("KEY_VAULT_TTL_SECONDS", 300, 1, 86_400),
        token_endpoint=read.parsed("TOKEN_ENDPOINT", on_off, True, '"on" or "off"'),
        # The life of an ephemeral key is 10 s to 2 h, measured (docs/adr/0001).
        token_life=read.seconds("TOKEN_SECONDS", 60, 10, 7200),
        caller_auth=read.parsed(
            "CALLER_AUTH",
            caller_auth,
            ("static-web-apps",),
            'one or more of "static-web-apps", "entra", "anonymous", comma-separated',
        ),
        entra_tenant=read.text("ENTRA_TENANT_ID"),
        entra_audience=read.text("ENTRA_AUDIENCE"),
        entra_scope=read.text("ENTRA_REQUIRED_SCOPE"),
        allowed_origins=read.parsed(
            "ALLOWED_ORIGINS",
            parse_origins,
            frozenset(),
            "exact origins like https://pages.example.com, comma-separated, no *",
        ),
        trusted_proxies=read.number("CALLER_TRUSTED_PROXIES", 0, 0, 10),
        limits=Limits(
            starts_per_minute=read.number("LIMIT_STARTS_PER_MINUTE", 6, 0, 5000),
            live_calls=read.number("LIMIT_LIVE_CALLS", 2, 0, 5000),
            # The service ends every session after 60 minutes (measured).
            call_length=read.seconds("LIMIT_CALL_SECONDS", 900, 10, 3600),
            tokens_per_day=read.number("LIMIT_TOKENS_PER_DAY", 0, 0, 10**12),
            live_calls_total=read.number("LIMIT_LIVE_CALLS_TOTAL", 0, 0, 10**6),
        ),
        observer=read.parsed("OBSERVER", observer, eager, '"off", "eager" or "required"'),
        transcripts=read.parsed("TRANSCRIPTS", on_off, False, '"on" or "off"'),
        redaction=read.parsed("TRANSCRIPT_REDACTION", on_off, True, '"on" or "off"'),
        # Set by the platform in Azure, and by nothing on a laptop.
        in_azure="WEBSITE_SITE_NAME" in env,
        broker_secrets=read.parsed(
            "BROKER_SECRET", broker_secrets, (), "32 bytes or more, for example 64 hex digits"
        ),
        broker_secret_name=read.text("BROKER_SECRET_NAME"),
    )
    if not settings.model:
        expected = "the deployment's name" if provider == "azure" else "the model's name"
        read.wrong("REALTIME_MODEL", expected)
    linked = (read.text("STATIC_WEB_APP_LINKED") or "").lower()
    if linked not in ("", "on", "off", "unchecked"):
        read.wrong("STATIC_WEB_APP_LINKED", '"on", "off" or "unchecked"')
    credentials_fit(read, settings)
    callers_fit(read, settings)
    # What each instance kept for itself would limit nothing and end no call.
    if settings.in_azure and not is_configured(env):
        read.wrong("AzureWebJobsStorage", "a storage account")
    read.unknown(OURS, NAMES)
    if read.mistakes:
        raise ConfigurationError(read.mistakes)
    return settings


def endpoint(read: EnvReader, provider: Provider) -> str:
    """The model's endpoint up to its host: no path, no query, no slash at the end."""
    expected = "https://<resource>.openai.azure.com, with no path and no api-version"
    resource = read.text("AZURE_RESOURCE")
    value = read.text("REALTIME_ENDPOINT")
    if value is None and provider == "openai":
        return OPENAI_ENDPOINT
    if value is None:
        if resource is None:
            read.wrong("REALTIME_ENDPOINT", expected + ", or AZURE_RESOURCE, the bare name")
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", resource):
            read.wrong("AZURE_RESOURCE", "the bare resource name: letters, digits and hyphens")
        return f"https://{resource}.openai.azure.com"
    parts = urlsplit(value)
    preview = "api-version" in parts.query or "realtimeapi" in value or "realtimertc" in value
    if preview or parts.path.rstrip("/").endswith("/openai/realtime"):
        read.wrong("REALTIME_ENDPOINT", f"the GA endpoint, not a preview one: write {expected}")
    elif parts.path.rstrip("/") not in ("", "/openai/v1", "/v1") or parts.query or parts.fragment:
        read.wrong("REALTIME_ENDPOINT", expected)
    elif parts.username or not parts.hostname or not safe_scheme(parts.scheme, parts.hostname):
        read.wrong("REALTIME_ENDPOINT", expected + " (http only for this machine itself)")
    return f"{parts.scheme}://{parts.netloc}"


def credentials_fit(read: EnvReader, settings: Settings) -> None:
    """A secret's name is of use only with a vault; OpenAI knows no managed identity."""
    for name, value in (
        ("REALTIME_API_KEY_SECRET", settings.api_key_secret),
        ("BROKER_SECRET_NAME", settings.broker_secret_name),
    ):
        if value and not settings.vault_uri and "KEY_VAULT_URI" not in read.env:
            read.wrong("KEY_VAULT_URI", f"the vault that holds the secret of {name}")
    if settings.api_key and settings.api_key_secret:
        read.wrong("REALTIME_API_KEY", "nothing where REALTIME_API_KEY_SECRET is set: choose one")
    if settings.provider == "openai" and not (settings.api_key or settings.api_key_secret):
        read.wrong("REALTIME_API_KEY", "a key, or REALTIME_API_KEY_SECRET with KEY_VAULT_URI")
    if settings.in_azure and not (settings.broker_secrets or settings.broker_secret_name):
        read.wrong("BROKER_SECRET", "32 bytes or more, or BROKER_SECRET_NAME with KEY_VAULT_URI")


def callers_fit(read: EnvReader, settings: Settings) -> None:
    """Entra tokens are checked against a tenant, an audience and a scope: all three."""
    if "entra" in settings.caller_auth:
        for name, value, expected in (
            ("ENTRA_TENANT_ID", settings.entra_tenant, "the tenant's id"),
            ("ENTRA_AUDIENCE", settings.entra_audience, "the broker's application id"),
            ("ENTRA_REQUIRED_SCOPE", settings.entra_scope, "a scope or app role, like call"),
        ):
            if not value:
                read.wrong(name, f'{expected}, because CALLER_AUTH has "entra"')
