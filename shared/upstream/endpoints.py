"""Which endpoint a call goes to: chosen by its caller among those that are well. Pure but for the
cool-downs that it is told of; the clock is an argument.

Weighted rendezvous hashing: each endpoint draws a number from the caller's id, and the callers of
an endpoint that is gone spread over the others while nobody else moves (Thaler and Ravishankar,
1998; the weights as in Schindelhauer and Schomaker, 2005). Every instance chooses alike without
asking another; cool-downs are each instance's own.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from shared.config.env import Provider
from shared.config.settings import EndpointSettings

Reason = Literal["quota", "unreachable", "model_missing", "refused"]
"""Why an endpoint is left alone for a while: its quota is used up; nothing answers, or it fails;
the model is not deployed there; it does not accept the broker."""
QUOTA: Reason = "quota"
UNREACHABLE: Reason = "unreachable"
MODEL_MISSING: Reason = "model_missing"
REFUSED: Reason = "refused"
OF_ONE_MODEL = (QUOTA, MODEL_MISSING)
"""Reasons that say nothing about the other models of an endpoint."""
COOL_DOWNS: Mapping[Reason, timedelta] = {
    QUOTA: timedelta(seconds=10),
    UNREACHABLE: timedelta(seconds=15),
    MODEL_MISSING: timedelta(minutes=2),
    REFUSED: timedelta(seconds=30),
}
"""How long an endpoint is left alone that does not say for how long."""
SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(minutes=10)
TRIAL = timedelta(seconds=10)
"""How long one call has to find out whether an endpoint is back that could not be reached, before
another may try."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint to choose: an account or a gateway, in a region. `models` are the deployments by
    the models that profiles name; None: all models. No call starts where the weight is 0."""

    name: str
    provider: Provider = "azure"
    base: str = ""
    region: str = ""
    models: Mapping[str, str] | None = None
    weight: float = 1.0

    def serves(self, model: str) -> bool:
        """Whether calls of that model start here."""
        return self.weight > 0 and (self.models is None or model in self.models)

    def score(self, caller_hash: str) -> float:
        """What this endpoint draws for a caller; the highest number wins."""
        digest = hashlib.sha256(f"{self.name}\n{caller_hash}".encode()).digest()
        # In (0, 1), with the 53 bits of a float.
        drawn = ((int.from_bytes(digest[:8], "big") >> 11) + 0.5) / (1 << 53)
        return -self.weight / math.log(drawn)


@dataclass(frozen=True, slots=True)
class CoolDown:
    """Why an endpoint is left alone, and until when. `model`: only for calls of that one; "": for
    all."""

    until: datetime
    reason: Reason
    model: str = ""


@dataclass(frozen=True, slots=True)
class EndpointState:
    """How an endpoint is. `state` is `well` or `cooling`, the latter also if only one model is;
    then `cooling_until` and `reason` are of what lasts longest, and `models` the models concerned,
    none if all are."""

    name: str
    state: Literal["well", "cooling"] = "well"
    cooling_until: datetime | None = None
    reason: Reason | None = None
    models: tuple[str, ...] = ()


@dataclass(slots=True)
class Cooling:
    """The cool-downs of one endpoint, by model; "" for all."""

    by_model: dict[str, CoolDown] = field(default_factory=dict)
    trial_until: datetime | None = None

    def of_model(self, model: str, now: datetime) -> CoolDown | None:
        """The cool-down that keeps calls of that model away now; of two the longer one."""
        longest = None
        for each in (self.by_model.get(""), self.by_model.get(model)):
            if each and now < each.until and (longest is None or longest.until < each.until):
                longest = each
        return longest

    def is_on_trial(self, now: datetime) -> bool:
        """Whether some call is finding out whether this endpoint is back."""
        return self.trial_until is not None and now < self.trial_until


class Endpoints:
    """All endpoints, in the settings' order, and how they are. Safe to share between threads."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.by_name = {each.name: each for each in endpoints}
        self.lock = threading.Lock()
        self.cooling: dict[str, Cooling] = {name: Cooling() for name in self.by_name}

    def serving(self, model: str) -> list[Endpoint]:
        """The endpoints that calls of that model may go to, well or not."""
        return [each for each in self.by_name.values() if each.serves(model)]

    def ranked(self, caller_hash: str, model: str) -> Sequence[Endpoint]:
        """The endpoints that serve the model, the caller's own first, well or not."""
        return sorted(self.serving(model), key=lambda each: each.score(caller_hash), reverse=True)

    def choose(
        self, caller_hash: str, model: str, now: datetime, *, will_try: bool = True
    ) -> list[Endpoint]:
        """The endpoints to try for a call of that model, the caller's own first: those that are
        well. If none is, the one that is said to be well soonest, because that may be wrong. Empty
        if none serves the model.

        Whoever tries one says what came of it (`cool_down`, `recovered`). Whoever may not get to
        try says `will_try=False`, and keeps nobody else from it.
        """
        ranked = self.ranked(caller_hash, model)
        with self.lock:
            well = [each for each in ranked if self.is_well(each.name, model, now)]
            if well:
                if will_try:
                    self.begin_trial(well[0].name, now)
                return well
            return sorted(ranked, key=lambda each: self.well_at(each.name, model, now))[:1]

    def last_resort(self, model: str, tried: Container[str], now: datetime) -> Endpoint | None:
        """One more endpoint, once all that are well have refused a call: one that could not be
        reached, and may be back sooner than was thought. Only one call at a time tries that."""
        with self.lock:
            for each in self.serving(model):
                cooling = self.cooling[each.name]
                held = cooling.of_model(model, now)
                away = held is not None and held.reason == UNREACHABLE
                if away and each.name not in tried and not cooling.is_on_trial(now):
                    self.begin_trial(each.name, now)
                    return each
        return None

    def is_well(self, name: str, model: str, now: datetime) -> bool:
        cooling = self.cooling[name]
        if not cooling.by_model and cooling.trial_until is None:
            return True
        return cooling.of_model(model, now) is None and not cooling.is_on_trial(now)

    def well_at(self, name: str, model: str, now: datetime) -> datetime:
        cool_down = self.cooling[name].of_model(model, now)
        return now if cool_down is None else cool_down.until

    def begin_trial(self, name: str, now: datetime) -> None:
        """The call that this endpoint is chosen for is the first since nothing answered there: it
        finds out for all, who need not wait for a timeout each."""
        cooling = self.cooling[name]
        last = cooling.by_model.get("")
        if last is not None and last.reason == UNREACHABLE:
            cooling.trial_until = now + TRIAL

    def cool_down(self, name: str, until: datetime, reason: Reason, model: str = "") -> None:
        """No call goes to that endpoint until then, or no call of that model. A longer cool-down of
        the same kind stays."""
        with self.lock:
            cooling = self.cooling.get(name)
            if cooling is None:
                return
            cooling.trial_until = None
            known = cooling.by_model.get(model)
            if known is None or known.reason != reason or known.until < until:
                cooling.by_model[model] = CoolDown(until, reason, model)

    def recovered(self, name: str) -> None:
        """A call was answered there: the endpoint can be reached and accepts the broker. What is
        said of one model holds to its end: calls that were let in before may still be answered."""
        cooling = self.cooling.get(name)
        if cooling is None or not (cooling.by_model or cooling.trial_until):
            return
        with self.lock:
            cooling.trial_until = None
            cooling.by_model.pop("", None)

    def state(self, now: datetime) -> list[EndpointState]:
        """How each endpoint is, in the settings' order."""
        with self.lock:
            return [self.state_of(name, now) for name in self.by_name]

    def state_of(self, name: str, now: datetime) -> EndpointState:
        held = [each for each in self.cooling[name].by_model.values() if now < each.until]
        if not held:
            return EndpointState(name)
        last = max(held, key=lambda each: each.until)
        models = tuple(sorted(each.model for each in held if each.model))
        of_all = any(not each.model for each in held)
        return EndpointState(name, "cooling", last.until, last.reason, () if of_all else models)


def cool_down_until(reason: Reason, now: datetime, retry_after: timedelta | None) -> datetime:
    """When an endpoint is tried again that was left for that reason. `retry_after` is what it asked
    for itself: taken at its word, within bounds."""
    wait = COOL_DOWNS[reason] if retry_after is None else retry_after
    return now + max(SHORTEST, min(wait, LONGEST))


def endpoint_of(settings: EndpointSettings) -> Endpoint:
    """The endpoint of those settings, as it is chosen."""
    return Endpoint(
        name=settings.name,
        provider=settings.provider,
        base=settings.url,
        region=settings.region,
        models=settings.models,
        weight=settings.weight,
    )
