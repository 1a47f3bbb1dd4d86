"""The app settings as values, grouped by what they are about.

shared/config/settings_loader.py reads them from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from shared.config.clouds import Cloud
from shared.config.env import CallerAuth, Observer, Provider
from shared.config.gateway import NO_SIDEBAND, GatewaySettings
from shared.config.host_file import HostFile
from shared.config.live_settings import LiveSettings

LONGEST_CALL = timedelta(minutes=60)
"""The service ends every call after an hour (measured on recorded live traffic)."""
SHORTEST_CALL = timedelta(seconds=10)
"""A call that may not even last that long is not started."""


DEFAULT_ENDPOINT = "default"
"""The name of the endpoint where there is no list of several."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """One endpoint of the model's and how the broker authenticates to it. `url` ends at the host,
    or at the path that a gateway has in front of the API's own.

    `key_secret` names the secret in Key Vault that holds the API key. `safety_identifier`: tell
    upstream which caller a call is for. `cloud` is the one that the endpoint is in. `sideband_url`:
    where the sideband is served, if elsewhere than at `url`; "off" if nowhere. `models` are the
    deployments there by the models that profiles name; None: all models, by their own names. Calls
    are shared out by `weight`; none starts where it is 0.
    """

    provider: Provider
    url: str
    token_scope: str
    key: str | None = field(repr=False)
    key_secret: str | None
    safety_identifier: bool
    cloud: Cloud
    gateway: GatewaySettings | None = None
    sideband_url: str | None = None
    name: str = DEFAULT_ENDPOINT
    region: str = ""
    models: Mapping[str, str] | None = None
    weight: float = 1.0

    @property
    def name_in_logs(self) -> str:
        """What log lines call it; "", which they leave out, for the default one."""
        return "" if self.name == DEFAULT_ENDPOINT else self.name

    def has_model(self, model: str) -> bool:
        """Whether the model is deployed there, as far as the settings know."""
        return self.models is None or model in self.models

    @property
    def sideband_elsewhere(self) -> bool:
        """Whether the sideband is another host's, which must not get the gateway's header."""
        if self.sideband_url in (None, NO_SIDEBAND):
            return False
        return urlsplit(self.sideband_url).netloc != urlsplit(self.url).netloc

    @property
    def needs_identity(self) -> bool:
        """Whether some request needs the app's identity: there is no key, and no gateway that
        authenticates to the model for all of them."""
        gateway = self.gateway
        by_gateway = gateway is not None and gateway.instead and not self.sideband_elsewhere
        return not (self.key or self.key_secret or by_gateway)

    @property
    def has_gateway(self) -> bool:
        """Whether the settings speak of a gateway in front of the model."""
        path = urlsplit(self.url).path
        return bool(path or self.gateway or self.sideband_url)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The profiles' folder, and what the settings fill in for them."""

    profiles: Path
    model: str
    voice: str | None
    instructions: str | None
    transcription_model: str | None


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Who issues callers' tokens: `name` as tokens have it, and where the keys are published.

    `tenant` is the id in the name. `standard`: one of Entra's own, whose tokens name their tenant
    and the user's object id.
    """

    name: str
    keys_url: str
    tenant: str | None
    standard: bool


@dataclass(frozen=True, slots=True)
class EntraSettings:
    """What callers' tokens are checked against. `tenants` may be empty where issuers are set; the
    first of them is the broker's own."""

    issuers: tuple[TokenIssuer, ...]
    tenants: tuple[str, ...]
    audiences: tuple[str, ...]
    scope: str


@dataclass(frozen=True, slots=True)
class CallerSettings:
    """Who may call: authentication methods, and the origins of other pages. `entra` is there if it
    is one of the methods."""

    methods: tuple[CallerAuth, ...]
    entra: EntraSettings | None
    allowed_origins: frozenset[str]
    trusted_proxies: int


@dataclass(frozen=True, slots=True)
class SecretSettings:
    """Where secrets are. `broker_secrets` is the broker's own and its predecessors, where a setting
    holds them; `broker_secret_name` names it in Key Vault."""

    vault_uri: str | None
    vault_ttl: timedelta
    broker_secrets: tuple[str, ...] = field(repr=False)
    broker_secret_name: str | None


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Whether /api/token gives out ephemeral keys, and how long they live."""

    enabled: bool
    life: timedelta


@dataclass(frozen=True, slots=True)
class ObserverSettings:
    """Whether calls are observed, what is kept of them, and what they cost.

    `recordings`: both voices of calls of GPT-Live are recorded. `retries_responses`: a response
    that failed of a passing fault is asked for once more. A turn that waits for its answer longer
    than `slow_turn_ms` is slow; 0: none is. An instance observes `capacity` calls at a time.
    `price_table` is a file of prices of the
    operator's own.
    """

    mode: Observer
    transcripts: bool
    redaction: bool
    recordings: bool = False
    retries_responses: bool = True
    slow_turn_ms: int = 3000
    price_table: Path | None = None
    capacity: int = 100

    @property
    def slow_turn(self) -> timedelta | None:
        """`slow_turn_ms`; None where no turn is slow."""
        return timedelta(milliseconds=self.slow_turn_ms) if self.slow_turn_ms else None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller, and all callers together, may use. 0 means no limit.

    `call_length` is how long a call may last, and so how long a call counts that nobody settles.
    `conversation_length` is how long a conversation may last that goes on over several calls; 0: it
    may be continued until the end of its first call.
    `live_sessions` is the number of concurrent sessions of GPT-Live that the provider allows.
    """

    starts_per_minute: int = 6
    live_calls: int = 2
    call_length: timedelta = timedelta(minutes=15)
    tokens_per_day: int = 0
    live_calls_total: int = 0
    seconds_per_day: int = 0
    live_sessions: int = 0
    conversation_length: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        for name in ("starts_per_minute", "live_calls"):
            if not 0 <= getattr(self, name) <= 5000:
                raise ValueError(f"{name} is 0 to 5000: it is counted in one row of a table")
        counts = (self.tokens_per_day, self.seconds_per_day)
        totals = (self.live_calls_total, self.live_sessions)
        if min(*counts, *totals) < 0 or self.call_length < timedelta(0):
            raise ValueError("a limit is 0 or more")

    @property
    def milliseconds_per_day(self) -> int:
        """`seconds_per_day` in the unit that the ledger counts in."""
        return self.seconds_per_day * 1000

    @property
    def longest(self) -> timedelta:
        """The longest that a call may last."""
        return self.call_length or LONGEST_CALL

    @property
    def none(self) -> bool:
        """Whether nothing is limited, so that nothing has to be counted."""
        counted = (self.starts_per_minute, self.live_calls, self.live_calls_total)
        return not (any(counted) or self.live_sessions or self.counts_use)

    @property
    def counts_use(self) -> bool:
        """Whether it is limited what a caller's calls may use in a day."""
        return bool(self.tokens_per_day or self.seconds_per_day)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings, by what they are about. Secrets are not in its repr.

    `endpoints` are the endpoints of the model's, the default one first. `in_azure`: the platform
    says so, and nothing on a laptop does. `host` is what host.json says. `call_ended_events`: a
    message tells of each call that has ended.
    """

    endpoints: tuple[EndpointSettings, ...]
    session: SessionSettings
    live: LiveSettings
    callers: CallerSettings
    secrets: SecretSettings
    tokens: TokenSettings
    limits: Limits
    observer: ObserverSettings
    in_azure: bool
    host: HostFile
    call_ended_events: bool = False

    @property
    def endpoint(self) -> EndpointSettings:
        """The default endpoint: the only one or, of several, that of calls that name none."""
        return self.endpoints[0]

    def serves(self, model: str) -> bool:
        """Whether calls of that model may start at any endpoint."""
        return any(each.weight and each.has_model(model) for each in self.endpoints)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The providers of all endpoints, each once."""
        return tuple(dict.fromkeys(each.provider for each in self.endpoints))
