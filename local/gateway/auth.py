"""Sign-in as in Static Web Apps: the cookie, `/.auth/…` and the client principal header.

The cookie has the Static Web Apps CLI's format (base64 of the principal as JSON), so a test can set
it for either. The login page verifies nothing: any name and any roles are accepted.
"""

from __future__ import annotations

import base64
import html
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from realtime_emulator.serving.trusted_hosts import TrustedHosts

COOKIE = "StaticWebAppsAuthCookie"
BUILT_IN_ROLES = ("anonymous", "authenticated")
LOGIN_PAGE = Path(__file__).with_name("login.html")


@dataclass(frozen=True, slots=True)
class Principal:
    """A signed-in user. Only the page sees `claims`; the API does not."""

    provider: str
    user_id: str
    details: str
    roles: tuple[str, ...]
    claims: tuple[Mapping[str, str], ...] = ()

    def to_json(self, *, claims: bool) -> dict[str, Any]:
        """The principal as `/.auth/me` shows it (with claims) or as the header does (without)."""
        shape: dict[str, Any] = {
            "identityProvider": self.provider,
            "userId": self.user_id,
            "userDetails": self.details,
            "userRoles": list(self.roles),
        }
        return shape | {"claims": [dict(claim) for claim in self.claims]} if claims else shape

    def to_base64(self, *, claims: bool = False) -> str:
        """Base64 of the JSON: the value of the header, or (with claims) of the cookie."""
        text = json.dumps(self.to_json(claims=claims), ensure_ascii=False, separators=(",", ":"))
        return base64.b64encode(text.encode()).decode()


def principal_from_cookies(cookies: Mapping[str, str]) -> Principal | None:
    """The signed-in user of a request. None if the cookie is missing or malformed."""
    cookie = cookies.get(COOKIE, "")
    if not cookie:
        return None
    try:
        shape = json.loads(base64.b64decode(unquote(cookie), validate=True))
        claims = shape.get("claims") or ()
        if not all(isinstance(claim, dict) for claim in claims):
            return None
        return Principal(
            provider=str(shape["identityProvider"]),
            user_id=str(shape["userId"]),
            details=str(shape["userDetails"]),
            roles=tuple(str(role) for role in shape["userRoles"]),
            claims=tuple(claims),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


async def handle_auth_request(
    request: web.Request, path: str, trusted: TrustedHosts
) -> web.Response:
    """Answers a request to `/.auth/…`. `path` may differ from the request's: a rule rewrote it."""
    parts = path.partition("?")[0].strip("/").lower().split("/")
    match parts:
        case [".auth", "login", provider] if re.fullmatch(r"[a-z0-9]+", provider):
            if request.method == "POST" and not trusted.may_drive(request):
                return web.Response(status=403, text="Cross-site sign-in is not allowed.\n")
            if request.method == "POST":
                return await sign_in(request, provider)
            return login_page(request, provider)
        case [".auth", "me"]:
            user = principal_from_cookies(request.cookies)
            return web.json_response(
                {"clientPrincipal": user.to_json(claims=True) if user else None},
                headers={"Cache-Control": "no-store"},
            )
        case [".auth", "logout"] | [".auth", "purge", _]:
            target = request.query.get("post_logout_redirect_uri", "/")
            response = web.Response(status=302, headers={"Location": same_site_path(target)})
            response.del_cookie(COOKIE, path="/")
            return response
    return web.Response(status=404, text="Not found.\n")


def same_site_path(target: str) -> str:
    """`target` if it is a path on this site, otherwise `/`."""
    return target if re.fullmatch(r"/(?![/\\])[^\x00-\x1f\x7f\ud800-\udfff]*", target) else "/"


def login_page(request: web.Request, provider: str, problem: str = "") -> web.Response:
    user_id = secrets.token_hex(16)
    page = LOGIN_PAGE.read_text(encoding="utf-8")
    for name, value in {
        "provider": provider,
        "user_id": user_id,
        "problem": problem,
        "back": same_site_path(request.query.get("post_login_redirect_uri", "/")),
    }.items():
        page = page.replace(f"{{{{{name}}}}}", html.escape(value))
    return web.Response(
        status=400 if problem else 200,
        text=page,
        content_type="text/html",
        headers={
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
            "script-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'",
        },
    )


async def sign_in(request: web.Request, provider: str) -> web.Response:
    form = await read_form(request)
    if form is None:
        return login_page(request, provider, "The form is malformed.")
    claims = parse_claims(form.get("claims", ""))
    if claims is None:
        return login_page(request, provider, "The claims must be a JSON array of objects.")
    if not form.get("userId") or not form.get("userDetails"):
        return login_page(request, provider, "Enter a user ID and a user name.")
    roles = dict.fromkeys([*form.get("userRoles", "").split(), *BUILT_IN_ROLES])
    user = Principal(provider, form["userId"], form["userDetails"], tuple(roles), claims)
    response = web.Response(status=303, headers={"Location": same_site_path(form.get("back", "/"))})
    response.headers["Cache-Control"] = "no-store"
    # Not by set_cookie: http.cookies would quote the base64, and the CLI does not.
    cookie = f"{COOKIE}={user.to_base64(claims=True)}; Path=/; HttpOnly; SameSite=Lax"
    response.headers.add("Set-Cookie", cookie)
    return response


async def read_form(request: web.Request) -> dict[str, str] | None:
    """The fields of the form; None if the body is none."""
    try:
        return {name: str(value).strip() for name, value in (await request.post()).items()}
    except (ValueError, LookupError, RuntimeError, HttpProcessingError):
        return None


def parse_claims(text: str) -> tuple[Mapping[str, str], ...] | None:
    try:
        claims = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return None
    if not isinstance(claims, list) or not all(isinstance(claim, dict) for claim in claims):
        return None
    return tuple(claims)
