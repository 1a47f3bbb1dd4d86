"""The site that the gateway's tests serve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.principals import encode_principal

CONFIG: dict[str, Any] = {
    "routes": [
        {"route": "/.auth/login/twitter", "statusCode": 404},
        {"route": "/login", "rewrite": "/.auth/login/aad"},
        {"route": "/logout", "redirect": "/.auth/logout"},
        {"route": "/connect", "rewrite": "/api/connect"},
        {"route": "/old", "redirect": "/new.html", "statusCode": 301},
        {"route": "/moved", "redirect": "https://example.com/there"},
        {"route": "/gone", "statusCode": 404},
        {"route": "/closed/*", "statusCode": 403},
        {"route": "/api/admin/*", "allowedRoles": ["admin", "owner"]},
        {"route": "/api/write", "methods": ["POST"], "allowedRoles": ["authenticated"]},
        {"route": "/api/open", "allowedRoles": ["anonymous"]},
        {"route": "/private/*", "allowedRoles": ["authenticated"]},
        {"route": "/nice", "rewrite": "/page.html"},
        {"route": "/img/*.{png,svg}", "headers": {"Cache-Control": "max-age=60", "X-Global": ""}},
        {"route": "/teapot.html", "statusCode": 418},
    ],
    "navigationFallback": {
        "rewrite": "/index.html",
        "exclude": ["/api/*", "/img/*.{png,svg}", "*.{js,css}"],
    },
    "responseOverrides": {
        "404": {"rewrite": "/404.html"},
        "401": {
            "redirect": "/.auth/login/aad?post_login_redirect_uri=.referrer",
            "statusCode": 302,
        },
    },
    "globalHeaders": {
        "X-Global": "yes",
        "Content-Security-Policy": "default-src 'self'; connect-src 'self'",
    },
    "mimeTypes": {".sdp": "application/sdp"},
}

FILES = {
    "index.html": b"<h1>start</h1>",
    "404.html": b"<h1>not there</h1>",
    "page.html": b"<h1>page</h1>",
    "teapot.html": b"<h1>teapot</h1>",
    "client.js": b"export {};",
    "worklet.mjs": b"export {};",
    "style.css": b"body{}",
    "img/logo.svg": b"<svg/>",
    "app.webmanifest": b"{}",
    "offer.sdp": b"v=0",
    "private/index.html": b"<h1>private</h1>",
    "sub/index.html": b"<h1>sub</h1>",
}

USER = {
    "identityProvider": "aad",
    "userId": "0123456789abcdef",
    "userDetails": "anna@example.com",
    "userRoles": ["anonymous", "authenticated"],
}
ADMIN = {**USER, "userId": "fedcba", "userRoles": ["anonymous", "authenticated", "admin"]}


def make(folder: Path, config: dict[str, Any] | None = None) -> Path:
    """Writes the site into `folder`."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    config = CONFIG if config is None else config
    (folder / "staticwebapp.config.json").write_text(json.dumps(config))
    return folder


def cookie(user: dict[str, Any]) -> dict[str, str]:
    """The Cookie header of a signed-in user, claims and all."""
    shape = {**user, "claims": [{"typ": "name", "val": "Anna"}]}
    return {"Cookie": "StaticWebAppsAuthCookie=" + encode_principal(shape)}


def browser_cookie(user: dict[str, Any], url: str) -> Any:
    """The same, for the context of a browser."""
    name, value = cookie(user)["Cookie"].split("=", 1)
    return {"name": name, "value": value, "url": url}
