"""A recording: a file of JSON lines, one a connection or a run of HTTP requests.

    {"recording": {"version": 1, "api": "live", "kind": "sideband", "provider": "openai", …}}
    {"at": 0.0, "dir": "in", "data": {…}}          a frame from the service; "out": from its client
    {"at": 0.1, "http": {"request": {…}, "response": {…}}}
    {"at": 9.1, "close": {"code": 1000, "reason": ""}}

`at` is seconds since the first line, 0 where it is not known. In `data`, `"~"` is audio that was
left out. A file without the first line is read as its name says: `azure-…` of Azure, otherwise of
OpenAI; `…-ws-…` of a primary WebSocket, otherwise of a sideband. A file `….http.json` is a list of
exchanges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from realtime_emulator.protocol.ids import Provider
from realtime_emulator.protocol.validators import (
    Invalid,
    anything,
    boolean,
    choice,
    integer,
    mapping,
    obj,
)

VERSION: Final = 1
Api = Literal["realtime", "live"]
Kind = Literal["sideband", "primary", "http"]
Line = dict[str, Any]
HEADER: Final = obj(
    {
        "version": integer(VERSION, VERSION),
        "api": choice("realtime", "live"),
        "kind": choice("sideband", "primary", "http"),
        "provider": choice("azure", "openai"),
        "masked": boolean,
        "session": mapping(anything),
    },
    required=("api", "kind", "provider"),
)


class NotARecording(ValueError):
    """The file is none. The message says why."""


@dataclass(slots=True)
class Recording:
    """What passed over one connection, or the HTTP exchanges of a run."""

    api: Api
    kind: Kind
    provider: Provider
    is_masked: bool = False
    session: Line | None = None
    """The session as it was asked for, where that is known."""
    lines: list[Line] = field(default_factory=list)
    name: str = ""

    @property
    def frames(self) -> list[Line]:
        """The frames of both sides."""
        return [line for line in self.lines if "type" in (line.get("data") or {})]

    @property
    def exchanges(self) -> list[Line]:
        """HTTP: `request` and `response` of each."""
        return [line["http"] for line in self.lines if "http" in line]

    def sent(self, kind: str) -> Iterator[Line]:
        """The service's events of a type."""
        for frame in self.frames:
            if frame["dir"] == "in" and frame["data"]["type"] == kind:
                yield frame["data"]

    def header(self) -> Line:
        about = {
            "version": VERSION,
            "api": self.api,
            "kind": self.kind,
            "provider": self.provider,
            "masked": self.is_masked,
        }
        return {"recording": {**about, **({"session": self.session} if self.session else {})}}


def load(path: Path) -> Recording:
    """Reads a recording. Raises NotARecording, and OSError."""
    text = path.read_text(encoding="utf-8")
    try:
        if path.name.endswith(".http.json"):
            lines = [{"at": 0.0, "http": with_path(one)} for one in json.loads(text)]
        else:
            lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, KeyError, TypeError) as error:
        raise NotARecording(f"{path} is not JSON lines: {error}") from None
    if not lines or not all(is_line(line) for line in lines):
        raise NotARecording(f"{path} has no recording in it.")
    recording = from_header(path, lines[0]) if "recording" in lines[0] else from_name(path, lines)
    recording.lines = [line for line in lines if "recording" not in line]
    recording.name = path.name
    return recording


def is_line(line: Any) -> bool:
    """Whether it has the form of a recording's lines."""
    if not isinstance(line, dict):
        return False
    data, exchange = line.get("data"), line.get("http")
    if isinstance(data, dict) and "type" in data:
        return line.get("dir") in ("in", "out") and isinstance(data["type"], str)
    if exchange is not None:
        return isinstance(exchange, dict) and {"request", "response"} <= exchange.keys()
    return data is None or isinstance(data, dict)


def with_path(exchange: Line) -> Line:
    """An exchange of a `….http.json`, which has a URL, with the URL's path."""
    request = exchange["request"]
    if "path" not in request:
        request = {**request, "path": urlsplit(request["url"]).path}
    return {**exchange, "request": request}


def from_header(path: Path, first: Line) -> Recording:
    about = first["recording"]
    version = about.get("version") if isinstance(about, dict) else None
    if version != VERSION:
        raise NotARecording(f"{path} is of version {version}; this reads {VERSION}.")
    try:
        HEADER(about, "recording")
    except Invalid as wrong:
        raise NotARecording(f"{path} is no recording: {wrong.message}") from None
    return Recording(
        about["api"],
        about["kind"],
        about["provider"],
        bool(about.get("masked")),
        about.get("session"),
    )


def from_name(path: Path, lines: list[Line]) -> Recording:
    provider: Provider = "azure" if path.name.startswith("azure") else "openai"
    kind: Kind = "primary" if "-ws-" in path.name else "sideband"
    if any("http" in line for line in lines):
        kind = "http"
    kinds = [(line.get("data") or {}).get("type", "") for line in lines]
    paths = [line["http"]["request"]["path"] for line in lines if "http" in line]
    is_live = any(kind.startswith("session.st") for kind in kinds) or any(
        "/live/" in path for path in paths
    )
    return Recording("live" if is_live else "realtime", kind, provider)
