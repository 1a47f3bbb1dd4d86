"""Realtime's side of the seam between a call's life and the API that it speaks: which key starts a
call, and what becomes of a key that is refused.

A call is negotiated with the profile's warm key, where the provider needs one, and otherwise in one
request with the session.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.config.profiles import Profile
from shared.core import logs
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.problems import Problem
from shared.credentials.key_vault import SecretStore
from shared.credentials.private_instructions import complete_profile
from shared.realtime.client import EphemeralKeyRefused, RealtimeClient
from shared.realtime.ephemeral_key_cache import EphemeralKeyCache
from shared.upstream.answer import Answer
from shared.upstream.hang_up_reply import HangUpReply

KEYS_TRIED = 2


@dataclass(frozen=True, slots=True)
class RealtimeVoice:
    """Starts and ends calls of the Realtime API."""

    client: RealtimeClient
    keys: EphemeralKeyCache
    vault: SecretStore

    def start_call(
        self,
        offer: str,
        profile: Profile,
        deadline: Deadline,
        safety_identifier: str | None = None,
    ) -> Answer:
        """The answer to an offer; a call that it starts in vain is hung up. Raises `Problem`."""
        if not self.client.traits.needs_key:
            with exchange_terms(deadline):
                complete = complete_profile(profile, self.vault)
            return self.client.negotiate_unified(
                offer, complete, deadline, safety_identifier=safety_identifier
            )
        for _ in range(KEYS_TRIED):
            with exchange_terms(deadline):
                key = self.keys.key(profile)
            try:
                return self.client.negotiate(offer, key, profile, deadline)
            except EphemeralKeyRefused as refused:
                # The key is refused before the offer is read (measured): try with a fresh one.
                logs.event("ephemeral key refused", profile=profile.name, **refused.evidence)
                self.keys.drop_key(profile, key)
        raise Problem("ephemeral_key_refused")

    def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:
        """Asks for the end of a call. Raises `Problem`."""
        return self.client.hang_up(call_id, deadline)
