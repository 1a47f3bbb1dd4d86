"""The composition root: app settings -> the broker's parts, put together once per process.

No request runs through this module; shared/api/lazy_broker.py calls it. What is slow to import
(requests, azure-identity, cryptography) is imported where it is first used, so that the app is
indexed at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared.admin.endpoint_probe import open_probes
from shared.admin.endpoint_refusals import EndpointRefusals
from shared.admin.endpoint_report import EndpointReport
from shared.admin.health import Check, deep_checks
from shared.admin.refusal_counts import RefusalCounts
from shared.admin.retirement_warnings import RetirementWarnings, logged_retirements
from shared.admin.service import AdminService
from shared.auth.authenticator import Authenticator
from shared.auth.factory import open_authenticator
from shared.auth.origins import CrossOriginPolicy
from shared.calls.continuation import Continuations
from shared.calls.dispatch import CallDispatcher
from shared.calls.end_events import CALL_ENDED_QUEUE, EndEvents
from shared.calls.failover import Failover
from shared.calls.handles import RotatingHandles
from shared.calls.queue_messages import END_QUEUE, OBSERVE_QUEUE
from shared.calls.records import Records
from shared.calls.service import UPSTREAM_BUDGET, CallPolicy, CallService
from shared.calls.termination import CallTerminator
from shared.calls.token_response import log_token_endpoint
from shared.calls.voice_endpoints import VoiceEndpoints, open_voice_endpoints
from shared.config.profiles import Profiles, load_profiles
from shared.config.settings import ObserverSettings, Settings
from shared.config.settings_loader import load_settings
from shared.core import stopping
from shared.core.clock import Clock, utc_now
from shared.credentials.credentials import Credentials, open_credentials
from shared.credentials.identity import open_identity
from shared.credentials.key_vault import SecretStore
from shared.limits.ledger_store import Ledger
from shared.observer.leases import LEASE_DURATION, Leases, attached_to
from shared.observer.slots import ObserverSlots
from shared.observer.waiting import observer_checks
from shared.storage.factory import CONNECTION, is_configured, open_storage_from_env
from shared.storage.interfaces import Log, Queue, Storage
from shared.tools.registry import Registry
from shared.tools.samples import sample_tools

if TYPE_CHECKING:
    from shared.observer.sweep import CallSweep
    from shared.observer.worker import ObserverWorker

ROOT = Path(__file__).parent.parent
LEDGER_TABLE = "ledger"
CALLS_TABLE = "calls"
LEASES_TABLE = "leases"
REFUSALS_TABLE = "refusals"
TRANSCRIPTS = "transcripts"
DIALLING_THREADS = 4
"""For the credentials of sidebands: when many calls end, what the others do waits for seconds."""
BACKGROUND_THREADS = 64
"""For observers: leases and transcripts."""
DISPATCH_THREADS = 64
"""For what starts write to storage, so that observers do not wait behind it."""
ENDING_THREADS = 64
"""For calls that end at their limit, so that they wait behind neither."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What the broker keeps outside this process: `shared` with other instances, or in memory."""

    ledger: Ledger
    records: Records
    leases: Leases
    refusals: RefusalCounts
    endpoint_refusals: EndpointRefusals
    transcripts: Log
    end_queue: Queue
    observe_queue: Queue
    shared: bool


@dataclass(frozen=True, slots=True)
class Broker:
    """The parts that routes and queue triggers use, and those that an observer is built from."""

    settings: Settings
    profiles: Profiles
    origins: CrossOriginPolicy
    authenticator: Authenticator
    calls: CallService
    terminator: CallTerminator
    admin: AdminService
    endpoints: EndpointReport
    checks: Mapping[str, Check]
    retirements: RetirementWarnings
    registry: Registry
    vault: SecretStore
    stores: Stores
    model: VoiceEndpoints
    pool: Executor
    ending: Executor
    clock: Clock
    slots: ObserverSlots


def open_broker(env: Mapping[str, str], *, root: Path = ROOT, clock: Clock = utc_now) -> Broker:
    """Builds the broker from the app settings in `env`. Raises `ConfigurationError`."""
    settings = load_settings(env, root)
    log_token_endpoint(settings.tokens)
    storage = open_storage_from_env(env, partial(open_identity, env, CONNECTION))
    clock = storage.corrected_clock(clock)
    registry = sample_tools(clock)
    profiles = load_profiles(settings, registry.complete_session, *registry.names)
    pool = ThreadPoolExecutor(BACKGROUND_THREADS, thread_name_prefix="background")
    ending = ThreadPoolExecutor(ENDING_THREADS, thread_name_prefix="ending")
    credentials = open_credentials(settings, env, clock)
    stores = open_stores(settings, storage, clock, shared=is_configured(env))
    retirements = logged_retirements(settings, profiles, stores.records, clock)
    dialling = ThreadPoolExecutor(DIALLING_THREADS, thread_name_prefix="dialling")
    model = open_voice_endpoints(settings, credentials, UPSTREAM_BUDGET, dialling, clock)
    authenticator = open_authenticator(settings, env, credentials.secret, clock)
    terminator = CallTerminator(
        model.clients,
        stores.ledger,
        stores.records,
        stores.end_queue,
        clock,
        forget_lease=stores.leases.forget,
        executor=ending,
        events=open_end_events(settings, credentials, storage, stores, clock),
    )
    return Broker(
        settings=settings,
        profiles=profiles,
        origins=CrossOriginPolicy(settings.callers.allowed_origins),
        authenticator=authenticator,
        calls=open_call_service(settings, credentials, stores, model, terminator, clock),
        terminator=terminator,
        admin=open_admin_service(settings.observer, stores, model, terminator, clock),
        endpoints=EndpointReport(model.choice, profiles, stores.records, stores.endpoint_refusals),
        checks={
            **deep_checks(settings, credentials, stores.ledger, open_probes(model, profiles)),
            **authenticator.checks(),
            **observer_checks(settings.observer.mode, stores.records, stores.leases, clock),
        },
        retirements=retirements,
        registry=registry,
        vault=credentials.vault,
        stores=stores,
        model=model,
        pool=pool,
        ending=ending,
        clock=clock,
        slots=ObserverSlots(settings.observer.capacity, stopping.PROCESS),
    )


def open_stores(settings: Settings, storage: Storage, clock: Clock, *, shared: bool) -> Stores:
    return Stores(
        ledger=Ledger(storage.table(LEDGER_TABLE), settings.limits, clock=clock),
        records=Records(
            storage.table(CALLS_TABLE), settings.observer.price_table, settings.endpoint.name
        ),
        leases=Leases(storage.table(LEASES_TABLE), LEASE_DURATION, clock=clock),
        refusals=RefusalCounts(storage.table(REFUSALS_TABLE)),
        endpoint_refusals=EndpointRefusals(storage.table(REFUSALS_TABLE), clock),
        transcripts=storage.log(TRANSCRIPTS),
        end_queue=storage.queue(END_QUEUE),
        observe_queue=storage.queue(OBSERVE_QUEUE),
        shared=shared,
    )


def open_end_events(
    settings: Settings, credentials: Credentials, storage: Storage, stores: Stores, clock: Clock
) -> EndEvents | None:
    """What tells of calls that have ended; None where nobody wants to know."""
    if not settings.call_ended_events:
        return None
    leases = stores.leases
    return EndEvents(
        records=stores.records,
        queue=storage.queue(CALL_ENDED_QUEUE),
        files=stores.transcripts,
        container=TRANSCRIPTS,
        handles=RotatingHandles(credentials.secret, clock).current,
        is_followed=lambda call_id: leases.latest(call_id) is not None,
        clock=clock,
    )


def open_admin_service(
    settings: ObserverSettings,
    stores: Stores,
    model: VoiceEndpoints,
    terminator: CallTerminator,
    clock: Clock,
) -> AdminService:
    records, log, refusals = stores.records, stores.transcripts, stores.refusals
    return AdminService(records, terminator, log, model.connects, clock, refusals, settings)


def open_call_service(
    settings: Settings,
    credentials: Credentials,
    stores: Stores,
    model: VoiceEndpoints,
    terminator: CallTerminator,
    clock: Clock,
) -> CallService:
    required = settings.observer.mode == "required"
    pool = ThreadPoolExecutor(DISPATCH_THREADS, thread_name_prefix="dispatch")
    dispatcher = CallDispatcher(
        records=stores.records,
        end_queue=stores.end_queue,
        observe_queue=None if settings.observer.mode == "off" else stores.observe_queue,
        pool=pool if stores.shared else None,
        clock=clock,
        attached=partial(attached_to, stores.leases) if required else None,
    )
    continuations = Continuations(
        records=stores.records,
        transcripts=stores.transcripts if settings.observer.transcripts else None,
        end_queue=stores.end_queue,
        clock=clock,
    )
    return CallService(
        failover=Failover(model, credentials.vault, clock, stores.endpoint_refusals.count),
        handles=RotatingHandles(credentials.secret, clock).current,
        ledger=stores.ledger,
        dispatcher=dispatcher,
        terminator=terminator,
        policy=CallPolicy.of_settings(settings),
        continuations=continuations,
    )


def open_call_sweep(broker: Broker) -> CallSweep:
    """Builds what finds the calls that no message is left for."""
    from shared.observer.sweep import CallSweep

    stores = broker.stores
    return CallSweep(
        records=stores.records,
        leases=stores.leases,
        terminator=broker.terminator,
        observe_queue=None if broker.settings.observer.mode == "off" else stores.observe_queue,
        pool=broker.ending,
        clock=broker.clock,
    )


def open_observer_worker(broker: Broker) -> ObserverWorker:
    """Builds what follows calls; its imports are not needed by instances that only start calls."""
    from shared.observer.accounting import CallAccounting
    from shared.observer.call_terms import CallTerms
    from shared.observer.context import Dependencies
    from shared.observer.timing import USUAL_TIMING
    from shared.observer.worker import ObserverWorker
    from shared.transcripts import redaction
    from shared.usage.price_files import load_prices

    settings, stores = broker.settings.observer, broker.stores
    prices = load_prices(own=settings.price_table)
    return ObserverWorker(
        records=stores.records,
        terminator=broker.terminator,
        queue=stores.observe_queue,
        terms=CallTerms(
            broker.profiles,
            broker.vault,
            settings.transcripts,
            settings.retries_responses,
            settings.slow_turn,
            broker.model.deployed,
        ),
        accounting=CallAccounting(stores.records, stores.ledger, prices),
        dependencies=Dependencies(
            connect=broker.model.default.realtime.connector,
            leases=stores.leases,
            log=stores.transcripts,
            registry=broker.registry,
            redact=redaction.redaction(settings.redaction),
            clock=broker.clock,
            executor=broker.pool,
            records_audio=settings.recordings,
            stopping=broker.slots.stopping,
        ),
        connects=broker.model.connects,
        slots=broker.slots,
        timing=replace(USUAL_TIMING, segment=broker.settings.host.longest_run),
    )
