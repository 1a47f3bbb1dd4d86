"""The interface of an authentication method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.auth.caller import Caller, CallerIds
from shared.core import logs
from shared.core.problems import Problem


class Method(Protocol):
    """One way to authenticate callers, by request headers alone."""

    @property
    def challenge(self) -> str:
        """What WWW-Authenticate offers a caller who is not authenticated; "" for nothing."""

    @property
    def check_keys(self) -> Callable[[], None] | None:
        """Raises Problem sign_in_keys_unavailable if nobody's proof could be verified now; None if
        proofs need no keys."""

    def recognise_caller(self, headers: Mapping[str, str], ids: CallerIds) -> Caller | None:
        """The caller whom the headers (lower-case names) prove; None if they carry nothing for
        this method.

        Raises Problem invalid_credentials for a proof that is meant for this method and not valid.
        """


def invalid_credentials(detail: str, *, check: str, **facts: object) -> Problem:
    """The refusal of a proof that was meant for a method but is not valid.

    The log has the `check` that failed, and `facts`: `compare`, the setting to look at, and what
    the proof has in its place. Safe words only: the proof may be anybody's.
    """
    logs.event("credentials refused", check=check, **facts)
    return Problem("invalid_credentials", detail)
