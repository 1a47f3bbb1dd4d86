"""The terms under which a call is observed: what its record and its profile say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.calls.call_record import CallRecord
from shared.config.profiles import Profile, Profiles
from shared.core.problems import Problem
from shared.credentials.key_vault import SecretStore
from shared.credentials.private_instructions import complete_profile
from shared.limits.ledger_store import name_of
from shared.observer.context import Farewell, ObservedCall
from shared.transcripts.history import item_ids_of


@dataclass(frozen=True, slots=True)
class CallTerms:
    """Finds the terms of calls. `keep_words` is the setting `TRANSCRIPTS`, `retries_responses` is
    `RETRY_FAILED_RESPONSES`, `slow_turn` is `SLOW_TURN_MS`. `deployed` gives a profile as the
    calls of an endpoint have it."""

    profiles: Profiles
    vault: SecretStore
    keep_words: bool
    retries_responses: bool = True
    slow_turn: timedelta | None = None
    deployed: Callable[[Profile, str], Profile] = lambda profile, _: profile

    def observed_call(self, record: CallRecord) -> ObservedCall:
        """The call of that record. Blocks. Raises Problem vault_secret_unavailable."""
        profile = self.deployed(self.profile_of(record), record.endpoint)
        complete = complete_profile(profile, self.vault)
        return ObservedCall(
            record.call_id,
            session=None if profile.session_from_page else complete.session,
            keep_words=self.keep_words,
            started_at=record.started_at,
            ends_at=record.ends_at,
            farewell=Farewell(profile.goodbye),
            retries_responses=self.retries_responses,
            approvals=profile.mcp_approvals,
            record_id=record.id,
            api=record.api,
            recorded=profile.recorded,
            delegation_function=profile.delegation_function,
            slow_turn=self.slow_turn,
            continues=record.continues,
            past_items=past_items(record),
        )

    def settled_call(self, record: CallRecord) -> ObservedCall:
        """The call of that record, which is over: only its end is left to be recorded."""
        return ObservedCall(
            record.call_id,
            keep_words=self.keep_words,
            started_at=record.started_at,
            record_id=record.id,
            api=record.api,
            ended_by=record.ended_by,
            ended_at=record.ended_at,
        )

    def profile_of(self, record: CallRecord) -> Profile:
        """The call's profile. One that has been removed since leaves nothing to enforce."""
        try:
            return self.profiles.named(record.profile)
        except Problem:
            # Nor does anybody know any more whether its callers were told of a recording.
            gone = {"model": record.model}
            return Profile(record.profile, gone, session_from_page=True, recorded=False)


def past_items(record: CallRecord) -> tuple[str, ...]:
    """The ids of the items that a call may have begun with."""
    return tuple(item_ids_of(name_of(record.reference))) if record.continues else ()
