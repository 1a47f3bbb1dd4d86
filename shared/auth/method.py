"""The interface of an authentication method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shared.auth.caller import Caller, CallerIds
from shared.core.problems import Problem


class Method(Protocol):
    """One way to authenticate callers, by request headers alone."""

    @property
    def challenge(self) -> str:
        """What WWW-Authenticate offers a caller who is not authenticated; "" for nothing."""

    def recognise_caller(self, headers: Mapping[str, str], ids: CallerIds) -> Caller | None:
        """The caller whom the headers (lower-case names) prove; None if they carry nothing for
        this method.

        Raises Problem invalid_credentials for a proof that is meant for this method and not valid.
        """


def invalid_credentials(detail: str) -> Problem:
    """The refusal of a proof that was meant for a method but is not valid."""
    return Problem("invalid_credentials", detail)
