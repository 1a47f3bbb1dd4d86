"""Sessions as profiles have them, and calls with such a session."""

from __future__ import annotations

from typing import Any

from shared.tools.registry import Registry
from tests.contract.observer.harness import TEXT, Call, ObservedCalls

ORDER = {
    "words": ["order"],
    "call": {"tool": "order_status", "arguments": {"order_number": "1002"}},
}
SESSION = {"type": "realtime", "instructions": "Be brief.", "tools": [], **TEXT}


def with_tools(registry: Registry) -> dict[str, Any]:
    tools = [{"type": "function", "name": name} for name in registry.tools]
    return registry.complete_session({**SESSION, "tools": tools})


async def call_with(it: ObservedCalls, session: dict[str, Any]) -> Call:
    return await it.call(**{name: value for name, value in session.items() if name != "type"})
