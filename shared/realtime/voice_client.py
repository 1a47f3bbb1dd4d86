"""Realtime's side of the seam between a call's life and the API that it speaks: which key starts a
call, and what becomes of a key that is refused.

A call is negotiated with the profile's warm key, where the provider needs one, and otherwise in one
request with the session.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.config.profiles import Profile
from shared.config.transcription_sessions import is_transcription
from shared.core import logs
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.credentials.key_vault import SecretStore
from shared.credentials.private_instructions import complete_profile
from shared.realtime.client import EphemeralKeyRefused, RealtimeClient
from shared.realtime.ephemeral_key_cache import EphemeralKeyCache
from shared.realtime.key_patience import key_deadline
from shared.sideband.connector import no_sideband
from shared.sideband.sideband import Connect
from shared.transcripts.history import NO_HISTORY, History
from shared.upstream.answer import Answer, NoCallBegun, before_the_offer
from shared.upstream.hang_up_reply import HangUpReply

KEYS_TRIED = 2


@dataclass(frozen=True, slots=True)
class RealtimeVoice:
    """Starts and ends calls of the Realtime API. `connect` dials their sidebands."""

    client: RealtimeClient
    keys: EphemeralKeyCache
    vault: SecretStore
    connect: Connect = no_sideband

    def start_call(
        self,
        offer: str,
        profile: Profile,
        deadline: Deadline,
        safety_identifier: str | None = None,
        history: History = NO_HISTORY,
    ) -> Answer:
        """The answer to an offer; a call that it starts in vain is hung up. Raises `Problem`."""
        answer = self.negotiate(offer, profile, deadline, safety_identifier)
        # Nobody answers in a session that only transcribes, and it takes no items.
        if not history.messages or is_transcription(profile.session):
            return answer
        # Imported here: only a call that continues another one needs it, and it is slow to import.
        from shared.realtime.history_items import carry_over

        return replace(answer, carried=carry_over(self.connect, answer.call_id, history))

    def negotiate(
        self, offer: str, profile: Profile, deadline: Deadline, safety_identifier: str | None
    ) -> Answer:
        """Raises `Problem`."""
        if not self.client.traits.needs_key:
            with exchange_terms(deadline), before_the_offer():
                complete = complete_profile(profile, self.vault)
            return self.client.negotiate_unified(
                offer, complete, deadline, safety_identifier=safety_identifier
            )
        for _ in range(KEYS_TRIED):
            with exchange_terms(key_deadline(deadline)), before_the_offer():
                key = self.keys.key(profile)
            try:
                return self.client.negotiate(offer, key, profile, deadline)
            except EphemeralKeyRefused as refused:
                # The key is refused before the offer is read (measured): try with a fresh one.
                logs.event("ephemeral key refused", profile=profile.name, **refused.evidence)
                self.keys.drop_key(profile, key)
        raise NoCallBegun("ephemeral_key_refused")

    def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:
        """Asks for the end of a call. Raises `Problem`."""
        return self.client.hang_up(call_id, deadline)
