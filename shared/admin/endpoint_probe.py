"""Tries each part of the model's endpoint with a request that starts nothing and costs nothing.

A gateway in front of it may pass on one part and not another: keys, offers, hang-ups and the
sideband are operations of their own there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from shared.calls.voice_endpoints import VoiceEndpoint, VoiceEndpoints
from shared.config.profiles import Profile, Profiles
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.deadline import Deadline
from shared.core.live_problems import LIVE_PROBLEMS
from shared.core.problems import Problem
from shared.realtime.client import EphemeralKeyRefused
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.sideband.sideband import NoSuchCall, SidebandUnavailable
from shared.upstream.endpoints import endpoint_of

SHORTEST_KEY = timedelta(seconds=10)
BUDGET = timedelta(seconds=15)
"""For one part."""
NO_OFFER = "v=0\r\n"
"""Begins like an offer, so that the endpoint reads it, and is none."""
NO_CALL = "rtc_0000000000000000000000000000dead"
"""An id that no call has."""
NO_SESSION = "live_u0_0000000000000000000000000000dead"
"""An id that no session of GPT-Live has."""


class NotTried(Exception):
    """A part that depends on another one, which is reported on its own."""


class EndpointProbe:
    """One method for each part of one endpoint; each raises `Problem` if that part does not
    work."""

    def __init__(self, model: VoiceEndpoint, profiles: Profiles) -> None:
        self.model = model
        self.client = model.realtime.client
        self.minter = model.realtime.minter
        self.profiles = profiles

    def profile_of(self, api: VoiceApi) -> Profile | None:
        """The profile to try that API with: the default one if it is of it, or the first, of those
        whose model is served here."""
        others = sorted(self.profiles.by_name.values(), key=lambda profile: profile.name)
        candidates = [self.profiles.named(None), *others]
        endpoint = replace(endpoint_of(self.model.settings), weight=1)
        served = (each for each in candidates if each.api == api and endpoint.serves(each.model))
        found = next(served, None)
        return found and self.model.deployed(found)

    def realtime_profile(self) -> Profile:
        """Raises NotTried where every profile is of another API."""
        profile = self.profile_of(REALTIME)
        if profile is None:
            raise NotTried
        return profile

    def mint_key(self) -> EphemeralKey:
        """Mints a key of the shortest life, which is thrown away."""
        return self.minter.mint_key(self.realtime_profile(), SHORTEST_KEY)

    def post_no_offer(self) -> None:
        """Posts what is no offer, as a call would be started: the endpoint must refuse just that.
        Raises NotTried without a key."""
        profile, deadline = self.realtime_profile(), Deadline.after(BUDGET)
        try:
            if not self.client.traits.needs_key:
                answer = self.client.negotiate_unified(
                    NO_OFFER, self.minter.complete(profile), deadline
                )
            else:
                answer = self.client.negotiate(NO_OFFER, self.throwaway_key(), profile, deadline)
        except EphemeralKeyRefused:
            raise Problem("ephemeral_key_refused") from None
        except Problem as problem:
            if problem.code != "offer_refused":
                raise
            return
        # It takes anything for an offer.
        self.client.end_unusable_call(answer.call_id)

    def throwaway_key(self) -> EphemeralKey:
        try:
            return self.mint_key()
        except Problem:
            raise NotTried from None

    def hang_up_no_call(self) -> None:
        """Hangs up a call that there is not: only the endpoint itself says so with its own code."""
        reply = self.client.hang_up(NO_CALL, Deadline.after(BUDGET))
        if not reply.proof_of_end:
            raise Problem(
                "endpoint_not_found", "Hang-ups do not reach the model's endpoint: calls go on."
            )

    def dial_no_call(self) -> None:
        """Dials the sideband of a call that there is not. Being told so proves that it is served;
        so does a connection."""
        try:
            asyncio.run(self.dial_and_close())
        except NoSuchCall:
            return
        except SidebandUnavailable as unavailable:
            raise Problem(unavailable.problem) from None

    async def dial_and_close(self) -> None:
        sideband = await self.model.realtime.connector(NO_CALL)
        await sideband.close()

    def create_no_session(self) -> None:
        """Sends a create of GPT-Live that starts nothing. Raises NotTried without a profile."""
        profile = self.profile_of(LIVE)
        if profile is None:
            raise NotTried
        with self.for_a_reason_of_its_own():
            self.model.live.client.try_create(profile, Deadline.after(BUDGET))

    def end_no_session(self) -> None:
        """Ends a session that there is not: by HTTP or, where that is not served, by its sideband,
        the endpoint must say so."""
        with self.for_a_reason_of_its_own():
            reply = self.model.live.client.hang_up(NO_SESSION, Deadline.after(BUDGET))
        if not reply.proof_of_end:
            raise Problem(
                "live_not_served",
                "Neither hang-ups nor sidebands of GPT-Live reach the model's endpoint: calls "
                "would go on.",
            )

    @contextmanager
    def for_a_reason_of_its_own(self) -> Iterator[None]:
        """Raises NotTried for a failure that is not GPT-Live's alone and that Realtime has too: it
        is reported there."""
        try:
            yield
        except Problem as problem:
            if problem.code not in LIVE_PROBLEMS and self.profile_of(REALTIME) is not None:
                self.throwaway_key()
            raise


def open_probes(model: VoiceEndpoints, profiles: Profiles) -> list[EndpointProbe]:
    """One for each endpoint, in the settings' order."""
    return [EndpointProbe(each, profiles) for each in model.by_name.values()]
