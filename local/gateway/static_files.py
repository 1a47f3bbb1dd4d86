"""The site's files: found without leaving the folder, with the right type and a validator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from local.gateway.config import CONFIG_FILE

# The ones a site has; mimetypes would ask the operating system, which may think otherwise.
MIME_TYPES = {
    ".css": "text/css",
    ".gif": "image/gif",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
DEFAULT_TYPE = "application/octet-stream"
# What Static Web Apps adds to every file, but for Strict-Transport-Security (this is plain HTTP)
# and for its 30 s of caching: on a laptop a change shows at once.
DEFAULT_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A folder of files. `root` is resolved once, at `open`."""

    root: Path

    @classmethod
    def open(cls, folder: Path) -> Site:
        return cls(folder.resolve())

    def find_file(self, path: str) -> Path | None:
        """The file for a URL's path: itself, the index.html of a folder, or its page without
        `.html`. None for what is not there, is outside the folder or is the configuration."""
        relative = unquote(path).lstrip("/")
        if "\\" in relative or "\0" in relative:
            return None
        try:
            place = (self.root / relative).resolve()
            if not place.is_relative_to(self.root) or place == self.root / CONFIG_FILE:
                return None
            if place.is_dir():
                place /= "index.html"
            elif not relative.endswith("/") and not place.suffix and not place.exists():
                place = place.with_suffix(".html")
            return place if place.is_file() else None
        except (OSError, ValueError):  # a name too long, or none that a file can have
            return None


def file_response(
    request: web.Request,
    file: Path,
    *,
    status: int,
    headers: Mapping[str, str],
    types: Mapping[str, str],
) -> web.Response:
    """The answer with a file's content. `headers` are the configuration's; an empty one removes."""
    body = file.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    kind = types.get(file.suffix) or MIME_TYPES.get(file.suffix.lower(), DEFAULT_TYPE)
    if kind.startswith("text/") and "charset" not in kind:
        kind += "; charset=utf-8"
    response = web.Response(status=status, body=body)
    response.headers.update({**DEFAULT_HEADERS, "Content-Type": kind, "ETag": tag})
    add_headers(response, headers)
    known = [
        one.strip().removeprefix("W/")
        for one in request.headers.get("If-None-Match", "").split(",")
    ]
    if status == 200 and (tag in known or "*" in known):
        response.body = None
        response.set_status(304)
    return response


def add_headers(response: web.StreamResponse, headers: Mapping[str, str]) -> None:
    """Puts the configuration's headers on an answer."""
    for name, value in headers.items():
        response.headers.popall(name, None)
        if value:
            response.headers[name] = value
