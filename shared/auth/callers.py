"""Who is calling.

`CALLER_AUTH` names the methods, which are tried in turn. Each looks at the headers alone and says
one of three things: this is who it is; this was meant for me but is not valid (401
`invalid_credentials`, and no other method is asked); not mine. If it is nobody's, 401
`sign_in_required`.

A caller is known by one id: a keyed hash of the provider and the provider's user id, the same on
every instance and useless to anyone without the broker's secret. The user id itself stays here.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from shared.auth.method import Caller, Identity, Method, invalid
from shared.auth.static_web_apps import PRINCIPAL, StaticWebApps
from shared.core.key_derivation import derive_key
from shared.core.problems import Problem

ID_BYTES = 24
REMEMBERED = 1024


class Authenticator:
    """Recognises callers by `methods` in turn and gives each their id."""

    def __init__(
        self,
        methods: Sequence[Method],
        secret: str | bytes,
        previous_secrets: Sequence[str | bytes] = (),
    ) -> None:
        if not methods:
            raise ValueError("at least one method must be chosen")
        self.methods = tuple(methods)
        self.keys = [derive_key(each, "caller id") for each in (secret, *previous_secrets)]
        # The same callers come again; their ids need not be worked out each time.
        self.remembered = lru_cache(maxsize=REMEMBERED)(self.known)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Who sent these headers, whatever the case of their names.

        Raises Problem sign_in_required or invalid_credentials.
        """
        small: dict[str, str] = {}
        for name, value in headers.items():
            if small.setdefault(name.lower(), value) != value:
                raise invalid("A header is there twice.")
        for method in self.methods:
            try:
                identity = method.recognise(small)
            except Problem as problem:
                if problem.status == 401 and method.challenge:
                    refused = f'{method.challenge} error="invalid_token"'
                    problem.extra_headers["WWW-Authenticate"] = refused
                raise
            if identity is not None:
                return self.remembered(identity)
        raise self.nobody(small)

    def known(self, identity: Identity) -> Caller:
        """The caller whom a method has recognised."""
        # As JSON, so that no two pairs of provider and user run together into one text.
        who = json.dumps([identity.provider, identity.user]).encode()
        present, *previous = (caller_id(key, who) for key in self.keys)
        return Caller(present, identity.roles, identity.kind, tuple(previous))

    def nobody(self, headers: Mapping[str, str]) -> Problem:
        """The refusal when no method has recognised anybody."""
        challenges = [method.challenge for method in self.methods if method.challenge]
        unread = PRINCIPAL in headers and any(
            isinstance(method, StaticWebApps) and not method.believed for method in self.methods
        )
        return Problem(
            "sign_in_required",
            "A principal was sent, but this app is not known to be linked to a Static Web App."
            if unread
            else None,
            headers={"WWW-Authenticate": ", ".join(challenges)} if challenges else None,
        )


def caller_id(key: bytes, who: bytes) -> str:
    """The id: 32 URL-safe characters."""
    return base64.urlsafe_b64encode(hmac.digest(key, who, "sha256")[:ID_BYTES]).decode()
