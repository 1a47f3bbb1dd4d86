"""What a way to recognise callers is, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.core.problems import Problem


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. `kind` is the method that recognised them.

    `previous_ids` are what the id was under the broker's previous secrets: handles of calls that
    began before a rotation belong to those.
    """

    id: str
    roles: frozenset[str]
    kind: str
    previous_ids: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id under which the caller may own something, the present one first."""
        return (self.id, *self.previous_ids)

    def require(self, role: str) -> None:
        """Raises Problem role_required if the caller does not have the role."""
        if role not in self.roles:
            raise Problem("role_required")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a method has recognised: `user` is the provider's own id and never leaves this room."""

    kind: str
    provider: str
    user: str = field(repr=False)
    roles: frozenset[str]


class Method(Protocol):
    """One way to recognise callers."""

    @property
    def challenge(self) -> str:
        """What WWW-Authenticate offers to those it does not recognise; "" for nothing."""

    def recognise(self, headers: Mapping[str, str]) -> Identity | None:
        """Whom the headers (names in small letters) prove; None if they are not this method's.

        Raises Problem invalid_credentials.
        """


def invalid(detail: str) -> Problem:
    """The refusal of a proof that was meant for a method but is not valid."""
    return Problem("invalid_credentials", detail)
