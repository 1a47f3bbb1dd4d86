"""The site's files: path lookup confined to the folder, MIME types and ETags."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from local.gateway.config import CONFIG_FILE

# Not from `mimetypes`, which reads the operating system's tables.
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
# What Static Web Apps adds to every file, except Strict-Transport-Security (this is plain HTTP) and
# its 30 s of caching: locally, a change must show at once.
DEFAULT_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A folder of files. `root` must be a resolved path; `open` resolves it."""

    root: Path

    @classmethod
    def open(cls, folder: Path) -> Site:
        return cls(folder.resolve())

    def find_file(self, path: str) -> Path | None:
        """The file for a URL path: the file itself, a folder's index.html, or path plus `.html`.

        None if it does not exist, is outside the folder, or is the configuration.
        """
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
        except (OSError, ValueError):  # the name is too long or not valid for a file
            return None


def file_response(
    request: web.Request,
    file: Path,
    *,
    status: int,
    headers: Mapping[str, str],
    types: Mapping[str, str],
) -> web.Response:
    """The response with a file's content, or 304 if the client has it.

    `headers` and `types` are the configuration's; an empty header removes the default one.
    """
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
    """Sets the configuration's headers on a response; an empty value removes the header."""
    for name, value in headers.items():
        response.headers.popall(name, None)
        if value:
            response.headers[name] = value
