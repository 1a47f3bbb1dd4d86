"""Upstream's reply to a hang-up, read as untrusted, and what it settles. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.upstream.error_mapping import CALL_GONE

WAS_LIVE, WAS_GONE = "hang-up", "gone"
"""What a call is settled by: the hang-up ended it, or found it gone."""


@dataclass(frozen=True, slots=True)
class HangUpReply:
    """Upstream's reply to a hang-up: its status and, of a refusal, its own error code."""

    status: int
    code: str = ""

    @property
    def proof_of_end(self) -> str:
        """What the reply settles the call by; "" if it proves nothing.

        A 2xx says that the hang-up ended the call, a 404 with the endpoint's own code that it was
        over already. Any other reply comes from something in between, or leaves open what became of
        the call.
        """
        if 200 <= self.status < 300:
            return WAS_LIVE
        return WAS_GONE if (self.status, self.code) == (404, CALL_GONE) else ""
