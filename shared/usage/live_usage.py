"""What a Live call has used: seconds of its session, and the tokens of the models that it delegates
to. Pure.

A Live session is billed by the second, whether anybody talks or not, and at a lower price while it
is paused. Fifteen seconds are charged when it is created and credited against its running time, so
a session that ends earlier costs as much. The service reports snapshots (`session.usage.updated`
about every 14 seconds, once a minute on Azure): each is the sum since the start. Only the one in
`session.closed` is final, and counts whatever the others told. Tokens of delegated work are not in
them: they are in the `usage` of each Responses response (recorded live traffic).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from shared.core.bounded import BoundedSet
from shared.core.untrusted import finite
from shared.usage.counted_models import counted_as
from shared.usage.tokens import ZERO, Usage, count, mapping, sum_usages
from shared.usage.transcription import SECONDS_DIGITS

MINIMUM_SECONDS = 15.0
"""Charged when a session is created, also if nobody ever connects."""
MOST_SECONDS = 86_400.0
"""The most that is believed: a session ends after two hours."""
MOST_RESPONSES = 20_000
SECONDS, ACTIVE_SECONDS, PAUSED_SECONDS = "seconds", "active_seconds", "paused_seconds"
ESTIMATED_SECONDS = "estimated_seconds"
STANDARD_TIERS = ("auto", "default")
"""The service tiers of a response that cost what the price table says."""
TIME_KINDS = (SECONDS, ACTIVE_SECONDS, PAUSED_SECONDS, ESTIMATED_SECONDS)
"""How long a call was, as its record counts it beside the tokens."""


@dataclass(frozen=True, slots=True)
class LiveUsage:
    """What a Live call has used since its start.

    `seconds` are billed, at least 15; `paused_seconds` are those of them during which the session
    was paused, and `estimated_seconds` those that the service never told. `backend` has the tokens
    of delegated work by the name of the model. `is_final`: the service has told the final count.
    """

    seconds: float = MINIMUM_SECONDS
    paused_seconds: float = 0.0
    backend: Mapping[str, Usage] = field(default_factory=dict)
    is_final: bool = False
    estimated_seconds: float = 0.0

    @property
    def active_seconds(self) -> float:
        """The seconds that are billed at the full price; the unused part of the minimum too."""
        return round(self.seconds - self.paused_seconds, SECONDS_DIGITS)

    @property
    def tokens(self) -> Usage:
        """The tokens of all models together."""
        return sum_usages(self.backend.values())

    def time_counts(self) -> dict[str, float]:
        """How long the call was, by name, as in its record; `estimated_seconds` only where there
        are any."""
        counts = {
            SECONDS: self.seconds,
            ACTIVE_SECONDS: self.active_seconds,
            PAUSED_SECONDS: self.paused_seconds,
        }
        estimated = {ESTIMATED_SECONDS: self.estimated_seconds} if self.estimated_seconds else {}
        return {**counts, **estimated}


class LiveUsageCounter:
    """Counts what one Live call uses, also over several observers that hear the same events: of
    snapshots the final one counts, or else the largest, and each response counts once.

    A later observer first counts what the record's lines say, in any order.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.paused_seconds = 0.0
        self.lasted = 0.0
        """How long the call has lasted by the clock, once it is over and nobody told."""
        self.is_final = False
        self.counted: BoundedSet[str] = BoundedSet(MOST_RESPONSES)
        self.backend: dict[str, Usage] = {}

    def count_snapshot(self, usage: object, *, final: bool = False) -> bool:
        """Counts the `usage` of `session.usage.updated` or, with `final`, of `session.closed`;
        returns whether it told anything new.

        Snapshots are sums, so an older or repeated one changes nothing; the final one counts also
        where an earlier one told more. What is not a number of seconds, or a pause longer than the
        session, is ignored.
        """
        if self.is_final and not final:
            return False
        told = mapping(usage)
        before = (self.seconds, self.paused_seconds, self.is_final)
        seconds, paused = read_seconds(told, SECONDS), read_seconds(told, PAUSED_SECONDS)
        if seconds is None and (active := read_seconds(told, ACTIVE_SECONDS)) is not None:
            seconds = active + (paused or 0)
        if seconds is not None and paused is not None and paused > seconds:
            paused = None
        if final and seconds is not None and not self.is_final:
            self.is_final, self.seconds = True, 0.0
            self.paused_seconds = 0.0 if paused is not None else self.paused_seconds
        self.seconds = max(self.seconds, seconds or 0.0)
        self.paused_seconds = max(self.paused_seconds, paused or 0.0)
        return before != (self.seconds, self.paused_seconds, self.is_final)

    def count_response(self, response_id: str, model: str, usage: Usage) -> bool:
        """Counts a response of delegated work; returns False if it was counted before."""
        if response_id in self.counted:
            return False
        self.counted.add(response_id)
        model = counted_as(model, self.backend)
        self.backend[model] = self.backend.get(model, ZERO) + usage
        return True

    def end_call(self, lasted: timedelta) -> None:
        """The call is over, this long after its start. Where the service never told the final
        count, because `session.closed` was lost, that is the best there is: a session is billed by
        the clock. Pauses since the last snapshot are not known, so it is rather too much."""
        self.lasted = max(self.lasted, seconds_of(lasted))

    def live_usage(self) -> LiveUsage:
        """All that the call has used so far. The service's final count, even if it comes last of
        all, is worth more than the clock's."""
        by_clock = 0.0 if self.is_final else self.lasted
        seconds = max(MINIMUM_SECONDS, self.seconds, by_clock)
        estimated = round(seconds - self.seconds, SECONDS_DIGITS) if by_clock else 0.0
        paused = min(self.paused_seconds, seconds)
        return LiveUsage(seconds, paused, dict(self.backend), self.is_final, estimated)


def seconds_of(lasted: timedelta) -> float:
    """The seconds that a call is believed to have lasted by the clock."""
    return round(min(lasted.total_seconds(), MOST_SECONDS), SECONDS_DIGITS)


def untold_usage(lasted: timedelta) -> LiveUsage:
    """What a call has used of which the service has told nobody anything."""
    seconds = max(MINIMUM_SECONDS, seconds_of(lasted))
    return LiveUsage(seconds, estimated_seconds=seconds)


def outlasting(usage: LiveUsage, seconds: float) -> LiveUsage:
    """The usage of a call that is over after that many seconds by the clock, of which the service
    has told less so far; its final count stands."""
    more = max(0.0, seconds - usage.seconds)
    if usage.is_final or not more:
        return usage
    estimated = round(usage.estimated_seconds + more, SECONDS_DIGITS)
    return replace(usage, seconds=seconds, estimated_seconds=estimated)


def read_seconds(told: Mapping[str, Any], name: str) -> float | None:
    """A number of seconds that the service told; None for anything else."""
    number = finite(told.get(name))
    if number is None or number < 0:
        return None
    return round(float(min(number, MOST_SECONDS)), SECONDS_DIGITS)


def model_at_tier(model: str | None, tier: str | None) -> str | None:
    """The name under which a response of that model is priced: at another tier than the standard
    one the same model has other prices, so it counts as a model of its own."""
    return f"{model}-{tier}" if model and tier and tier not in STANDARD_TIERS else model


def usage_of_backend(response: Mapping[str, Any]) -> Usage:
    """The usage of a Responses response, as `response.completed` (or `.incomplete`, `.failed`) has
    it; zero where it has none. Images count as text: these models have one price for both."""
    told = mapping(response.get("usage"))
    details = mapping(told.get("input_tokens_details"))
    read = count(told, "input_tokens")
    cached = min(count(details, "cached_tokens"), read)
    return Usage(
        text_in=read,
        cached_text=cached,
        written_text=min(count(details, "cache_write_tokens"), read - cached),
        text_out=count(told, "output_tokens"),
    )
