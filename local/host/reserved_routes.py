"""What the real host answers itself: its home page, and its own routes, which need a key."""

from __future__ import annotations

import re

from aiohttp import web

HOME = "<!DOCTYPE html>\n<title>Function host</title>\n<p>The function host is running.</p>\n"
PING = re.compile(r"/admin/host/ping/?", re.IGNORECASE)
NOT_CACHED = {"Cache-Control": "no-store,no-cache", "Pragma": "no-cache"}
# The routes of the host's controllers. None of its keys exist here, so nobody has one.
WITH_KEY = re.compile(
    r"/(?:admin/functions|admin/(?:host|instance)/[^/]+|runtime/webhooks/[^/]+)(?:/.*)?",
    re.IGNORECASE | re.DOTALL,
)
FILES = re.compile(r"/admin/(?:vfs|zip)(?:/.*)?", re.IGNORECASE | re.DOTALL)


def reserved_response(path: str) -> web.Response | None:
    """The host's own response at `path`, None where it has none."""
    if path == "/":
        return web.Response(body=HOME.encode(), headers={"Content-Type": "text/html"})
    if PING.fullmatch(path):
        return web.Response(headers=NOT_CACHED)
    if WITH_KEY.fullmatch(path):
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    return web.Response(status=401) if FILES.fullmatch(path) else None
