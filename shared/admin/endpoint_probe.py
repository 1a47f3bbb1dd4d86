"""Tries each part of the model's endpoint with a request that starts nothing and costs nothing.

A gateway in front of it may pass on one part and not another: keys, offers, hang-ups and the
sideband are operations of their own there.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.config.profiles import Profiles
from shared.core.deadline import Deadline
from shared.core.problems import Problem
from shared.realtime.client import EphemeralKeyRefused, RealtimeClient
from shared.realtime.ephemeral_key_cache import KeyMinter
from shared.realtime.ephemeral_keys import EphemeralKey
from shared.sideband.sideband import Connect, NoSuchCall, SidebandUnavailable

SHORTEST_KEY = timedelta(seconds=10)
BUDGET = timedelta(seconds=15)
"""For one part."""
NO_OFFER = "v=0\r\n"
"""Begins like an offer, so that the endpoint reads it, and is none."""
NO_CALL = "rtc_0000000000000000000000000000dead"
"""An id that no call has."""


class NotTried(Exception):
    """A part that depends on another one, which is reported on its own."""


class EndpointProbe:
    """One method for each part; each raises `Problem` if that part does not work."""

    def __init__(
        self, client: RealtimeClient, minter: KeyMinter, connect: Connect, profiles: Profiles
    ) -> None:
        self.client = client
        self.minter = minter
        self.connect = connect
        self.profiles = profiles

    def mint_key(self) -> EphemeralKey:
        """Mints a key of the shortest life, which is thrown away."""
        return self.minter.mint_key(self.profiles.named(None), SHORTEST_KEY)

    def post_no_offer(self) -> None:
        """Posts what is no offer, as a call would be started: the endpoint must refuse just that.
        Raises NotTried without a key."""
        profile, deadline = self.profiles.named(None), Deadline.after(BUDGET)
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
        sideband = await self.connect(NO_CALL)
        await sideband.close()
