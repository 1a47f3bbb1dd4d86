"""The caller: one class for whoever starts, registers, watches or ends a call.

A caller is known by one id: a keyed hash of the identity provider and the provider's user id. It is
the same on every instance and useless to anyone without the broker's secret. The provider's user id
goes into `CallerIds` and no further.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from shared.core.key_derivation import derive_key
from shared.core.problems import Problem

ID_BYTES = 24
REMEMBERED_IDS = 1024


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. `kind` is the method that authenticated them, such as `entra`.

    `previous_ids` are the caller's ids under the broker's previous secrets: calls that began before
    a rotation belong to one of those.
    """

    id: str
    roles: frozenset[str]
    kind: str
    previous_ids: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id under which the caller may own a call, the current one first."""
        return (self.id, *self.previous_ids)

    def require_role(self, role: str) -> None:
        """Raises Problem role_required if the caller does not have the role."""
        if role not in self.roles:
            raise Problem("role_required")

    def require_any_role(self, roles: frozenset[str]) -> None:
        """Raises Problem profile_not_allowed if a profile is for `roles` and the caller has none of
        them."""
        if roles and not roles & self.roles:
            raise Problem("profile_not_allowed")


class CallerIds:
    """Turns a provider's user into a `Caller`, under the broker's secret and the previous ones."""

    def __init__(self, secrets: Sequence[str | bytes]) -> None:
        self.keys = [derive_key(each, "caller id") for each in secrets]
        # The same callers come again; their ids need not be computed each time.
        self.ids_of = lru_cache(maxsize=REMEMBERED_IDS)(self.compute_ids)

    def caller(self, kind: str, provider: str, user: str, roles: frozenset[str]) -> Caller:
        """The caller whom `provider` knows as `user`."""
        current, *previous = self.ids_of(provider, user)
        return Caller(current, roles, kind, tuple(previous))

    def compute_ids(self, provider: str, user: str) -> tuple[str, ...]:
        # As JSON, so that no two pairs of provider and user give the same text.
        subject = json.dumps([provider, user]).encode()
        return tuple(hash_caller(key, subject) for key in self.keys)


def hash_caller(key: bytes, subject: bytes) -> str:
    """The id: 32 URL-safe characters."""
    return base64.urlsafe_b64encode(hmac.digest(key, subject, "sha256")[:ID_BYTES]).decode()
