"""The model's endpoint, API by API: who starts and ends its calls, and who follows them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import timedelta

from shared.calls.voice_client import VoiceClients
from shared.config.settings import Settings
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.clock import Clock
from shared.credentials.credentials import Credentials
from shared.live.voice_endpoint import LiveEndpoint, open_live_endpoint
from shared.realtime.model_endpoint import ModelEndpoint, open_model_endpoint
from shared.realtime.voice_client import RealtimeVoice
from shared.sideband.sideband import Connect


@dataclass(frozen=True, slots=True)
class VoiceEndpoints:
    """`clients` start and end the calls of each API, `connects` dial their sidebands; `realtime`
    and `live` have what is each API's own."""

    realtime: ModelEndpoint
    live: LiveEndpoint
    clients: VoiceClients
    connects: Mapping[VoiceApi, Connect]


def open_voice_endpoints(
    settings: Settings,
    credentials: Credentials,
    budget: timedelta,
    pool: Executor,
    clock: Clock,
) -> VoiceEndpoints:
    """`budget` is for minting a key; sidebands read their credential on `pool`."""
    realtime = open_model_endpoint(settings.endpoint, credentials, budget, pool, clock)
    live = open_live_endpoint(settings, credentials, pool)
    return VoiceEndpoints(
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
