"""The parts that the settings choose: session, vault, secrets, ways to recognise callers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from shared import credentials
from shared.callers import Anonymous, Method, StaticWebApps, principals_are_genuine
from shared.clock import Clock
from shared.credentials import Vault
from shared.problems import Problem
from shared.reading import broker_secrets
from shared.settings import Settings

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential

POOLED_CONNECTIONS = 256
VAULT_TIMEOUT = timedelta(seconds=5)
Secrets = tuple[str, ...]


def authorities() -> str | None:
    """The certificates to trust that the environment names, as requests reads it."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


def open_session(endpoint: str) -> requests.Session:
    """One pooled keep-alive session for `endpoint`.

    The environment's proxy and CA bundle are read once, here: left to itself requests reads them
    at each request, and a ~/.netrc too, which would replace the Authorization header.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from requests.utils import get_environ_proxies

    session = requests.Session()
    session.trust_env = False
    session.proxies.update(get_environ_proxies(endpoint))
    session.verify = authorities() or True
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=POOLED_CONNECTIONS, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def open_vault(
    chosen: Settings, identity: Callable[[], TokenCredential], clock: Clock
) -> Vault | None:
    """Key Vault, where the settings name one."""
    if not chosen.vault_uri:
        return None
    fetch = credentials.vault_fetcher(chosen.vault_uri, identity, VAULT_TIMEOUT)
    return Vault(fetch, chosen.vault_ttl, clock)


def secret_source(chosen: Settings, vault: Vault | None) -> Callable[[], Secrets]:
    """Where the broker's secret comes from: a setting, the vault, or, on a laptop, nowhere."""
    name = chosen.broker_secret_name
    if chosen.broker_secrets or vault is None or name is None:
        those = chosen.broker_secrets or (secrets.token_hex(32),)
        return lambda: those

    def from_vault() -> Secrets:
        try:
            return broker_secrets(vault.secret(name))
        except ValueError:
            raise Problem("vault_secret_unavailable", "The broker's secret is too short.") from None

    return from_vault


def caller_methods(chosen: Settings, env: Mapping[str, str], clock: Clock) -> list[Method]:
    """The ways to recognise callers, in the order that CALLER_AUTH names them."""
    methods: list[Method] = []
    for kind in chosen.caller_auth:
        if kind == "static-web-apps":
            methods.append(StaticWebApps(principals_are_genuine(env, chosen.caller_auth)))
        elif kind == "entra":
            from shared import entra

            tenant = chosen.entra_tenant or ""
            keys = entra.TenantKeys(open_session(entra.AUTHORITY), tenant, clock=clock)
            audience, scope = chosen.entra_audience or "", chosen.entra_scope or ""
            methods.append(entra.Entra(keys, tenant, audience, scope))
        else:
            methods.append(Anonymous(chosen.trusted_proxies))
    return methods
