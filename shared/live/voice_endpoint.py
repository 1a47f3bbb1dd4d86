"""GPT-Live at the model's endpoint as the settings describe it: its client and its sideband."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from shared.config.gateway import NO_SIDEBAND
from shared.config.settings import EndpointSettings, Settings
from shared.core.http_session import authorities, open_session
from shared.credentials.credentials import Credentials, EndpointAccess
from shared.live.client import BASES, LiveClient
from shared.live.session_end import SessionEnder
from shared.live.sideband_contract import LIVE_SIDEBAND, LIVE_SIDEBAND_WITH_AUDIO
from shared.sideband.connector import SidebandConnector, no_sideband
from shared.sideband.sideband import Connect


@dataclass(frozen=True, slots=True)
class LiveEndpoint:
    """Where sessions of GPT-Live are created, ended and followed."""

    client: LiveClient
    connector: Connect


def open_live_endpoint(
    settings: Settings, endpoint: EndpointSettings, credentials: Credentials, pool: Executor
) -> LiveEndpoint:
    """Sidebands read their credential on `pool`."""
    access = credentials.endpoints[endpoint.name]
    connector = open_connector(endpoint, access, pool, with_audio=settings.observer.recordings)
    client = LiveClient(
        endpoint.provider,
        endpoint.url,
        access.endpoint,
        open_session(endpoint.url),
        vault=credentials.vault,
        fields=settings.live.fields_at(endpoint.provider),
        ender=SessionEnder(connector),
        name=endpoint.name_in_logs,
    )
    return LiveEndpoint(client, connector)


def open_connector(
    endpoint: EndpointSettings, access: EndpointAccess, pool: Executor, *, with_audio: bool
) -> Connect:
    if endpoint.sideband_url == NO_SIDEBAND:
        return no_sideband
    base = (endpoint.sideband_url or endpoint.url) + BASES[endpoint.provider]
    return SidebandConnector(
        base,
        access.sideband.headers,
        LIVE_SIDEBAND_WITH_AUDIO if with_audio else LIVE_SIDEBAND,
        executor=pool,
        authorities=authorities(),
        name=endpoint.name_in_logs,
    )
