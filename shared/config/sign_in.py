"""Reads what callers' Entra tokens are checked against.

Tokens of Entra itself are recognised by their tenants. Those of External ID, of Azure AD B2C and of
a domain of one's own have an issuer that only its own discovery document knows: it is a setting, as
the address of its keys is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from shared.config.clouds import CLOUDS, Cloud
from shared.config.env import GUID, EnvReader, Unusable, is_host, is_safe_scheme
from shared.config.settings import EntraSettings, TokenIssuer
from shared.config.unusable_values import is_placeholder

T = TypeVar("T")

NO_TENANT = "00000000-0000-0000-0000-000000000000"
EXTERNAL_ID = ".ciamlogin.com"
B2C = ".b2clogin.com"
GRAPH = ("00000003-0000-0000-c000-000000000000", "https://graph.microsoft.com")
KEYS_PATH = "discovery/v2.0/keys"
TENANT = (
    "the tenant's id, a GUID, or several, comma-separated: not common, organizations, consumers or "
    "a domain (az account show --query tenantId)"
)
AUDIENCE = (
    "the broker's application id or its App ID URI, like api://<id> or "
    "https://<tenant>.onmicrosoft.com/<app>, or several, comma-separated"
)
SCOPE = "the bare name of one scope or app role, like call: no URI, no /.default"
ISSUER = (
    "the `issuer` of the sign-in's /.well-known/openid-configuration, with the tenant's id in it, "
    "or several, comma-separated"
)
KEYS = "the `jwks_uri` of the sign-in's /.well-known/openid-configuration"
NOT_OURS = frozenset({"openid", "profile", "email", "offline_access", ".default"})
"""Scopes that no token for an API of one's own is issued for."""


def read_entra(read: EnvReader, cloud: Cloud) -> EntraSettings:
    """What CALLER_AUTH=entra needs; tenants sign in to `cloud` where no issuer is set."""
    none: tuple[str, ...] = ()
    tenants = read.read_parsed("ENTRA_TENANT_ID", each(parse_tenant), none, TENANT)
    audiences = read.read_parsed("ENTRA_AUDIENCE", each(parse_audience), none, AUDIENCE)
    scope = read.read_parsed("ENTRA_REQUIRED_SCOPE", parse_required_scope, "", SCOPE)
    issuers = read.read_parsed("ENTRA_ISSUER", each(parse_issuer), none, ISSUER)
    keys = read.read_parsed("ENTRA_KEYS_URL", parse_keys_url, None, KEYS)
    of_app = read.read_switch("ENTRA_APP_KEYS", False)
    because = ', because CALLER_AUTH contains "entra"'
    if not tenants and not issuers:
        read.add_mistake("ENTRA_TENANT_ID", TENANT + because)
    if not audiences:
        read.add_mistake("ENTRA_AUDIENCE", AUDIENCE + because)
    if not scope:
        read.add_mistake("ENTRA_REQUIRED_SCOPE", SCOPE + because)
    query = app_query(read, audiences, keys) if of_app else ""
    if issuers:
        trusted = [issuer_of_setting(read, name, keys, cloud, query) for name in issuers]
    else:
        trusted = [
            replace(issuer, keys_url=keys or issuer.keys_url)
            for tenant in tenants
            for issuer in issuers_of_tenant(tenant, cloud, query)
        ]
    if tenants and any(one.tenant not in (None, *tenants) for one in trusted):
        read.add_mistake("ENTRA_ISSUER", "an issuer of a tenant that ENTRA_TENANT_ID has")
    return EntraSettings(tuple(trusted), tuple(tenants), audiences, scope)


def each(parse: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    """Parses a list, comma-separated, without duplicates."""

    def parse_list(value: str) -> tuple[T, ...]:
        return tuple(
            dict.fromkeys(parse(part.strip()) for part in value.split(",") if part.strip())
        )

    return parse_list


def parse_tenant(value: str) -> str:
    tenant = value.lower()
    if not GUID.fullmatch(tenant) or tenant == NO_TENANT:
        raise ValueError
    return tenant


def parse_audience(value: str) -> str:
    """An application id in lower case, or an App ID URI as it is written."""
    bare = value.removeprefix("api://")
    id_of_app, _, rest = bare.partition("/")
    if GUID.fullmatch(id_of_app.lower()):
        if rest or id_of_app == NO_TENANT:
            raise Unusable(f"{AUDIENCE}; the scope's name goes into ENTRA_REQUIRED_SCOPE")
        value = value.lower()
    if value.rstrip("/") in GRAPH:
        raise Unusable(f"{AUDIENCE}: tokens for Microsoft Graph are Graph's alone to check")
    if not bare.strip("/") or bare.endswith("://") or bare.startswith("/"):
        raise ValueError
    if re.search(r"\s", value) or is_placeholder(value) or value.endswith("/.default"):
        raise ValueError
    return value


def parse_required_scope(value: str) -> str:
    if re.search(r"[\s,<>]|://|^/|/\.default$", value) or value.lower() in NOT_OURS:
        raise ValueError
    if GUID.match(value.lower()):
        raise ValueError
    return value


def parse_issuer(value: str) -> str:
    """An issuer exactly as tokens have it, a closing slash included."""
    parts = parse_address(value)
    if parts.query or ".well-known" in parts.path:
        raise ValueError
    if not is_microsofts(parts):
        return value
    name = re.sub(GUID.pattern, lambda found: found[0].lower(), value, flags=re.IGNORECASE)
    if tenant_in(urlsplit(name)) is None:
        raise ValueError
    return name


def parse_keys_url(value: str) -> str:
    parts = parse_address(value)
    if not parts.path.strip("/") or ".well-known" in parts.path:
        raise ValueError
    if is_microsofts(parts) and not parts.path.rstrip("/").endswith("/keys"):
        raise ValueError
    return value


def parse_address(value: str) -> SplitResult:
    parts = urlsplit(value)
    if not is_host(parts.hostname) or not is_safe_scheme(parts.scheme, parts.hostname or ""):
        raise ValueError
    if parts.fragment or parts.username is not None or re.search(r"[\s<>{}]", value):
        raise ValueError
    return parts


def is_microsofts(parts: SplitResult) -> bool:
    """Whether the host is one of Entra's, of External ID's or of B2C's."""
    host = parts.hostname or ""
    return bool(clouds_of_sign_in(host)) or host.endswith((EXTERNAL_ID, B2C))


def clouds_of_sign_in(host: str) -> list[Cloud]:
    """The clouds whose users sign in at that host, or whose tokens it issues: sts.windows.net is
    that of two."""
    return [cloud for cloud in CLOUDS if host in cloud.sign_in_hosts]


def tenant_in(parts: SplitResult) -> str | None:
    """The tenant's id in an issuer's path."""
    return next((part for part in parts.path.split("/") if GUID.fullmatch(part)), None)


def issuers_of_tenant(tenant: str, cloud: Cloud, query: str) -> tuple[TokenIssuer, ...]:
    """Entra's issuers of v2 and v1 tokens, which share their keys."""
    keys = f"{cloud.authority_url}/{tenant}/{KEYS_PATH}{query}"
    names = (f"{cloud.authority_url}/{tenant}/v2.0", f"https://{cloud.v1_issuer}/{tenant}/")
    return tuple(TokenIssuer(name, keys, tenant, standard=True) for name in names)


def issuer_of_setting(
    read: EnvReader, name: str, keys: str | None, cloud: Cloud, query: str
) -> TokenIssuer:
    """The issuer of ENTRA_ISSUER, with the keys of ENTRA_KEYS_URL or where they are known to be."""
    parts = urlsplit(name)
    tenant, clouds = tenant_in(parts), clouds_of_sign_in(parts.hostname or "")
    known = known_keys(parts, tenant, cloud if cloud in clouds else next(iter(clouds), None))
    if keys is None and known is None:
        read.add_mistake("ENTRA_KEYS_URL", f"{KEYS}, because ENTRA_ISSUER does not tell it")
    published = clouds_of_sign_in(urlsplit(keys or "").hostname or "")
    if clouds and published and not any(one in clouds for one in published):
        read.add_mistake("ENTRA_KEYS_URL", f"keys of {clouds[0].name}, as ENTRA_ISSUER is")
    return TokenIssuer(name, keys or f"{known}{query}", tenant, standard=bool(clouds))


def known_keys(parts: SplitResult, tenant: str | None, cloud: Cloud | None) -> str | None:
    """Where an issuer's keys are, if its name tells it."""
    host = parts.hostname or ""
    if tenant is None:
        return None
    if cloud is not None:
        return f"{cloud.authority_url}/{tenant}/{KEYS_PATH}"
    if host.endswith(EXTERNAL_ID):
        return f"https://{host}/{tenant}/{KEYS_PATH}"
    _, kind, _, policy, *_ = [*parts.path.split("/"), "", "", ""]
    if host.endswith(B2C) and kind == "tfp" and policy:
        return f"https://{host}/{tenant}/{policy}/{KEYS_PATH}"
    return None


def app_query(read: EnvReader, audiences: tuple[str, ...], keys: str | None) -> str:
    """The query that asks for an app's own signing keys."""
    ids = [audience.removeprefix("api://") for audience in audiences]
    found = next((one for one in ids if GUID.fullmatch(one)), None)
    if keys is not None:
        read.add_mistake(
            "ENTRA_APP_KEYS", '"off" beside ENTRA_KEYS_URL: put ?appid=<application id> there'
        )
    elif found is None and audiences:
        read.add_mistake("ENTRA_AUDIENCE", "the application id too, for ENTRA_APP_KEYS=on")
    return f"?appid={found}"
