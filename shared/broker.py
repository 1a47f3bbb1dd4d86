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

from shared import credentials, logs, profiles, settings
from shared.aftercare import END_QUEUE, OBSERVE_QUEUE, Aftercare, attached_to
from shared.callers import Caller, Callers
from shared.calls import BUDGET, Calls, Terms
from shared.clock import Clock, utc_now
from shared.deadlines import Deadline
from shared.desk import Desk
from shared.endings import Endings
from shared.handles import Handles
from shared.health import Check
from shared.keys import WarmKeys
from shared.leases import Leases
from shared.ledger import Ledger
from shared.origins import Origins
from shared.problems import Problem
from shared.profiles import Profile, Profiles
from shared.reading import Misconfigured
from shared.realtime import EphemeralKey, RealtimeClient
from shared.records import Records
from shared.settings import Settings
from shared.sideband import Dialler
from shared.storage.choosing import CONNECTION, choose, is_named
from shared.tools_sample import sample_tools
from shared.wiring import (
    Secrets,
    authorities,
    caller_methods,
    open_session,
    open_vault,
    secret_source,
)

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.observing import Observing

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
    calls: Calls
    endings: Endings
    origins: Origins
    secrets: Callable[[], Secrets]
    callers_under: Callable[[Secrets], Callers]
    checks: Mapping[str, Check]
    desk: Desk
    observing: Callable[[], Observing]

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
    """Puts the broker together from the app settings in `env`; raises `Misconfigured`."""
    chosen = settings.load(env, root)
    registry = sample_tools(clock)
    known = profiles.load(chosen, registry.completed)

    @cache
    def identity() -> TokenCredential:
        return credentials.identity(env)

    vault = open_vault(chosen, identity, clock)
    secrets_now = secret_source(chosen, vault)
    methods = caller_methods(chosen, env, clock)

    @lru_cache(maxsize=4)
    def callers_under(those: Secrets) -> Callers:
        return Callers(methods, those[0], those[1:])

    @lru_cache(maxsize=4)
    def handles_under(those: Secrets) -> Handles:
        return Handles(those[0], those[1:], clock=clock)

    storage = choose(env, cache(lambda: credentials.identity(env, CONNECTION)))
    client = RealtimeClient(
        chosen.provider,
        chosen.endpoint,
        credentials.credential(chosen, identity, vault, clock),
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
    aftercare = Aftercare(
        records,
        storage.queue(END_QUEUE),
        None if chosen.observer == "off" else observers,
        pool if is_named(env) else None,
        clock,
        partial(attached_to, leases) if chosen.observer == "required" else None,
    )
    proof = client.credential
    dialler = Dialler(client.base, proof.headers, executor=pool, authorities=authorities())
    checks: dict[str, Check] = {
        "secret": secrets_now,
        "credential": proof.headers,
        "storage": lambda: ledger.standing("health"),
        "model": lambda: mint(known.named(None), SHORTEST_KEY),
    }
    endings = Endings(client, ledger, records, storage.queue(END_QUEUE), clock)
    calls = Calls(
        client,
        WarmKeys(mint, clock=clock),
        lambda: handles_under(secrets_now()),
        ledger,
        aftercare,
        endings,
        secret,
        Terms(
            endpoint=chosen.endpoint,
            call_length=chosen.limits.longest,
            token_life=chosen.token_life,
            token_endpoint=chosen.token_endpoint,
            tells_who_calls=chosen.safety_identifier,
        ),
    )

    @cache
    def observing() -> Observing:
        from shared import prices, redaction
        from shared.observing import Observing

        return Observing(
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
        origins=Origins(chosen.allowed_origins),
        secrets=secrets_now,
        callers_under=callers_under,
        checks=checks,
        desk=Desk(records, endings, transcripts, dialler, clock),
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
                except Misconfigured as wrong:
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


def origins() -> Origins:
    """The origins that may use the broker; none but its own while the settings are wrong."""
    try:
        return current().origins
    except Problem:
        return Origins()
