"""Who is calling.

`CALLER_AUTH` names the authentication methods, which are tried in turn. Each looks at the headers
alone and gives one of three answers: this is the caller; this was meant for me but is not valid
(401 `invalid_credentials`, and no other method is tried); nothing here for me. If no method finds
anything, the answer is 401 `sign_in_required`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from shared.auth.caller import Caller, CallerIds
from shared.auth.method import Method
from shared.auth.static_web_apps import PRINCIPAL, StaticWebApps
from shared.core.problems import Problem
from shared.credentials.broker_secret import SecretSource

# The current secrets, and those of instances that are a step ahead or behind in a rotation.
REMEMBERED_SECRETS = 4


class Authenticator:
    """Authenticates callers by `methods`, tried in turn; `secret` keys the callers' ids."""

    def __init__(self, methods: Sequence[Method], secret: SecretSource) -> None:
        if not methods:
            raise ValueError("at least one authentication method is needed")
        self.methods = tuple(methods)
        self.secret = secret
        self.ids_under = lru_cache(maxsize=REMEMBERED_SECRETS)(CallerIds)

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Who sent these headers (lower-case names).

        Raises Problem sign_in_required or invalid_credentials, and what reading the broker's secret
        raises.
        """
        ids = self.ids_under(self.secret.current())
        for method in self.methods:
            try:
                caller = method.recognise_caller(headers, ids)
            except Problem as problem:
                if problem.status == 401 and method.challenge:
                    refused = f'{method.challenge} error="invalid_token"'
                    problem.extra_headers["WWW-Authenticate"] = refused
                raise
            if caller is not None:
                return caller
        raise self.sign_in_required(headers)

    def checks(self) -> dict[str, Callable[[], None]]:
        """What `/api/health/deep` tries for the methods: that the keys which proofs are verified
        with can be fetched. A check raises Problem sign_in_keys_unavailable."""
        checks = {}
        for method in self.methods:
            if method.check_keys is not None:
                checks["sign_in"] = method.check_keys
        return checks

    def sign_in_required(self, headers: Mapping[str, str]) -> Problem:
        """The refusal when no method recognised the caller."""
        challenges = [method.challenge for method in self.methods if method.challenge]
        ignored = PRINCIPAL in headers and any(
            isinstance(method, StaticWebApps) and not method.trusted for method in self.methods
        )
        return Problem(
            "sign_in_required",
            "A principal was sent, but this app is not known to be linked to a Static Web App."
            if ignored
            else None,
            headers={"WWW-Authenticate": ", ".join(challenges)} if challenges else None,
        )
