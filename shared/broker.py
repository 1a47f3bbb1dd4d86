"""The broker, put together: settings -> the parts, once for the process's life.

The parts that cost time to import (requests, azure-identity, cryptography) are imported where they
are first used, so that the app is indexed at once.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared.admin.health import Check
from shared.admin.service import AdminService
from shared.auth.callers import Authenticator
from shared.auth.method import Caller
from shared.auth.methods import caller_methods
from shared.auth.origins import CrossOriginPolicy
from shared.calls.dispatch import CallDispatcher
from shared.calls.handles import Handles
from shared.calls.messages import END_QUEUE, OBSERVE_QUEUE
from shared.calls.records import Records
from shared.calls.service import BUDGET, CallPolicy, CallService
from shared.calls.termination import CallTerminator
from shared.config import profiles, settings
from shared.config.env import ConfigurationError
from shared.config.profiles import Profile, Profiles
from shared.config.settings import Settings
from shared.core import logs
from shared.core.clock import Clock, utc_now
from shared.core.deadline import Deadline
from shared.core.http_session import authorities, open_session
from shared.core.problems import Problem
from shared.credentials import endpoint
from shared.credentials.broker_secret import Secrets, secret_source
from shared.credentials.identity import identity as default_identity
from shared.credentials.key_vault import open_vault
from shared.limits.ledger import Ledger
from shared.observer.leases import Leases, attached_to
from shared.realtime.client import EphemeralKey, RealtimeClient
from shared.realtime.ephemeral_keys import EphemeralKeyCache
from shared.realtime.sideband import SidebandConnector
from shared.storage.factory import CONNECTION, is_configured, open_storage_from_env
from shared.tools.samples import sample_tools

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.observer.worker import ObserverWorker

ROOT = Path(__file__).parent.parent
LEDGER_TABLE = "ledger"
CALLS_TABLE = "calls"
LEASES_TABLE = "leases"
TRANSCRIPTS = "transcripts"
# An instance that dies leaves its calls unobserved for so long; each call costs a message and three
# small writes in that time (docs/scale.md).
LEASE = timedelta(seconds=30)
AFTERCARE_THREADS = 64
SHORTEST_KEY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Broker:
    """What the routes call. `secrets` gives the broker's secret, then those before it."""

    settings: Settings
    profiles: Profiles
    calls: CallService
    endings: CallTerminator
    origins: CrossOriginPolicy
    secrets: Callable[[], Secrets]
    callers_under: Callable[[Secrets], Authenticator]
    checks: Mapping[str, Check]
    desk: AdminService
    observing: Callable[[], ObserverWorker]

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who is calling, from a page that may. Raises `Problem`."""
        self.origins.check(headers)
        return self.callers_under(self.secrets()).caller(headers)


def open_broker(
    env: Mapping[str, str],
    *,
    root: Path = ROOT,
    clock: Clock = utc_now,
) -> Broker:
    """Puts the broker together from the app settings in `env`; raises `ConfigurationError`."""
    chosen = settings.load(env, root)
    registry = sample_tools(clock)
    known = profiles.load(chosen, registry.completed)

    @cache
    def identity() -> TokenCredential:
        return default_identity(env)

    vault = open_vault(chosen, identity, clock)
    secrets_now = secret_source(chosen, vault)
    methods = caller_methods(chosen, env, clock)

    @lru_cache(maxsize=4)
    def callers_under(those: Secrets) -> Authenticator:
        return Authenticator(methods, those[0], those[1:])

    @lru_cache(maxsize=4)
    def handles_under(those: Secrets) -> Handles:
        return Handles(those[0], those[1:], clock=clock)

    storage = open_storage_from_env(env, cache(lambda: default_identity(env, CONNECTION)))
    client = RealtimeClient(
        chosen.provider,
        chosen.endpoint,
        endpoint.credential(chosen, identity, vault, clock),
        open_session(chosen.endpoint),
    )

    def secret(name: str) -> str:
        if vault is None:
            raise Problem("vault_secret_unavailable")
        return vault.secret(name)

    def mint(profile: Profile, life: timedelta) -> EphemeralKey:
        return client.mint(profile.with_instructions(secret), life, Deadline.after(BUDGET))

    ledger = Ledger(storage.table(LEDGER_TABLE), chosen.limits, clock=clock)
    records = Records(storage.table(CALLS_TABLE))
    leases = Leases(storage.table(LEASES_TABLE), LEASE, clock=clock)
    transcripts = storage.log(TRANSCRIPTS)
    pool = ThreadPoolExecutor(AFTERCARE_THREADS, thread_name_prefix="aftercare")
    observers = storage.queue(OBSERVE_QUEUE)
    aftercare = CallDispatcher(
        records,
        storage.queue(END_QUEUE),
        None if chosen.observer == "off" else observers,
        pool if is_configured(env) else None,
        clock,
        partial(attached_to, leases) if chosen.observer == "required" else None,
    )
    proof = client.credential
    dialler = SidebandConnector(
        client.base, proof.headers, executor=pool, authorities=authorities()
    )
    checks: dict[str, Check] = {
        "secret": secrets_now,
        "credential": proof.headers,
        "storage": lambda: ledger.usage_of("health"),
        "model": lambda: mint(known.named(None), SHORTEST_KEY),
    }
    endings = CallTerminator(client, ledger, records, storage.queue(END_QUEUE), clock)
    calls = CallService(
        client,
        EphemeralKeyCache(mint, clock=clock),
        lambda: handles_under(secrets_now()),
        ledger,
        aftercare,
        endings,
        secret,
        CallPolicy(
            endpoint=chosen.endpoint,
            call_length=chosen.limits.longest,
            token_life=chosen.token_life,
            token_endpoint=chosen.token_endpoint,
            tells_who_calls=chosen.safety_identifier,
        ),
    )

    @cache
    def observing() -> ObserverWorker:
        from shared.observer.worker import ObserverWorker
        from shared.transcripts import redaction
        from shared.usage import prices

        return ObserverWorker(
            endings=endings,
            records=records,
            profiles=known,
            leases=leases,
            log=transcripts,
            queue=observers,
            connect=dialler,
            registry=registry,
            prices=prices.load(),
            redact=redaction.redacted if chosen.redaction else redaction.unchanged,
            words=chosen.transcripts,
            secret=secret,
            pool=pool,
            clock=clock,
        )

    return Broker(
        settings=chosen,
        profiles=known,
        calls=calls,
        endings=endings,
        origins=CrossOriginPolicy(chosen.allowed_origins),
        secrets=secrets_now,
        callers_under=callers_under,
        checks=checks,
        desk=AdminService(records, endings, transcripts, dialler, clock),
        observing=observing,
    )


class Opening:
    """Opens the broker at the first request, once; wrong settings stay wrong until a restart."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.lock = threading.Lock()
        self.broker: Broker | None = None
        self.mistakes: tuple[str, ...] = ()

    def current(self) -> Broker:
        """The broker; raises Problem misconfigured."""
        if self.broker is not None:
            return self.broker
        with self.lock:
            if self.broker is None and not self.mistakes:
                try:
                    self.broker = open_broker(self.env)
                except ConfigurationError as wrong:
                    self.mistakes = wrong.mistakes
                    for mistake in wrong.mistakes:
                        logs.event("misconfigured", logging.ERROR, setting=mistake)
        if self.broker is None:
            raise Problem("misconfigured")
        return self.broker


OPENING = Opening(os.environ)


def current() -> Broker:
    """The broker of this process; raises Problem misconfigured."""
    return OPENING.current()


def origins() -> CrossOriginPolicy:
    """The origins that may use the broker; none but its own while the settings are wrong."""
    try:
        return current().origins
    except Problem:
        return CrossOriginPolicy()
