"""Reads the app settings into one frozen `Settings`; all mistakes are reported together.

docs/settings.md and local.settings.json.example list the same names, and a test holds the three
together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from shared.config.env import (
    ConfigurationError,
    EnvReader,
    Observer,
    Provider,
    is_safe_scheme,
    parse_broker_secrets,
    parse_caller_auth,
    parse_https_host,
    parse_observer,
    parse_origins,
    parse_provider,
    parse_scope,
)
from shared.config.settings import (
    LONGEST_CALL,
    CallerSettings,
    EndpointSettings,
    Limits,
    ObserverSettings,
    SecretSettings,
    SessionSettings,
    Settings,
    TokenSettings,
)
from shared.storage.factory import is_configured

DEFAULT_SCOPE = "https://ai.azure.com/.default"
OPENAI_ENDPOINT = "https://api.openai.com"
PREFIXES = ("REALTIME_", "CALLER_", "BROKER_", "KEY_VAULT_", "LIMIT_", "ENTRA_", "TRANSCRIPT")
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
"""Every setting that `load_settings` reads; the test of the docs uses it too."""


def load_settings(env: Mapping[str, str], root: Path) -> Settings:
    """Reads the settings from the environment; relative paths start at the app's folder `root`.

    Raises `ConfigurationError` with all mistakes together.
    """
    read = EnvReader(env)
    settings = Settings(
        endpoint=read_endpoint(read),
        session=read_session(read, root),
        callers=read_callers(read),
        secrets=read_secrets(read),
        tokens=TokenSettings(
            enabled=read.read_switch("TOKEN_ENDPOINT", True),
            # An ephemeral key lives from 10 s to 2 h, measured (docs/adr/0001); why 15 s: 0011.
            life=read.read_seconds("TOKEN_SECONDS", 15, 10, 7200),
        ),
        limits=read_limits(read),
        observer=read_observer(read),
        in_azure="WEBSITE_SITE_NAME" in env,
    )
    check_model(read, settings)
    check_credentials(read, settings)
    check_callers(read, settings)
    # Without shared storage each instance would count for itself, and no limit would hold.
    if settings.in_azure and not is_configured(env):
        read.add_mistake("AzureWebJobsStorage", "a storage account")
    read.check_names(PREFIXES, NAMES)
    if read.mistakes:
        raise ConfigurationError(read.mistakes)
    return settings


def read_endpoint(read: EnvReader) -> EndpointSettings:
    default: Provider = "azure"
    provider = read.read_parsed("REALTIME_PROVIDER", parse_provider, default, '"azure" or "openai"')
    return EndpointSettings(
        provider=provider,
        url=read_endpoint_url(read, provider),
        token_scope=read.read_parsed(
            "REALTIME_TOKEN_SCOPE",
            parse_scope,
            DEFAULT_SCOPE,
            "an Entra scope like " + DEFAULT_SCOPE,
        ),
        key=read.read_text("REALTIME_API_KEY"),
        key_secret=read.read_text("REALTIME_API_KEY_SECRET"),
        # Recommended by OpenAI; not known to be accepted by Azure.
        safety_identifier=read.read_switch("REALTIME_SAFETY_IDENTIFIER", provider == "openai"),
    )


def read_endpoint_url(read: EnvReader, provider: Provider) -> str:
    """The model's endpoint up to its host: no path, no query, no trailing slash."""
    expected = "https://<resource>.openai.azure.com, with no path and no api-version"
    resource = read.read_text("AZURE_RESOURCE")
    value = read.read_text("REALTIME_ENDPOINT")
    if value is None and provider == "openai":
        return OPENAI_ENDPOINT
    if value is None:
        if resource is None:
            read.add_mistake("REALTIME_ENDPOINT", expected + ", or AZURE_RESOURCE, the bare name")
        elif not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", resource):
            read.add_mistake(
                "AZURE_RESOURCE", "the bare resource name: letters, digits and hyphens"
            )
        return f"https://{resource}.openai.azure.com"
    parts = urlsplit(value)
    preview = "api-version" in parts.query or "realtimeapi" in value or "realtimertc" in value
    if preview or parts.path.rstrip("/").endswith("/openai/realtime"):
        read.add_mistake("REALTIME_ENDPOINT", f"the GA endpoint, not a preview one: {expected}")
    elif parts.path.rstrip("/") not in ("", "/openai/v1", "/v1") or parts.query or parts.fragment:
        read.add_mistake("REALTIME_ENDPOINT", expected)
    elif parts.username or not parts.hostname or not is_safe_scheme(parts.scheme, parts.hostname):
        read.add_mistake("REALTIME_ENDPOINT", expected + " (http only for this machine itself)")
    return f"{parts.scheme}://{parts.netloc}"


def read_session(read: EnvReader, root: Path) -> SessionSettings:
    return SessionSettings(
        profiles=root / (read.read_text("REALTIME_PROFILES") or "profiles"),
        model=read.read_text("REALTIME_MODEL") or "",
        voice=read.read_text("REALTIME_VOICE"),
        instructions=read.read_text("REALTIME_INSTRUCTIONS"),
        transcription_model=read.read_text("REALTIME_TRANSCRIPTION_MODEL"),
    )


def read_callers(read: EnvReader) -> CallerSettings:
    return CallerSettings(
        methods=read.read_parsed(
            "CALLER_AUTH",
            parse_caller_auth,
            ("static-web-apps",),
            'one or more of "static-web-apps", "entra", "anonymous", comma-separated',
        ),
        entra_tenant=read.read_text("ENTRA_TENANT_ID"),
        entra_audience=read.read_text("ENTRA_AUDIENCE"),
        entra_scope=read.read_text("ENTRA_REQUIRED_SCOPE"),
        allowed_origins=read.read_parsed(
            "ALLOWED_ORIGINS",
            parse_origins,
            frozenset(),
            "exact origins like https://pages.example.com or capacitor://localhost, "
            "comma-separated: no *, no null, no file:, nothing after the host",
        ),
        trusted_proxies=read.read_number("CALLER_TRUSTED_PROXIES", 0, 0, 10),
    )


def read_secrets(read: EnvReader) -> SecretSettings:
    return SecretSettings(
        vault_uri=read.read_parsed(
            "KEY_VAULT_URI", parse_https_host, None, "https://<vault>.vault.azure.net"
        ),
        vault_ttl=read.read_seconds("KEY_VAULT_TTL_SECONDS", 300, 1, 86_400),
        broker_secrets=read.read_parsed(
            "BROKER_SECRET",
            parse_broker_secrets,
            (),
            "32 bytes or more, for example 64 hex digits",
        ),
        broker_secret_name=read.read_text("BROKER_SECRET_NAME"),
    )


def read_limits(read: EnvReader) -> Limits:
    return Limits(
        starts_per_minute=read.read_number("LIMIT_STARTS_PER_MINUTE", 6, 0, 5000),
        live_calls=read.read_number("LIMIT_LIVE_CALLS", 2, 0, 5000),
        call_length=read.read_seconds(
            "LIMIT_CALL_SECONDS", 900, 10, int(LONGEST_CALL.total_seconds())
        ),
        tokens_per_day=read.read_number("LIMIT_TOKENS_PER_DAY", 0, 0, 10**12),
        live_calls_total=read.read_number("LIMIT_LIVE_CALLS_TOTAL", 0, 0, 10**6),
    )


def read_observer(read: EnvReader) -> ObserverSettings:
    default: Observer = "eager"
    return ObserverSettings(
        mode=read.read_parsed("OBSERVER", parse_observer, default, '"off", "eager" or "required"'),
        transcripts=read.read_switch("TRANSCRIPTS", False),
        redaction=read.read_switch("TRANSCRIPT_REDACTION", True),
    )


def check_model(read: EnvReader, settings: Settings) -> None:
    if not settings.session.model:
        azure = settings.endpoint.provider == "azure"
        read.add_mistake("REALTIME_MODEL", f"the {'deployment' if azure else 'model'}'s name")


def check_credentials(read: EnvReader, settings: Settings) -> None:
    """A secret's name needs a vault; OpenAI does not accept a managed identity."""
    endpoint, secrets = settings.endpoint, settings.secrets
    for name, value in (
        ("REALTIME_API_KEY_SECRET", endpoint.key_secret),
        ("BROKER_SECRET_NAME", secrets.broker_secret_name),
    ):
        if value and not secrets.vault_uri and "KEY_VAULT_URI" not in read.env:
            read.add_mistake("KEY_VAULT_URI", f"the vault that holds the secret of {name}")
    if endpoint.key and endpoint.key_secret:
        read.add_mistake(
            "REALTIME_API_KEY", "nothing where REALTIME_API_KEY_SECRET is set: choose one"
        )
    if endpoint.provider == "openai" and not (endpoint.key or endpoint.key_secret):
        read.add_mistake("REALTIME_API_KEY", "a key, or REALTIME_API_KEY_SECRET with KEY_VAULT_URI")
    if settings.in_azure and not (secrets.broker_secrets or secrets.broker_secret_name):
        read.add_mistake(
            "BROKER_SECRET", "32 bytes or more, or BROKER_SECRET_NAME with KEY_VAULT_URI"
        )


def check_callers(read: EnvReader, settings: Settings) -> None:
    """Entra tokens are checked against a tenant, an audience and a scope: all three are needed."""
    linked = (read.read_text("STATIC_WEB_APP_LINKED") or "").lower()
    if linked not in ("", "on", "off", "unchecked"):
        read.add_mistake("STATIC_WEB_APP_LINKED", '"on", "off" or "unchecked"')
    callers = settings.callers
    if "entra" in callers.methods:
        for name, value, expected in (
            ("ENTRA_TENANT_ID", callers.entra_tenant, "the tenant's id"),
            ("ENTRA_AUDIENCE", callers.entra_audience, "the broker's application id"),
            ("ENTRA_REQUIRED_SCOPE", callers.entra_scope, "a scope or app role, like call"),
        ):
            if not value:
                read.add_mistake(name, f'{expected}, because CALLER_AUTH contains "entra"')
