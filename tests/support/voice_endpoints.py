"""Endpoints for tests, put together around clients that a test has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from shared.calls.voice_client import VoiceClients
from shared.calls.voice_endpoints import VoiceEndpoint, VoiceEndpoints
from shared.config.clouds import PUBLIC
from shared.config.env import Provider
from shared.config.settings import DEFAULT_ENDPOINT, EndpointSettings
from shared.config.voice_api import LIVE, REALTIME
from shared.live.client import LiveClient
from shared.live.session_end import SessionEnder
from shared.live.voice_endpoint import LiveEndpoint
from shared.realtime.client import RealtimeClient
from shared.realtime.ephemeral_key_cache import EphemeralKeyCache, KeyMinter
from shared.realtime.model_endpoint import ModelEndpoint
from shared.realtime.voice_client import RealtimeVoice
from shared.sideband.connector import no_sideband
from shared.upstream.endpoints import Endpoints, endpoint_of
from tests.support.fixed_credential import FixedCredential
from tests.support.vaults import FixedVault


def endpoint_settings(
    url: str = "",
    provider: Provider = "azure",
    *,
    name: str = DEFAULT_ENDPOINT,
    models: Mapping[str, str] | None = None,
) -> EndpointSettings:
    """The settings of an endpoint that a fixed key is for."""
    return EndpointSettings(
        provider=provider,
        url=url,
        token_scope="",
        key="key",
        key_secret=None,
        safety_identifier=provider == "openai",
        cloud=PUBLIC,
        name=name,
        models=models,
    )


def voice_endpoint(
    settings: EndpointSettings,
    client: RealtimeClient,
    keys: EphemeralKeyCache,
    live_client: LiveClient,
    clients: VoiceClients | None = None,
) -> VoiceEndpoint:
    """An endpoint with those clients and without sidebands."""
    vault = FixedVault()
    return VoiceEndpoint(
        settings=settings,
        realtime=ModelEndpoint(
            client, KeyMinter(client, vault, timedelta(seconds=5)), keys, no_sideband
        ),
        live=LiveEndpoint(live_client, no_sideband),
        clients=clients or {REALTIME: RealtimeVoice(client, keys, vault), LIVE: live_client},
        connects={REALTIME: no_sideband, LIVE: no_sideband},
    )


def endpoints_of(*opened: VoiceEndpoint) -> VoiceEndpoints:
    """Those endpoints, all well."""
    choice = Endpoints(endpoint_of(each.settings) for each in opened)
    return VoiceEndpoints({each.name: each for each in opened}, choice)


def endpoints_without_starts(clients: VoiceClients, client: RealtimeClient) -> VoiceEndpoints:
    """One endpoint for tests in which calls only end."""
    import requests

    live_client = LiveClient(
        "azure",
        "",
        FixedCredential(),
        requests.Session(),
        vault=FixedVault(),
        fields=frozenset(),
        ender=SessionEnder(no_sideband),
    )

    def no_key(*_: object) -> object:
        raise AssertionError("no test with this endpoint starts a call")

    keys = EphemeralKeyCache(no_key, clock=None)  # type: ignore[arg-type]
    return endpoints_of(voice_endpoint(endpoint_settings(), client, keys, live_client, clients))
