"""Who answers when a call of an MCP server's tool is to be approved.

A profile's `mcp_approvals` says it by the server's label, or by the label and the tool's name ("*":
every other tool): `approve`, `refuse`, `admin` (an admin's event) or `function:<name>`, a function
of the server's:

    @registry.approval
    def within_limits(request: ApprovalRequest) -> bool:
        return request.arguments.get("amount", 0) <= 100
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from shared.core import logs
from shared.core.bulkhead import Bulkhead

APPROVE, REFUSE, ADMIN = "approve", "refuse", "admin"
FUNCTION = "function:"
OTHERS = "*"
DECIDED_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What the model wants to call; `arguments` come from a conversation with a stranger."""

    server_label: str
    tool: str
    arguments: Mapping[str, Any]


Approver = Callable[[ApprovalRequest], bool | Awaitable[bool]]


def policy_for(policies: Mapping[str, Any], server_label: str, tool: str) -> str:
    """What a profile says of a server's tool. Where it says nothing, an admin answers."""
    stated = policies.get(server_label, ADMIN)
    if isinstance(stated, Mapping):
        stated = stated.get(tool, stated.get(OTHERS, ADMIN))
    return str(stated)


def functions_in(policies: Mapping[str, Any]) -> list[str]:
    """The names of the functions that a profile leaves approvals to."""
    stated = [
        each
        for policy in policies.values()
        for each in (policy.values() if isinstance(policy, Mapping) else (policy,))
    ]
    return [each.removeprefix(FUNCTION) for each in stated if each.startswith(FUNCTION)]


def parsed_arguments(arguments: str) -> Mapping[str, Any] | None:
    """The arguments of a call, which are JSON text; None for what is not a JSON object."""
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


async def ask_approver(
    approver: Approver, request: ApprovalRequest, threads: Bulkhead, name: str
) -> bool:
    """Whether a function approves a call: only if it returns True. Never raises. One that is not
    async runs on a thread, which it keeps if it outlives its time."""
    try:
        async with asyncio.timeout(DECIDED_WITHIN.total_seconds()):
            if inspect.iscoroutinefunction(approver):
                return await approver(request) is True
            return await threads.run(partial(approver, request)) is True
    except TimeoutError:
        logs.event("approval timed out", function=name)
    except Exception:
        logs.failure("approval failed", function=name)
    return False
