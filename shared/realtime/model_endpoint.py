"""The model's endpoint as the settings describe it: its client, its keys, its sideband."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta

from shared.config.gateway import NO_SIDEBAND
from shared.config.settings import EndpointSettings
from shared.core.clock import Clock
from shared.core.http_session import authorities, open_session
from shared.credentials.credentials import Credentials, EndpointAccess
from shared.realtime.client import RealtimeClient
from shared.realtime.ephemeral_key_cache import EphemeralKeyCache, KeyMinter
from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.connector import SidebandConnector, no_sideband
from shared.sideband.sideband import Connect


@dataclass(frozen=True, slots=True)
class ModelEndpoint:
    """The endpoint that answers calls: its REST client, its keys, its sideband."""

    client: RealtimeClient
    minter: KeyMinter
    keys: EphemeralKeyCache
    connector: Connect


def open_model_endpoint(
    endpoint: EndpointSettings,
    credentials: Credentials,
    budget: timedelta,
    pool: Executor,
    clock: Clock,
) -> ModelEndpoint:
    """`budget` is for minting a key; sidebands read their credential on `pool`."""
    access = credentials.endpoints[endpoint.name]
    client = RealtimeClient(
        endpoint.provider,
        endpoint.url,
        access.endpoint,
        open_session(endpoint.url),
        clock=clock,
        beside_key=access.beside_key,
        name=endpoint.name_in_logs,
    )
    minter = KeyMinter(client, credentials.vault, budget)
    return ModelEndpoint(
        client=client,
        minter=minter,
        keys=EphemeralKeyCache(minter.mint_key, clock=clock),
        connector=open_connector(endpoint, client, access, pool),
    )


def open_connector(
    endpoint: EndpointSettings, client: RealtimeClient, access: EndpointAccess, pool: Executor
) -> Connect:
    if endpoint.sideband_url == NO_SIDEBAND:
        return no_sideband
    base = client.base
    if endpoint.sideband_url:
        base = endpoint.sideband_url + client.traits.base
    return SidebandConnector(
        base,
        access.sideband.headers,
        REALTIME_SIDEBAND,
        executor=pool,
        authorities=authorities(),
        name=endpoint.name_in_logs,
    )
