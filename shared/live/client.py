"""The REST client of GPT-Live: creates sessions and ends them, with the server's credential alone.

There are no ephemeral keys: one request has the session and the page's offer, and its reply the
answer and the session's id. It is never sent again once it may have arrived, because each create
costs at least 15 seconds. The providers differ in the base of their paths, and Azure is not known
to serve hang-ups: where they are not served, a session is ended over its sideband.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from shared.config.env import Provider
from shared.config.profiles import Profile
from shared.core.deadline import Deadline
from shared.core.exchange import exchange_terms
from shared.core.problems import Problem
from shared.credentials.endpoint_credential import Credential
from shared.credentials.key_vault import SecretStore
from shared.credentials.private_instructions import complete_profile
from shared.live.create_reply import read_created
from shared.live.history_input import with_history
from shared.live.session_end import SessionEnder
from shared.live.session_fields import create_body, probe_body, session_to_send
from shared.live.session_ids import SESSION_GONE, session_path
from shared.live.shared_ends import SharedEnds
from shared.sideband.sideband import SidebandUnavailable
from shared.transcripts.history import NO_HISTORY, History
from shared.upstream.answer import Answer, NoCallBegun, UnusableAnswer, before_the_offer
from shared.upstream.error_body import read_error
from shared.upstream.error_mapping import own_code, problem_of, refusal_problem
from shared.upstream.hang_up_reply import HangUpReply
from shared.upstream.refusal_row import LIVE
from shared.upstream.retries import send_with_retries
from shared.upstream.transport import USUAL_TIMEOUTS, Reply, Timeouts, connection_pool, post_request

if TYPE_CHECKING:
    import requests
    from urllib3 import HTTPConnectionPool

BASES: Mapping[Provider, str] = {"azure": "/openai/v1/live", "openai": "/v1/live"}
UNWANTED_BUDGET = timedelta(seconds=8)
HANG_UP_SHARE = 0.4
"""Of the time to end a session, for the HTTP hang-up; the rest is for its sideband."""
NO_REPLY = ("upstream_unreachable", "upstream_timeout")
"""What a hang-up fails with that the sideband may yet do."""
TAKES_SESSION = ("profile_refused", "offer_refused")
"""What a create without a transport is refused as where Live is served."""

OVER_AT = timedelta(hours=2, minutes=10)
"""A session lives for two hours (`expires_at` in recorded traffic); the rest is for clocks that
differ, and for its end."""
NO_SESSION = (404, 410)
NO_HANG_UP = (*NO_SESSION, 405, 501)
"""Also where hang-ups are not served."""


class LiveClient:
    """Talks to one endpoint over one pooled `requests.Session`; safe to share between threads.

    `fields` are the optional fields of a session that are sent; `ender` ends sessions where HTTP
    does not. `name` is what the log calls the endpoint.
    """

    def __init__(
        self,
        provider: Provider,
        endpoint: str,
        credential: Credential,
        session: requests.Session,
        *,
        vault: SecretStore,
        fields: frozenset[str],
        ender: SessionEnder,
        timeouts: Timeouts = USUAL_TIMEOUTS,
        sleep: Callable[[float], None] = time.sleep,
        name: str = "",
    ) -> None:
        self.name = name
        self.base = endpoint + BASES[provider]
        self.credential = credential
        self.session = session
        self.vault = vault
        self.fields = fields
        self.ender = ender
        self.timeouts = timeouts
        self.sleep = sleep
        self.ends = SharedEnds()

    def start_call(
        self,
        offer: str,
        profile: Profile,
        deadline: Deadline,
        safety_identifier: str | None = None,
        history: History = NO_HISTORY,
    ) -> Answer:
        """The answer to a page's offer, from one create, which has the history too.

        Raises NoCallBegun if it is certain that there is no session, Problem if it is likely;
        UnusableAnswer if there may be one, which the caller
        has to end, or to tell of where its id is not known.
        """
        with exchange_terms(deadline), before_the_offer():
            complete = complete_profile(profile, self.vault)
        session = session_to_send(complete.session, self.fields, safety_identifier)
        session, carried = with_history(session, history)
        lost: list[str] = []
        try:
            reply = self.post(
                "/sessions", create_body(session, offer), deadline, when_lost=lost.append
            )
        except Problem as problem:
            if lost:
                raise UnusableAnswer(None, problem) from None
            raise NoCallBegun.because_of(problem) from None
        return replace(read_created(reply), carried=carried)

    def hang_up(self, call_id: str, deadline: Deadline) -> HangUpReply:
        """Ends a session: by HTTP or, where that proves nothing, over its sideband. While it is
        being ended, this waits for the outcome. Raises `Problem`."""
        return self.ends.end_once(call_id, lambda: self.end_session(call_id, deadline), deadline)

    def end_session(self, call_id: str, deadline: Deadline) -> HangUpReply:
        """Raises `Problem`."""
        share = timedelta(seconds=deadline.seconds_left * HANG_UP_SHARE)
        reply, failed = HangUpReply(0), None
        try:
            reply = self.hang_up_by_http(call_id, Deadline.after(share, deadline.monotonic))
        except Problem as problem:
            if problem.code not in NO_REPLY:
                raise
            failed = problem
        if reply.proof_of_end:
            return reply
        try:
            with self.ends.sideband():
                closed = asyncio.run(self.ender.end_session(call_id, deadline))
        except SidebandUnavailable as error:
            if failed is not None:
                raise failed from None
            return replace(reply, over_at=OVER_AT if knows_no_session(reply, error) else None)
        if closed is None:
            return HangUpReply(404, SESSION_GONE, gone_code=SESSION_GONE)
        if not closed and failed is not None:
            raise failed
        return replace(reply, closed=closed)

    def hang_up_by_http(self, call_id: str, deadline: Deadline) -> HangUpReply:
        """The reply to a hang-up, whatever it says; what passes by itself is tried again. Raises
        `Problem` if there is none."""
        path = f"{session_path(call_id)}/hangup"
        reply = send_with_retries(
            lambda: self.post(path, b"", deadline, repeatable=True),
            self.timeouts,
            deadline,
            self.sleep,
        )
        code = own_code(reply) if reply.status >= 400 else ""
        return HangUpReply(reply.status, code, gone_code=SESSION_GONE)

    def try_create(self, profile: Profile, deadline: Deadline) -> None:
        """Sends a create that has no transport, so that it starts and costs nothing: the endpoint
        must refuse just that. Raises `Problem` if it says anything else."""
        with exchange_terms(deadline):
            complete = complete_profile(profile, self.vault)
        session = session_to_send(complete.session, self.fields)
        reply = self.post("/sessions", probe_body(session), deadline)
        if 200 <= reply.status < 300:
            self.end_unwanted(reply)
            raise Problem("live_not_served", "Something that is not GPT-Live took the request.")
        code = problem_of(read_error(reply), on=LIVE).code
        if reply.status not in (400, 422) or code not in TAKES_SESSION:
            raise refusal_problem(reply, on=LIVE)

    def end_unwanted(self, reply: Reply) -> None:
        """Ends what a create has started that should have started nothing."""
        try:
            session_id = read_created(reply).call_id
        except UnusableAnswer as unusable:
            if unusable.call_id is None:
                return
            session_id = unusable.call_id
        self.hang_up(session_id, Deadline.after(UNWANTED_BUDGET))

    def post(
        self,
        path: str,
        body: bytes,
        deadline: Deadline,
        *,
        repeatable: bool = False,
        when_lost: Callable[[str], None] = lambda _: None,
    ) -> Reply:
        with exchange_terms(deadline):
            headers = dict(self.credential.headers())
        if body:
            headers["Content-Type"] = "application/json"
        return post_request(
            self.pool,
            self.base + path,
            body,
            headers,
            self.timeouts,
            deadline,
            repeatable=repeatable,
            when_lost=when_lost,
            endpoint=self.name,
        )

    @cached_property
    def pool(self) -> HTTPConnectionPool:
        """The keep-alive connections to the endpoint."""
        return connection_pool(self.session, self.base)


def knows_no_session(reply: HangUpReply, refused: SidebandUnavailable) -> bool:
    """Whether neither the hang-up nor the sideband, if there is one, has found a session. That
    alone proves no end: a gateway or a router answers so too."""
    no_sideband = refused.status is None and refused.problem == "sideband_not_served"
    return reply.status in NO_HANG_UP and (no_sideband or refused.status in NO_SESSION)
