"""The credentials that the settings ask for, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from shared.config.settings import EndpointSettings, Settings
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
class EndpointAccess:
    """How the broker authenticates to one endpoint. `beside_key` gives the headers that go with an
    ephemeral key."""

    endpoint: Credential
    sideband: Credential
    beside_key: Callable[[], Mapping[str, str]] = no_headers


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the broker authenticates to each endpoint, by its name, and the secrets that it holds."""

    vault: SecretStore
    secret: SecretSource
    endpoints: Mapping[str, EndpointAccess]


def open_credentials(settings: Settings, env: Mapping[str, str], clock: Clock) -> Credentials:
    # The identity is of the cloud that the endpoints are in.
    by_identity = (each.url for each in settings.endpoints if each.needs_identity)
    of_cloud = {**env, "REALTIME_ENDPOINT": next(by_identity, settings.endpoint.url)}
    identity: Callable[[], TokenCredential] = cache(partial(open_identity, of_cloud))
    vault = open_vault(settings.secrets, identity, clock)
    secret = open_broker_secret(settings.secrets, vault)
    access = {each.name: open_access(each, identity, vault, clock) for each in settings.endpoints}
    return Credentials(vault, secret, access)


def open_access(
    settings: EndpointSettings,
    identity: Callable[[], TokenCredential],
    vault: SecretStore,
    clock: Clock,
) -> EndpointAccess:
    """How the broker authenticates to that endpoint."""
    own = open_credential(settings, identity, vault, clock)
    if settings.gateway is None:
        return EndpointAccess(own, own)
    header = GatewayHeader(settings.gateway, vault)
    both = GatewayCredential(own, header)
    return EndpointAccess(
        endpoint=both,
        sideband=own if settings.sideband_elsewhere else both,
        beside_key=header.headers_beside_key,
    )
