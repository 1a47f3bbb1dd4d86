"""Who may use the Live API: a standard credential, never an ephemeral key."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from realtime_emulator.call.services import Services
from realtime_emulator.live import http_errors

API_KEY: Final = re.compile(r"[0-9A-Za-z]{32,}")
"""What a resource's key looks like. Entra tokens have dots."""


def require_credential(services: Services, request: web.Request) -> None:
    """Requires a key or, on Azure, a key or an Entra token, whose content is not checked. Raises
    ApiError 401."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    credential = bearer.strip() if scheme.lower() == "bearer" else ""
    if services.provider == "azure":
        credential = request.headers.get("api-key", credential)
    if not services.script.accepts(credential):
        raise http_errors.unauthorized()


def require_socket_credential(services: Services, request: web.Request) -> None:
    """The same for a WebSocket. Azure answers a bearer that is a key with a redirect to an address
    that has the key, unless the script switches that off."""
    if services.provider != "azure":
        require_credential(services, request)
        return
    if "api-key" in request.query and "api-key" not in request.headers:
        if not services.script.accepts(request.query["api-key"]):
            raise http_errors.unauthorized()
        return
    require_credential(services, request)
    _, _, bearer = request.headers.get("Authorization", "").partition(" ")
    redirects = services.script.live(services.provider).flag("bearer_key_redirect")
    if redirects and "api-key" not in request.headers and API_KEY.fullmatch(bearer.strip()):
        raise web.HTTPTemporaryRedirect(request.rel_url.update_query({"api-key": bearer.strip()}))
