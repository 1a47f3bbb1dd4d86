"""Guards of sessions, and what tests do to the sessions that they guard."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.observer.realtime.session_guard import SessionGuard

CASES = Path(__file__).resolve().parents[2] / "fixtures" / "cases"
REPORTED = json.loads((CASES / "prompt-and-mcp.json").read_text(encoding="utf-8"))
"""A prompt and an MCP tool as the service reported them."""


def ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"e{next(numbers)}"


def updates(guard: SessionGuard, session: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The sessions in what the guard sends."""
    return [each["session"] for each in guard.restoring_updates(session, ids())]


def attached(profile: dict[str, Any], running: dict[str, Any]) -> SessionGuard:
    """A guard that has seen the session as the service reports it first."""
    guard = SessionGuard(profile)
    assert guard.observe_session(running) == []
    assert guard.overridden_fields(running) == []
    return guard


def changed(running: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a path of names and indexes."""
    session = copy.deepcopy(running)
    *outer, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = session
    for part in outer:
        place = place[part]
    place[last] = value
    return session
