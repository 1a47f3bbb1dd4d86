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
import binascii
import hmac
import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from shared.problems import Problem
from shared.subkeys import subkey

PRINCIPAL = "x-ms-client-principal"
PRINCIPAL_CHARACTERS = 8 * 1024
PRINCIPAL_MEMBERS = {"identityProvider", "userId", "userDetails", "userRoles"}
ID_BYTES = 24
REMEMBERED = 1024


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


@dataclass(frozen=True, slots=True)
class StaticWebApps:
    """The principal that Azure Static Web Apps sends to its linked backend.

    A header proves nothing by itself: it does where the platform takes away what callers put there.
    `believed` says so, see `principals_are_genuine`; where it is False the header is not read.
    """

    believed: bool
    challenge: str = ""

    def recognise(self, headers: Mapping[str, str]) -> Identity | None:
        header = headers.get(PRINCIPAL)
        if header is None or not self.believed:
            return None
        principal = decode_principal(header)
        roles = principal["userRoles"]
        if "authenticated" not in roles:
            raise invalid("The principal is not of a signed-in user.")
        return Identity(
            "static-web-apps",
            f"static-web-apps:{principal['identityProvider']}",
            principal["userId"],
            frozenset(roles),
        )


def invalid(detail: str) -> Problem:
    """The refusal of a proof that was meant for a method but is not valid."""
    return Problem("invalid_credentials", detail)


def decode_principal(header: str) -> dict[str, Any]:
    """The principal in its header, in exactly the shape that Static Web Apps gives it.

    App Service's own authentication uses the same header with another shape ({auth_typ, …}); that
    one, and anything else, is Problem invalid_credentials.
    """
    wrong = invalid("The principal does not have the shape that Static Web Apps gives it.")
    if len(header) > PRINCIPAL_CHARACTERS:
        raise wrong
    try:
        text = base64.b64decode(header, validate=True).decode()
        principal = json.loads(text, object_pairs_hook=without_duplicates)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise wrong from error
    if not isinstance(principal, dict) or principal.keys() - {"claims"} != PRINCIPAL_MEMBERS:
        raise wrong
    provider, user, roles = (
        principal[name] for name in ("identityProvider", "userId", "userRoles")
    )
    if not all(isinstance(text, str) and 0 < len(text) <= 256 for text in (provider, user)):
        raise wrong
    if not isinstance(principal["userDetails"], str | None):
        raise wrong
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise wrong
    return principal


def without_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, unless it names a member twice: two readers might each take another one."""
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("a member is there twice")
    return found


def principals_are_genuine(env: Mapping[str, str], methods: Iterable[str]) -> bool:
    """Whether a principal header can only have come from the platform. Fails closed.

    On the laptop, yes: the gateway replaces the header. `AZURE_FUNCTIONS_ENVIRONMENT=Development`
    says that this is one (`func start` sets it) and counts only where no variable of Azure's is.

    In Azure the header is genuine behind App Service authentication, which linking a Static Web App
    turns on and which removes what callers send. `WEBSITE_AUTH_ENABLED` tells, where the platform
    sets it. Where it does not, the setting `STATIC_WEB_APP_LINKED=on` is taken at its word; it
    never outweighs a platform that says "false", `unchecked` does. Either is for deployments where
    a forged header, sent straight to the function app, was seen to be refused.

    With `anonymous` among the methods the routes are open to everybody, and on such routes Static
    Web Apps does not write the header (measured with its CLI: a forged one goes through). Then it
    is not genuine in Azure, whatever else holds.
    """
    in_cloud = any(name.startswith("WEBSITE_") for name in env) or "CONTAINER_APP_NAME" in env
    if not in_cloud and env.get("AZURE_FUNCTIONS_ENVIRONMENT") == "Development":
        return True
    if "anonymous" in methods:
        return False
    linked = env.get("STATIC_WEB_APP_LINKED", "").strip().lower()
    if linked == "unchecked":
        return True
    platform = env.get("WEBSITE_AUTH_ENABLED")
    if platform is not None:
        return platform.strip().lower() == "true"
    return linked == "on"


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Anybody. With `proxies` = 0 they are all one caller and share one caller's limits.

    That is the default because it cannot be stretched: an address costs an attacker nothing where
    IPv6 is at hand. With `proxies` = n, callers are told apart by the address that the n-th proxy
    from here saw (the n-th entry of X-Forwarded-For from the right; entries further left are the
    caller's own words), IPv6 by its /64. Set LIMIT_LIVE_CALLS_TOTAL too then.
    """

    proxies: int = 0
    challenge: str = ""

    def recognise(self, headers: Mapping[str, str]) -> Identity:
        return Identity("anonymous", "anonymous", self.address(headers), frozenset({"anonymous"}))

    def address(self, headers: Mapping[str, str]) -> str:
        """What stands for the caller; "" for everybody whose address is not known."""
        seen = headers.get("x-forwarded-for", "").split(",")
        if not 0 < self.proxies <= len(seen):
            return ""
        text = seen[-self.proxies].strip()
        # App Service writes the port too: 203.0.113.7:51234, [2001:db8::1]:51234.
        if text.startswith("["):
            text = text[1:].partition("]")[0]
        elif text.count(":") == 1:
            text = text.partition(":")[0]
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return ""
        if isinstance(address, ipaddress.IPv6Address):
            if address.ipv4_mapped:
                return str(address.ipv4_mapped)
            return str(ipaddress.ip_network((address.packed, 64), strict=False))
        return str(address)


class Callers:
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
        self.keys = [subkey(each, "caller id") for each in (secret, *previous_secrets)]
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
