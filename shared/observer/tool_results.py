"""What becomes of a function that a call has asked for, whichever API it speaks."""

from __future__ import annotations

import json
from collections.abc import Sized

from shared.core import logs
from shared.tools.registry import Registry
from shared.tools.runner import Result, failed

UNKNOWN_OUTCOME = json.dumps(
    {"error": "It is not known whether this was done. Ask before you do it again."}
)
"""What the model is told of a function that an earlier run has begun."""
CALLS_AT_ONCE = 16
"""Of one call's functions: further ones are refused."""


async def result_of_call(
    registry: Registry, name: str, arguments: str | None, running: Sized
) -> Result:
    """What the model is told of a function, whatever happens. `arguments` is None where they are
    too long to be read; `running` are the calls that are being run, this one among them."""
    if arguments is None:
        return failed("The arguments are too long.")
    if len(running) > CALLS_AT_ONCE:
        return failed("Too many calls at once. Call it again later.")
    try:
        return await registry.call_tool(name, arguments)
    except Exception as error:
        logs.event("tool failed", tool=name, reason=type(error).__name__)
        return failed(f"{name} failed. It may work later.")
