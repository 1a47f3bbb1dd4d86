"""Callers who signed in through Azure Static Web Apps."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.auth.caller import Caller, CallerIds
from shared.auth.method import invalid_credentials

PRINCIPAL = "x-ms-client-principal"
PRINCIPAL_CHARACTERS = 8 * 1024
EASY_AUTH_MEMBERS = {"auth_typ", "name_typ", "role_typ"}
BASE64 = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class StaticWebApps:
    """Reads the principal that Azure Static Web Apps sends to its linked backend.

    The header proves something only where the platform strips what callers send under that name.
    `trusted` says whether it does, see `principals_are_genuine`; if not, the header is ignored.
    """

    trusted: bool
    challenge: str = ""
    check_keys: None = None

    def recognise_caller(self, headers: Mapping[str, str], ids: CallerIds) -> Caller | None:
        header = headers.get(PRINCIPAL)
        if header is None or not self.trusted:
            return None
        principal = decode_principal(header)
        roles = principal["userRoles"]
        if "authenticated" not in roles:
            raise invalid_credentials(
                "The principal is not that of a signed-in user.", check="authenticated"
            )
        return ids.caller(
            "static-web-apps",
            f"static-web-apps:{principal['identityProvider']}",
            principal["userId"],
            frozenset(roles),
        )


def decode_principal(header: str) -> dict[str, Any]:
    """Decodes the header, which must say who the user is the way Static Web Apps does.

    `identityProvider`, `userId` and `userRoles` are all that is used. The platform's own encoding
    varies: without padding (azure-docs#111728), without `userDetails`, with `claims` or other
    members. App Service authentication uses the same header with another shape ({auth_typ, …}).
    That one, and anything else, raises Problem invalid_credentials.
    """
    try:
        return parse_principal(header)
    except (binascii.Error, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, OtherShape) else "not base64 of JSON"
        raise invalid_credentials(
            "The principal does not have the shape of Static Web Apps.",
            check="principal",
            reason=reason,
        ) from error


class OtherShape(ValueError):
    """JSON that is not the principal of Static Web Apps."""


def parse_principal(header: str) -> dict[str, Any]:
    """The principal. Raises ValueError or RecursionError."""
    if len(header) > PRINCIPAL_CHARACTERS:
        raise OtherShape("too long")
    principal = json.loads(decode_base64(header), object_pairs_hook=reject_duplicates)
    if not isinstance(principal, dict):
        raise OtherShape("not an object")
    if principal.keys() & EASY_AUTH_MEMBERS:
        raise OtherShape("that of App Service authentication, without a Static Web App")
    provider, user, roles = (
        principal.get(name) for name in ("identityProvider", "userId", "userRoles")
    )
    if not all(isinstance(text, str) and 0 < len(text) <= 256 for text in (provider, user)):
        raise OtherShape("no identityProvider or no userId")
    if not isinstance(principal.get("userDetails"), str | None):
        raise OtherShape("userDetails that are no text")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise OtherShape("userRoles that are no list of names")
    return principal


def decode_base64(text: str) -> str:
    """UTF-8 text in base64, of either alphabet, padded or not. Raises ValueError."""
    bare = text.strip().rstrip("=").translate(BASE64)
    if "=" in bare:
        raise ValueError("more than one text")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()


def reject_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object without duplicate members, of which two parsers may pick different ones.

    Raises ValueError.
    """
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("duplicate member")
    return found


def principals_are_genuine(env: Mapping[str, str], methods: Iterable[str]) -> bool:
    """Whether a principal header can only have come from the platform. Fails closed.

    On a laptop it can: the local gateway replaces the header. `AZURE_FUNCTIONS_ENVIRONMENT` =
    `Development` (`func start` sets it) marks a laptop, unless there is any variable of Azure's.

    In Azure the header is genuine behind App Service authentication, which is turned on by linking
    a Static Web App and strips what callers send. `WEBSITE_AUTH_ENABLED` shows it, where the
    platform sets it. Where it does not, the setting `STATIC_WEB_APP_LINKED=on` is trusted; it never
    overrides a platform that says "false", but `unchecked` does. Use either only for deployments
    where a forged header, sent straight to the function app, was seen to be refused.

    With `anonymous` among the methods the routes are open to everybody, and on such routes Static
    Web Apps does not replace the header (measured with its CLI: a forged one passes through). In
    Azure it is then never genuine.
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
