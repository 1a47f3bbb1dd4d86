"""Call services for tests, in front of a scripted endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from shared.auth.caller import Caller
from shared.calls.continuation import Continuations
from shared.calls.dispatch import CallDispatcher
from shared.calls.failover import Failover
from shared.calls.handles import Handles
from shared.calls.records import Records
from shared.calls.service import CallPolicy, CallService
from shared.calls.termination import CallTerminator
from shared.calls.voice_client import VoiceClients
from shared.calls.voice_endpoints import VoiceEndpoint
from shared.config.env import Provider
from shared.config.live_settings import OPTIONAL_FIELDS
from shared.config.profiles import Profile
from shared.config.settings import DEFAULT_ENDPOINT, Limits
from shared.config.voice_api import LIVE, REALTIME
from shared.core.clock import Clock
from shared.limits.ledger_store import Ledger
from shared.live.client import LiveClient
from shared.live.session_end import SessionEnder
from shared.realtime.client import RealtimeClient
from shared.realtime.ephemeral_key_cache import EphemeralKeyCache, KeyMinter
from shared.realtime.voice_client import RealtimeVoice
from shared.sideband.connector import no_sideband
from shared.storage.memory import MemoryStorage
from tests.support.fixed_credential import FixedCredential
from tests.support.scripted_endpoint import (
    Upstream,
)
from tests.support.vaults import FixedVault
from tests.support.voice_endpoints import endpoint_settings, endpoints_of, voice_endpoint

MINT = "/openai/v1/realtime/client_secrets"
CALLS = "/openai/v1/realtime/calls"
PROFILE = Profile("default", {"type": "realtime", "model": "m", "instructions": "hidden words"})
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "a secret of the broker, for tests"
HANDLES = Handles(SECRET, clock=lambda: NOW)


def a_caller(name: str = "caller-1") -> Caller:
    return Caller(name, frozenset(), "anonymous")


VAULT = FixedVault({"hidden": "instructions of the vault"})
POOL = ThreadPoolExecutor(4)
UNLIMITED = Limits(starts_per_minute=0, live_calls=0)


def endpoint_at(
    url: str,
    provider: Provider = "azure",
    *,
    name: str = DEFAULT_ENDPOINT,
    models: Mapping[str, str] | None = None,
) -> VoiceEndpoint:
    """An endpoint at that address, without sidebands."""
    session = requests.Session()
    session.trust_env = False
    client = RealtimeClient(
        provider,
        url,
        FixedCredential(),
        session,
        sleep=lambda _: None,
        name=name if name != DEFAULT_ENDPOINT else "",
    )
    live_client = LiveClient(
        provider,
        url,
        FixedCredential(),
        session,
        vault=VAULT,
        fields=frozenset(OPTIONAL_FIELDS) if provider == "openai" else frozenset(),
        ender=SessionEnder(no_sideband),
    )
    minter = KeyMinter(client, VAULT, timedelta(seconds=5))
    keys = EphemeralKeyCache(minter.mint_key, clock=lambda: NOW)
    voices: VoiceClients = {REALTIME: RealtimeVoice(client, keys, VAULT), LIVE: live_client}
    settings = endpoint_settings(url, provider, name=name, models=models)
    return voice_endpoint(settings, client, keys, live_client, voices)


def calls(
    endpoint: Upstream,
    provider: Provider = "azure",
    ledger: Ledger | None = None,
    **policy: Any,
) -> CallService:
    """A service in front of one endpoint."""
    return calls_over(endpoint_at(endpoint.url, provider), ledger=ledger, **policy)


def calls_over(
    *opened: VoiceEndpoint,
    ledger: Ledger | None = None,
    clock: Clock = lambda: NOW,
    **policy: Any,
) -> CallService:
    """A service in front of those endpoints."""
    endpoints = endpoints_of(*opened)
    storage = MemoryStorage()
    counting = ledger or Ledger(storage.table("ledger"), UNLIMITED, clock=lambda: NOW)
    dispatcher = CallDispatcher(
        records=Records(storage.table("calls")),
        end_queue=storage.queue("end-call"),
        observe_queue=storage.queue("observe-call"),
        pool=POOL,
        clock=lambda: NOW,
    )
    return CallService(
        failover=Failover(endpoints, VAULT, clock),
        handles=lambda: HANDLES,
        ledger=counting,
        dispatcher=dispatcher,
        terminator=CallTerminator(
            endpoints.clients, counting, dispatcher.records, dispatcher.end_queue, lambda: NOW
        ),
        policy=CallPolicy(
            call_length=timedelta(minutes=15),
            token_life=timedelta(seconds=60),
            **policy,
        ),
        continuations=Continuations(
            records=dispatcher.records,
            transcripts=storage.log("transcripts"),
            end_queue=dispatcher.end_queue,
            clock=lambda: NOW,
        ),
    )


LIMITED = Limits(starts_per_minute=10, live_calls=2)


def limited(now: Callable[[], datetime] = lambda: NOW) -> Ledger:
    return Ledger(MemoryStorage().table("ledger"), LIMITED, clock=now)
