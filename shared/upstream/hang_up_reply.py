"""Upstream's reply to a hang-up, read as untrusted, and what it settles. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shared.upstream.error_mapping import CALL_GONE

WAS_LIVE, WAS_GONE = "hang-up", "gone"
"""What a call is settled by: the hang-up ended it, or found it gone."""
CLOSED = "closed"
"""What a call is settled by whose end its own sideband told."""

OUTLIVED = "outlived"
"""What a call is settled by that nobody upstream knows, and that is older than any call can be."""


@dataclass(frozen=True, slots=True)
class HangUpReply:
    """Upstream's reply to a hang-up: its status and, of a refusal, its own error code.

    `gone_code` is the code with which this API's 404 says that a call is over. `closed`: the call's
    sideband told its end, where no HTTP hang-up is served; then `status` is that of the refusal.
    `over_at`: every way to end the call was answered with "no such call", in whatever words; one of
    that age is over. `problem` is what a reply is that proves nothing.
    """

    status: int
    code: str = ""
    gone_code: str = CALL_GONE
    closed: bool = False
    over_at: timedelta | None = None
    problem: str = "upstream_failed"

    @property
    def proof_of_end(self) -> str:
        """What the reply settles the call by; "" if it proves nothing.

        A 2xx says that the hang-up ended the call, a 404 with the endpoint's own code that it was
        over already. Any other reply comes from something in between, or leaves open what became of
        the call.
        """
        if self.closed:
            return CLOSED
        if 200 <= self.status < 300:
            return WAS_LIVE
        return WAS_GONE if (self.status, self.code) == (404, self.gone_code) else ""

    def proof_at(self, age: timedelta) -> str:
        """What the reply settles a call of that age by; "" if it proves nothing."""
        outlived = self.over_at is not None and age >= self.over_at
        return self.proof_of_end or (OUTLIVED if outlived else "")
