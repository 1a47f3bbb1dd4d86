"""The model's endpoints, API by API: who starts and ends their calls, and who follows them.

A call belongs to one endpoint from its key to its hang-up; its record and its handle say which.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta

from shared.calls.call_record import stored_name
from shared.calls.removed_endpoint import removed_clients, removed_connects
from shared.calls.voice_client import VoiceClients
from shared.config.deployments import deployed_profile
from shared.config.profiles import Profile
from shared.config.settings import DEFAULT_ENDPOINT, EndpointSettings, Settings
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.clock import Clock
from shared.credentials.credentials import Credentials
from shared.live.voice_endpoint import LiveEndpoint, open_live_endpoint
from shared.realtime.model_endpoint import ModelEndpoint, open_model_endpoint
from shared.realtime.voice_client import RealtimeVoice
from shared.sideband.sideband import Connect
from shared.upstream.endpoints import Endpoints, endpoint_of


@dataclass(frozen=True, slots=True)
class VoiceEndpoint:
    """One endpoint. `clients` start and end the calls of each API, `connects` dial their sidebands;
    `realtime` and `live` have what is each API's own."""

    settings: EndpointSettings
    realtime: ModelEndpoint
    live: LiveEndpoint
    clients: VoiceClients
    connects: Mapping[VoiceApi, Connect]

    @property
    def name(self) -> str:
        return self.settings.name

    def deployed(self, profile: Profile) -> Profile:
        """The profile with the deployments of this endpoint in place of its models."""
        return deployed_profile(profile, self.settings.models)


@dataclass(frozen=True, slots=True)
class VoiceEndpoints:
    """All endpoints by name, the default one first. `choice` knows which are well."""

    by_name: Mapping[str, VoiceEndpoint]
    choice: Endpoints

    @property
    def default(self) -> VoiceEndpoint:
        """The endpoint of calls whose record or handle names none."""
        return next(iter(self.by_name.values()))

    def named(self, name: str) -> VoiceEndpoint | None:
        """The endpoint of a call; None if it is not in the settings any more."""
        if name in ("", DEFAULT_ENDPOINT):
            return self.default
        return self.by_name.get(name)

    def clients(self, name: str) -> VoiceClients:
        """What starts and ends the calls of an endpoint."""
        found = self.named(name)
        return removed_clients(name) if found is None else found.clients

    def connects(self, name: str) -> Mapping[VoiceApi, Connect]:
        """What dials the sidebands of an endpoint's calls."""
        found = self.named(name)
        return removed_connects(name) if found is None else found.connects

    def deployed(self, profile: Profile, name: str) -> Profile:
        """The profile as the calls of an endpoint have it."""
        found = self.named(name)
        return profile if found is None else found.deployed(profile)

    def at_address(self, url: str) -> frozenset[str]:
        """The names of the endpoints at that address, as bookings of keys have them."""
        names = (each.name for each in self.by_name.values() if each.settings.url == url)
        return frozenset(map(stored_name, names))


def open_voice_endpoints(
    settings: Settings,
    credentials: Credentials,
    budget: timedelta,
    pool: Executor,
    clock: Clock,
) -> VoiceEndpoints:
    """`budget` is for minting a key; sidebands read their credential on `pool`."""
    opened: dict[str, VoiceEndpoint] = {}
    for each in settings.endpoints:
        realtime = open_model_endpoint(each, credentials, budget, pool, clock)
        live = open_live_endpoint(settings, each, credentials, pool)
        opened[each.name] = VoiceEndpoint(
            settings=each,
            realtime=realtime,
            live=live,
            clients={
                REALTIME: RealtimeVoice(
                    realtime.client, realtime.keys, credentials.vault, realtime.connector
                ),
                LIVE: live.client,
            },
            connects={REALTIME: realtime.connector, LIVE: live.connector},
        )
    return VoiceEndpoints(opened, Endpoints(map(endpoint_of, settings.endpoints)))
