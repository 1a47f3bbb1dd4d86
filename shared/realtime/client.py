"""The Realtime REST client: mints ephemeral keys, negotiates calls, hangs them up.

The providers differ as `PROVIDERS` says: Azure takes an ephemeral key and the raw offer only
(measured); OpenAI also takes a standard key and multipart, so that a call there is one request even
without a key. The 201's Location is relative and contains the call id (recorded live traffic). The
text of upstream's errors goes no further than this module.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.config.env import Provider
from shared.config.profiles import Profile
from shared.core import logs
from shared.core.clock import Clock, utc_now
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.problems import Problem
from shared.credentials.endpoint_credential import Credential
from shared.realtime.ephemeral_keys import EphemeralKey, key_request, read_key
from shared.realtime.key_patience import key_tries
from shared.realtime.safety_identifier import safety_header
from shared.realtime.sdp_answer import read_answer
from shared.upstream.answer import Answer, NoCallBegun, UnusableAnswer, before_the_offer
from shared.upstream.error_body import read_error
from shared.upstream.error_mapping import own_code, problem_of, refusal_problem
from shared.upstream.hang_up_reply import HangUpReply
from shared.upstream.refusal_row import OFFER
from shared.upstream.retries import send_with_retries
from shared.upstream.transport import USUAL_TIMEOUTS, Reply, Timeouts, connection_pool, post_request

if TYPE_CHECKING:
    import requests
    from urllib3 import HTTPConnectionPool

UNUSABLE_CALL_BUDGET = timedelta(seconds=8)
"""For a hang-up after the request's own budget: together below the 45 s of Static Web Apps."""


@dataclass(frozen=True, slots=True)
class ProviderTraits:
    """What differs between the providers."""

    base: str
    filters: bool  # accepts `webrtcfilter=on`
    needs_key: bool  # a call can only be negotiated with an ephemeral key


PROVIDERS: Mapping[Provider, ProviderTraits] = {
    "azure": ProviderTraits(base="/openai/v1/realtime", filters=True, needs_key=True),
    "openai": ProviderTraits(base="/v1/realtime", filters=False, needs_key=False),
}


class EphemeralKeyRefused(Exception):
    """The endpoint does not accept this key, or no longer does: drop it and mint another.
    `evidence` is what it says, for the log."""

    def __init__(self, evidence: Mapping[str, Any]) -> None:
        self.evidence = evidence
        super().__init__()


class RealtimeClient:
    """Talks to one endpoint over one pooled `requests.Session`; safe to share between threads.

    `beside_key` gives what a gateway wants in requests with an ephemeral key. `name` is what the
    log calls the endpoint.
    """

    def __init__(
        self,
        provider: Provider,
        endpoint: str,
        credential: Credential,
        session: requests.Session,
        *,
        timeouts: Timeouts = USUAL_TIMEOUTS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Clock = utc_now,
        beside_key: Callable[[], Mapping[str, str]] = dict,
        name: str = "",
    ) -> None:
        self.name = name
        self.traits = PROVIDERS[provider]
        self.base = endpoint + self.traits.base
        self.credential = credential
        self.session = session
        self.timeouts = timeouts
        self.sleep = sleep
        self.clock = clock
        self.beside_key = beside_key

    def calls_url(self, profile: Profile) -> str:
        """Where an offer for `profile` is posted, the filter included."""
        wanted = self.traits.filters and profile.filtered
        return f"{self.base}/calls" + ("?webrtcfilter=on" if wanted else "")

    def mint_key(
        self,
        profile: Profile,
        life: timedelta,
        deadline: Deadline,
        *,
        safety_identifier: str | None = None,
    ) -> EphemeralKey:
        """A new ephemeral key for `profile`, good for `life` (10 s to 2 h, measured).

        Minting twice does no harm, so 429, 5xx, resets and timeouts are retried within the
        deadline, unless another endpoint can give a key sooner (`key_patience`), and `Retry-After`
        is honoured. Raises `Problem`.
        """
        headers = {
            **self.credential.headers(),
            **safety_header(safety_identifier),
            "Content-Type": "application/json",
        }
        url = f"{self.base}/client_secrets"
        body = key_request(profile, life)
        timeouts = replace(self.timeouts, tries=key_tries(self.timeouts.tries))
        reply = self.post_with_retries(url, body, headers, deadline, timeouts=timeouts)
        return read_key(reply, self.clock())

    def negotiate(
        self, offer: str, key: EphemeralKey, profile: Profile, deadline: Deadline
    ) -> Answer:
        """The answer to `offer`, with an ephemeral key. Never retried: an offer whose answer is
        lost may have started a call. Raises `EphemeralKeyRefused` or `Problem` (`NoCallBegun` where
        it is certain that it has not)."""
        with exchange_terms(deadline), before_the_offer():
            gateway = self.beside_key()
        headers = {
            **gateway,
            "Authorization": f"Bearer {key.value}",
            "Content-Type": "application/sdp",
        }
        reply = self.post(self.calls_url(profile), offer.encode(), headers, deadline)
        if reply.status == 401:
            error = read_error(reply)
            if problem_of(error, on=OFFER).code == "upstream_access_denied":
                raise EphemeralKeyRefused(error.evidence())
        return self.usable_answer(reply)

    def negotiate_unified(
        self,
        offer: str,
        profile: Profile,
        deadline: Deadline,
        *,
        safety_identifier: str | None = None,
    ) -> Answer:
        """The answer to `offer` in one request that includes the session (OpenAI's unified
        interface). Never retried, as `negotiate`. Raises `Problem`."""
        import requests

        parts = {
            "sdp": (None, offer, "application/sdp"),
            "session": (None, json.dumps(dict(profile.session)), "application/json"),
        }
        form = requests.Request("POST", self.calls_url(profile), files=parts).prepare()
        with before_the_offer():
            credential = self.credential.headers()
        headers = {
            **credential,
            **safety_header(safety_identifier),
            "Content-Type": form.headers["Content-Type"],
        }
        assert isinstance(form.body, bytes)
        return self.usable_answer(self.post(self.calls_url(profile), form.body, headers, deadline))

    def usable_answer(self, reply: Reply) -> Answer:
        """The answer to an offer. A call that it starts in vain is hung up. Raises `Problem`."""
        try:
            return read_answer(reply)
        except UnusableAnswer as unusable:
            self.end_unusable_call(unusable.call_id)
            raise unusable.problem from None

    def end_unusable_call(self, call_id: str | None) -> None:
        """Hangs up a call that nobody can use, as far as it is known. Never raises."""
        if call_id is None:
            tell_left_running("no call id")
            return
        try:
            reply = self.hang_up(call_id, Deadline.after(UNUSABLE_CALL_BUDGET))
        except Problem as problem:
            tell_left_running(problem.code)
            return
        if not reply.proof_of_end:
            tell_left_running(f"hang-up {reply.status}")

    def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:
        """Asks for the end of the call; gives the answer, which may be a 404. Raises `Problem`."""
        url = f"{self.base}/calls/{call_id}/hangup"
        reply = self.post_with_retries(
            url, b"", self.credential.headers(), deadline, gone_is_ok=True
        )
        return HangUpReply(reply.status, own_code(reply) if reply.status >= 400 else "")

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: Deadline,
        *,
        repeatable: bool = False,
    ) -> Reply:
        terms = (self.pool, url, body, headers, self.timeouts, deadline)
        if repeatable:
            return post_request(*terms, repeatable=True, endpoint=self.name)
        lost: list[str] = []
        try:
            return post_request(*terms, when_lost=lost.append, endpoint=self.name)
        except Problem as problem:
            if not lost:
                raise NoCallBegun.because_of(problem) from None
            # An offer, which may have started a call although its answer is lost.
            tell_left_running(lost[0])
            raise

    @cached_property
    def pool(self) -> HTTPConnectionPool:
        """The keep-alive connections to the endpoint."""
        return connection_pool(self.session, self.base)

    def post_with_retries(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: Deadline,
        *,
        gone_is_ok: bool = False,
        timeouts: Timeouts | None = None,
    ) -> Reply:
        """For requests that may safely arrive twice. Raises `Problem`."""

        def post() -> Reply:
            reply = self.post(url, body, headers, deadline, repeatable=True)
            if reply.broken is not None and reply.status == 200 and not gone_is_ok:
                raise reply.broken
            return reply

        reply = send_with_retries(post, timeouts or self.timeouts, deadline, self.sleep)
        if 200 <= reply.status < 300 or (gone_is_ok and reply.status == 404):
            return reply
        raise refusal_problem(reply)


def tell_left_running(reason: str) -> None:
    """Of a call that may run, and that nobody can end: the endpoint ends it if nobody connects."""
    logs.event("call left running", logging.WARNING, reason=reason)
