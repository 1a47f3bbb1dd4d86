"""Replies of a broker, and a mapping that notes what is read of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from realtime_client.wire import Reply

API = "https://broker.example/api"
HANDLE = "gAAAAAB_handle-1"
CALL_ID = "20261126-43200000-0123456789ab"
MOMENT = "2026-11-26T12:00:00.000+00:00"
TOKEN = {
    "token": "ek_made_up",
    "value": "ek_made_up",
    "expires_at": 1_795_694_400,
    "url": "https://model.example/openai/v1/realtime/calls?webrtcfilter=on",
    "endpoint": "https://model.example",
    "model": "gpt-realtime",
}
CALL = {
    "id": CALL_ID,
    "status": "ended",
    "started_at": MOMENT,
    "ends_at": MOMENT,
    "ended_at": MOMENT,
    "ended_by": "caller",
    "usage": {"text_in": 3},
    "failures": {"response_failed": {"rate_limit_exceeded": 1}},
    "latency": {"turns": 2, "p50_ms": 400, "p95_ms": 700, "max_ms": 701},
}
ENTRY = {"kind": "message", "at": MOMENT, "text": "Hello.", "latency_ms": 400}


class Spy(dict[str, Any]):
    """Notes which members are `asked` for, and which of them are `demanded`: read by `[]`."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__(found)
        self.asked: set[str] = set()
        self.demanded: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        self.demanded.add(key)
        return super().__getitem__(key)


class SpiedReply(Reply):
    """A reply whose JSON is the very mapping that it was made of."""

    def json(self) -> dict[str, Any]:
        return self.body  # type: ignore[return-value]


@contextmanager
def read_by(found: dict[str, Any]) -> Iterator[Spy]:
    spy = Spy(found)
    yield spy
    assert spy.asked, "nothing was read"


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A reply with that mapping as its JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SpiedReply(status, named, body, f"{API}/calls")


def json_reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """The same, as it comes over the network."""
    found = reply(body, status, **headers)
    return Reply(found.status, found.headers, json.dumps(body).encode(), found.url)
