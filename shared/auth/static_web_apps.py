"""Callers whom Azure Static Web Apps has signed in."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.auth.method import Identity, invalid

PRINCIPAL = "x-ms-client-principal"


PRINCIPAL_CHARACTERS = 8 * 1024


PRINCIPAL_MEMBERS = {"identityProvider", "userId", "userDetails", "userRoles"}


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
