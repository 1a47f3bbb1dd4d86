"""Starts calls and mints keys at the caller's own endpoint, or at another one where that fails.

A key can be minted twice without harm, so a mint that fails goes to the next endpoint. An offer
goes to another one only if it is certain that it has begun no call (`NoCallBegun`): an answer that
is lost may be that of a call, and there are never two calls for one offer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from shared.auth.caller import Caller
from shared.calls.voice_endpoints import VoiceEndpoint, VoiceEndpoints
from shared.config.profiles import Profile
from shared.core import logs
from shared.core.clock import Clock
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.problems import Problem
from shared.credentials.key_vault import SecretStore
from shared.credentials.private_instructions import complete_profile
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.realtime.key_patience import key_deadline, key_patience
from shared.realtime.safety_identifier import safety_identifier
from shared.transcripts.history import History
from shared.upstream.answer import Answer, NoCallBegun, UnusableAnswer, before_the_offer
from shared.upstream.endpoints import (
    MODEL_MISSING,
    OF_ONE_MODEL,
    QUOTA,
    REFUSED,
    UNREACHABLE,
    Endpoint,
    Reason,
    cool_down_until,
)

T = TypeVar("T")
REASONS: Mapping[str, Reason] = {
    **dict.fromkeys(("upstream_quota", "live_sessions_full", "upstream_credit_exhausted"), QUOTA),
    **dict.fromkeys(
        ("upstream_unreachable", "upstream_timeout", "upstream_failed"),
        UNREACHABLE,
    ),
    **dict.fromkeys(
        (
            *("deployment_not_found", "model_retired", "not_a_realtime_model", "upstream_region"),
            *("live_model_not_found", "not_a_live_model", "live_not_served"),
            *("delegation_model_not_found", "organization_unverified"),
        ),
        MODEL_MISSING,
    ),
    **dict.fromkeys(
        (
            *("upstream_access_denied", "upstream_forbidden", "upstream_network_rules"),
            *("upstream_wrong_tenant", "upstream_wrong_scope", "custom_subdomain_missing"),
            *("key_auth_disabled", "endpoint_not_found", "gateway_key_refused"),
            *("gateway_replaces_key", "upstream_country", "upstream_account_blocked"),
            *("ephemeral_key_refused", "credential_unavailable"),
            *("vault_unavailable", "vault_secret_unavailable"),
        ),
        REFUSED,
    ),
}
"""Why an endpoint is left alone, by the problem that it gave. Any other problem is the offer's or
the profile's, which no endpoint would take."""
OF_ONE_PROFILE = frozenset({"delegation_model_not_found"})
"""Problems of an endpoint with what a profile names beside its model: that profile's calls go to
another endpoint, and everybody else's stay."""
NO_CREDIT = timedelta(minutes=5)
"""Credit does not come back by itself as a quota does."""
FAIR_TRY = timedelta(seconds=3)
"""An endpoint that is asked when less is left of a request could not have answered: that says
nothing about it, and those that hung before must not take it with them."""


def count_nothing(_endpoint: str, _reason: Reason) -> None:
    """Refusals are not counted."""


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A key for a page, and the endpoint that minted it; `profile` is as that endpoint has it."""

    key: EphemeralKey
    endpoint: VoiceEndpoint
    profile: Profile


@dataclass(frozen=True, slots=True)
class Failover:
    """Tries the endpoints in the order that is their caller's. `vault` has the instructions that
    profiles keep there; `count` is told which endpoint refused, and why."""

    endpoints: VoiceEndpoints
    vault: SecretStore
    clock: Clock
    count: Callable[[str, Reason], None] = count_nothing

    def choose(self, profile: Profile, caller: Caller, *, will_try: bool = True) -> list[Endpoint]:
        """The endpoints to try. Raises Problem deployment_not_found if none has the model."""
        found = self.endpoints.choice.choose(
            caller.id, profile.model, self.clock(), will_try=will_try
        )
        if not found:
            raise Problem(
                "deployment_not_found",
                "None of REALTIME_ENDPOINTS serves the profile's model.",
            )
        return found

    def start_call(
        self, offer: str, profile: Profile, caller: Caller, deadline: Deadline, history: History
    ) -> Answer:
        """The answer to an offer, with the endpoint that gave it. Raises Problem; UnusableAnswer
        as `VoiceClient.start_call` does, with the endpoint too."""
        self.read_instructions(profile, deadline)

        def start(endpoint: VoiceEndpoint) -> Answer:
            identifier = self.identifier(endpoint, caller)
            client = endpoint.clients[profile.api]
            deployed = endpoint.deployed(profile)
            try:
                answer = client.start_call(offer, deployed, deadline, identifier, history)
            except UnusableAnswer as unusable:
                unusable.endpoint = endpoint.name
                self.leave(endpoint.name, profile.model, unusable.problem)
                raise
            return replace(answer, endpoint=endpoint.name)

        return self.first_of(self.choose(profile, caller), profile, deadline, start)

    def mint_key(
        self,
        profile: Profile,
        life: timedelta,
        caller: Caller,
        deadline: Deadline,
    ) -> MintedKey:
        """A new key for a page, of the caller's first endpoint that gives one. Raises Problem."""
        self.read_instructions(profile, deadline)
        candidates = self.choose(profile, caller)

        def mint(endpoint: VoiceEndpoint) -> MintedKey:
            deployed = endpoint.deployed(profile)
            with before_the_offer():
                key = endpoint.realtime.client.mint_key(
                    complete_profile(deployed, self.vault),
                    life,
                    key_deadline(deadline),
                    safety_identifier=self.identifier(endpoint, caller),
                )
            return MintedKey(key, endpoint, deployed)

        return self.first_of(candidates, profile, deadline, mint)

    def read_instructions(self, profile: Profile, deadline: Deadline) -> None:
        """Before any endpoint is tried: that a profile's private instructions cannot be read is no
        endpoint's fault, and would keep everybody from all of them. Once read, they are at hand.
        Raises Problem vault_…"""
        with exchange_terms(deadline):
            complete_profile(profile, self.vault)

    def first_of(
        self,
        candidates: Sequence[Endpoint],
        profile: Profile,
        deadline: Deadline,
        attempt: Callable[[VoiceEndpoint], T],
    ) -> T:
        """What the first endpoint gives that can; a single candidate is asked for a key as
        patiently as if there were no list. Raises the Problem that says most of those that could
        not."""
        failures: list[Problem] = []
        for each in self.all_to_try(candidates, profile.model):
            if failures and deadline.remaining < FAIR_TRY:
                break
            try:
                with key_patience(others_to_ask=len(candidates) > 1):
                    found = attempt(self.endpoints.by_name[each.name])
            except Problem as problem:
                if not self.leave(each.name, profile.model, problem):
                    # What was sent is to blame, and something there has read it.
                    self.endpoints.choice.recovered(each.name)
                    raise
                if not isinstance(problem, NoCallBegun):
                    raise
                failures.append(problem)
            else:
                self.endpoints.choice.recovered(each.name)
                return found
        raise most_telling(failures)

    def all_to_try(self, candidates: Sequence[Endpoint], model: str) -> Iterator[Endpoint]:
        """The candidates and, once all of them have refused, one that may be back."""
        yield from candidates
        tried = {each.name for each in candidates}
        more = self.endpoints.choice.last_resort(model, tried, self.clock())
        if more is not None:
            yield more

    def leave(self, name: str, model: str, problem: Problem) -> bool:
        """Leaves an endpoint alone for a while, if that problem is its own; says whether it is."""
        reason = REASONS.get(problem.code)
        if reason is None:
            return False
        self.count(name, reason)
        if problem.code in OF_ONE_PROFILE:
            self.endpoints.choice.recovered(name)
            return True
        now = self.clock()
        asked = problem.retry_after
        if problem.code == "upstream_credit_exhausted":
            asked = NO_CREDIT
        until = cool_down_until(reason, now, asked)
        of_model = model if reason in OF_ONE_MODEL else ""
        self.endpoints.choice.cool_down(name, until, reason, of_model)
        if len(self.endpoints.by_name) > 1:
            logs.event(
                "endpoint cooling",
                logging.WARNING,
                endpoint=name,
                reason=reason,
                problem=problem.code,
                model=of_model,
                seconds=round((until - now).total_seconds(), 1),
            )
        return True

    def identifier(self, endpoint: VoiceEndpoint, caller: Caller) -> str | None:
        """What that endpoint is told of the caller, where the settings allow it."""
        return safety_identifier(caller) if endpoint.settings.safety_identifier else None


def most_telling(failures: Sequence[Problem]) -> Problem:
    """What the caller is told if no endpoint could: that it is worth coming back, and when, if any
    of them has said so; else what the caller's own endpoint said."""
    waits = [each for each in failures if each.retry_after is not None]
    return min(waits or failures[:1], key=lambda each: each.retry_after or timedelta(0))
