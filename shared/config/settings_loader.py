"""Reads the app settings into one frozen `Settings`; all mistakes are reported together.

docs/settings.md and local.settings.json.example list the same names, and a test holds the three
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared.config.clouds import Cloud
from shared.config.endpoint_list import read_endpoints
from shared.config.env import (
    NAME_IN_VAULT,
    CallerAuth,
    ConfigurationError,
    EnvReader,
    parse_broker_secrets,
    parse_caller_auth,
    parse_https_host,
    parse_origins,
    parse_secret_name,
)
from shared.config.gateway import NO_SIDEBAND
from shared.config.host_file import HostFile, read_host_file
from shared.config.limit_settings import check_limits, read_limits
from shared.config.live_settings import read_live
from shared.config.observer_settings import read_observer
from shared.config.settings import (
    CallerSettings,
    SecretSettings,
    SessionSettings,
    Settings,
    TokenSettings,
)
from shared.config.sign_in import read_entra
from shared.config.storage_account import check_storage

NAME = "a name: one word"
PLATFORM_SETTINGS = ("AzureWebJobsStorage", "APPLICATIONINSIGHTS_", "AZURE_", "FUNCTIONS_")
PREFIXES = (
    *("REALTIME_", "CALLER_", "BROKER_", "KEY_VAULT_", "LIMIT_", "ENTRA_", "TRANSCRIPT"),
    *("RETRY_", "PRICE_", "RECORDING", "LIVE_", "SLOW_", "CALL_ENDED"),
)
NAMES = (
    "REALTIME_PROVIDER",
    "REALTIME_ENDPOINT",
    "REALTIME_ENDPOINTS",
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
    "REALTIME_GATEWAY_HEADER",
    "REALTIME_GATEWAY_KEY",
    "REALTIME_GATEWAY_KEY_SECRET",
    "REALTIME_GATEWAY_AUTH",
    "REALTIME_SIDEBAND_ENDPOINT",
    "LIVE_MODEL",
    "LIVE_DELEGATION_MODEL",
    "LIVE_SESSION_FIELDS",
    "KEY_VAULT_URI",
    "KEY_VAULT_TTL_SECONDS",
    "TOKEN_ENDPOINT",
    "TOKEN_SECONDS",
    "CALLER_AUTH",
    "STATIC_WEB_APP_LINKED",
    "ENTRA_TENANT_ID",
    "ENTRA_AUDIENCE",
    "ENTRA_REQUIRED_SCOPE",
    "ENTRA_ISSUER",
    "ENTRA_KEYS_URL",
    "ENTRA_APP_KEYS",
    "ALLOWED_ORIGINS",
    "CALLER_TRUSTED_PROXIES",
    "LIMIT_STARTS_PER_MINUTE",
    "LIMIT_LIVE_CALLS",
    "LIMIT_CALL_SECONDS",
    "LIMIT_CONVERSATION_SECONDS",
    "LIMIT_TOKENS_PER_DAY",
    "LIMIT_SECONDS_PER_DAY",
    "LIMIT_LIVE_CALLS_TOTAL",
    "LIVE_MAX_SESSIONS",
    "OBSERVER",
    "OBSERVER_CAPACITY",
    "TRANSCRIPTS",
    "TRANSCRIPT_REDACTION",
    "RECORDINGS",
    "RETRY_FAILED_RESPONSES",
    "SLOW_TURN_MS",
    "PRICE_TABLE",
    "CALL_ENDED_EVENTS",
    "BROKER_SECRET",
    "BROKER_SECRET_NAME",
)
"""Every setting that `load_settings` reads; the test of the docs uses it too."""


def load_settings(env: Mapping[str, str], root: Path) -> Settings:
    """Reads the settings from the environment; relative paths start at the app's folder `root`.

    Raises `ConfigurationError` with all mistakes together.
    """
    read = EnvReader(env)
    endpoints = read_endpoints(read)
    settings = Settings(
        endpoints=endpoints,
        session=read_session(read, root),
        live=read_live(read),
        callers=read_callers(read, endpoints[0].cloud),
        secrets=read_secrets(read),
        tokens=TokenSettings(
            enabled=read.read_switch("TOKEN_ENDPOINT", True),
            # An ephemeral key lives from 10 s to 2 h, measured (docs/adr/0001); why 15 s: 0011.
            life=read.read_seconds("TOKEN_SECONDS", 15, 10, 7200),
        ),
        limits=read_limits(read),
        observer=read_observer(read, root),
        in_azure="WEBSITE_SITE_NAME" in env,
        host=read_host_file(root, env),
        call_ended_events=read.read_switch("CALL_ENDED_EVENTS", False),
    )
    check_model(read, settings)
    check_credentials(read, settings)
    check_sideband(read, settings)
    check_recordings(read, settings)
    check_limits(read, settings.limits)
    check_switches(read)
    check_host(read, settings.host)
    check_storage(read, in_azure=settings.in_azure)
    read.check_names(PREFIXES, NAMES)
    if read.mistakes:
        raise ConfigurationError(read.mistakes)
    return settings


def read_session(read: EnvReader, root: Path) -> SessionSettings:
    return SessionSettings(
        profiles=root / (read.read_text("REALTIME_PROFILES") or "profiles"),
        model=read.read_word("REALTIME_MODEL", NAME) or "",
        voice=read.read_word("REALTIME_VOICE", NAME),
        instructions=read.read_free_text("REALTIME_INSTRUCTIONS"),
        transcription_model=read.read_word("REALTIME_TRANSCRIPTION_MODEL", NAME),
    )


def read_callers(read: EnvReader, cloud: Cloud) -> CallerSettings:
    default: tuple[CallerAuth, ...] = ("static-web-apps",)
    methods = read.read_parsed(
        "CALLER_AUTH",
        parse_caller_auth,
        default,
        'one or more of "static-web-apps", "entra", "anonymous", comma-separated',
    )
    return CallerSettings(
        methods=methods,
        entra=read_entra(read, cloud) if "entra" in methods else None,
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
            quoted=True,
        ),
        broker_secret_name=read.read_parsed(
            "BROKER_SECRET_NAME", parse_secret_name, None, NAME_IN_VAULT
        ),
    )


def check_model(read: EnvReader, settings: Settings) -> None:
    if not settings.session.model:
        azure = settings.endpoint.provider == "azure"
        read.add_mistake("REALTIME_MODEL", f"the {'deployment' if azure else 'model'}'s name")


def check_credentials(read: EnvReader, settings: Settings) -> None:
    """A secret's name needs a vault; OpenAI does not accept a managed identity."""
    endpoint, secrets = settings.endpoint, settings.secrets
    gateway = endpoint.gateway
    several = "REALTIME_ENDPOINTS" if read.env.get("REALTIME_ENDPOINTS") else None
    for name, value in (
        *((several or "REALTIME_API_KEY_SECRET", each.key_secret) for each in settings.endpoints),
        ("REALTIME_GATEWAY_KEY_SECRET", gateway and gateway.key_secret),
        ("BROKER_SECRET_NAME", secrets.broker_secret_name),
    ):
        if value and not secrets.vault_uri and "KEY_VAULT_URI" not in read.env:
            read.add_mistake("KEY_VAULT_URI", f"the vault that holds the secret of {name}")
    if endpoint.key and endpoint.key_secret:
        read.add_mistake(
            "REALTIME_API_KEY", "nothing where REALTIME_API_KEY_SECRET is set: choose one"
        )
    beside = gateway is not None and not gateway.instead and gateway.header.lower() == "api-key"
    if beside and endpoint.provider == "azure" and (endpoint.key or endpoint.key_secret):
        read.add_mistake(
            "REALTIME_GATEWAY_HEADER", "another header than api-key, which carries REALTIME_API_KEY"
        )
    if endpoint.provider == "openai" and endpoint.needs_identity and several is None:
        read.add_mistake("REALTIME_API_KEY", "a key, or REALTIME_API_KEY_SECRET with KEY_VAULT_URI")
    if settings.in_azure and not (secrets.broker_secrets or secrets.broker_secret_name):
        read.add_mistake(
            "BROKER_SECRET", "32 bytes or more, or BROKER_SECRET_NAME with KEY_VAULT_URI"
        )


def check_sideband(read: EnvReader, settings: Settings) -> None:
    """Nothing can be observed where no sideband is served."""
    if settings.endpoint.sideband_url == NO_SIDEBAND and settings.observer.mode != "off":
        read.add_mistake("OBSERVER", '"off", because REALTIME_SIDEBAND_ENDPOINT is "off"')


def check_recordings(read: EnvReader, settings: Settings) -> None:
    """What nobody observes is not recorded, and whoever turns recording on relies on it."""
    if settings.observer.recordings and settings.observer.mode == "off":
        read.add_mistake("RECORDINGS", "off where OBSERVER is off: observers record calls")


def check_host(read: EnvReader, host: HostFile) -> None:
    """Messages are Base64, as Functions has them by default: otherwise no call would be ended."""
    if host.encoding != "base64":
        read.add_mistake("host.json", '"messageEncoding": "base64", or none, for the queues')


def check_switches(read: EnvReader) -> None:
    """What other modules read from the environment by themselves."""
    linked = (read.read_value("STATIC_WEB_APP_LINKED") or "").lower()
    if linked not in ("", "on", "off", "unchecked"):
        read.add_mistake("STATIC_WEB_APP_LINKED", '"on", "off" or "unchecked"')
    # Without it the platform itself cannot work, and its errors do not name the setting.
    read.check_platform_references(PLATFORM_SETTINGS)
