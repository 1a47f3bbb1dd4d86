"""Which session a call was started with, so that its recording can be replayed from the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from realtime_emulator.recordings.format import Api, Kind, Line


def route_kind(path: str, query: Mapping[str, str] | None = None) -> tuple[Api, Kind]:
    """The API of a path, and what a WebSocket on it is."""
    tail = path.rpartition("/v1/")[2].split("/")
    if tail[0] == "live":
        return "live", "sideband" if tail[-1] == "attach" else "primary"
    return "realtime", "sideband" if "call_id" in (query or {}) else "primary"


class KnownSessions:
    """The sessions that were asked for, by key and by call. In memory only."""

    def __init__(self) -> None:
        self.of_key: dict[str, Line] = {}
        self.of_call: dict[str, Line] = {}

    def learn(
        self, request: web.Request, asked: Any, response: web.Response, answered: Any
    ) -> None:
        """Takes note of a key, a call or a session of GPT-Live that was made."""
        if response.status not in (200, 201):
            return
        session = asked.get("session") if isinstance(asked, dict) else None
        if request.path.endswith("/client_secrets") and isinstance(answered, dict):
            self.of_key[str(answered.get("value"))] = session or {}
        elif request.path.endswith("/realtime/calls"):
            key = request.headers.get("Authorization", "").removeprefix("Bearer ")
            call_id = response.headers.get("Location", "").rpartition("/")[2]
            if key in self.of_key:
                self.of_call[call_id] = self.of_key[key]
        elif request.path.endswith("/live/sessions") and isinstance(answered, dict) and session:
            self.of_call[str((answered.get("session") or {}).get("id"))] = session

    def of_socket(self, request: web.Request) -> Line | None:
        """The session that a WebSocket belongs to, where it is known."""
        if "call_id" in request.query:
            return self.of_call.get(request.query["call_id"])
        if request.path.endswith("/attach"):
            return self.of_call.get(request.path.split("/")[-2])
        if "model" in request.query:
            return {"type": "realtime", "model": request.query["model"]}
        return None
