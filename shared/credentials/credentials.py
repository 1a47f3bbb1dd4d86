"""The credentials that the settings ask for, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from shared.config.settings import Settings
from shared.core.clock import Clock
from shared.credentials.broker_secret import SecretSource, open_broker_secret
from shared.credentials.endpoint_credential import (
    Credential,
    GatewayCredential,
    GatewayHeader,
    no_headers,
    open_credential,
)
from shared.credentials.identity import open_identity
from shared.credentials.key_vault import SecretStore, open_vault

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the broker authenticates, and the secrets that it holds. `beside_key` gives the headers
    that go with an ephemeral key."""

    vault: SecretStore
    secret: SecretSource
    endpoint: Credential
    sideband: Credential
    beside_key: Callable[[], Mapping[str, str]] = no_headers


def open_credentials(settings: Settings, env: Mapping[str, str], clock: Clock) -> Credentials:
    identity: Callable[[], TokenCredential] = cache(partial(open_identity, env))
    vault = open_vault(settings.secrets, identity, clock)
    secret = open_broker_secret(settings.secrets, vault)
    own = open_credential(settings.endpoint, identity, vault, clock)
    gateway = settings.endpoint.gateway
    if gateway is None:
        return Credentials(vault=vault, secret=secret, endpoint=own, sideband=own)
    header = GatewayHeader(gateway, vault)
    both = GatewayCredential(own, header)
    return Credentials(
        vault=vault,
        secret=secret,
        endpoint=both,
        sideband=own if settings.endpoint.sideband_elsewhere else both,
        beside_key=header.headers_beside_key,
    )
