"""Timer triggers: runs a function every so many minutes, on the minute (UTC).

Of NCRONTAB's schedules only `0 */N * * * *` is read. In Azure one instance runs the timer for all
of them; here every host does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from azure.functions.meta import Datum

logger = logging.getLogger(__name__)
EVERY_SO_MANY_MINUTES = re.compile(r"0 \*/([1-9]|[1-5][0-9]) \* \* \* \*")
REQUEST = Datum(json.dumps({"Schedule": {"AdjustForDST": True}, "IsPastDue": False}), "json")

RunFunction = Callable[[Datum], Awaitable[None]]
"""Runs the function for a timer's request; raises what the function raises."""


def period_of(schedule: str) -> timedelta | None:
    """The period of a schedule; None for one that is not supported. One that does not divide an
    hour starts over with it in Azure, but not here."""
    found = EVERY_SO_MANY_MINUTES.fullmatch(schedule)
    return timedelta(minutes=int(found[1])) if found else None


async def run_timer(
    name: str,
    period: timedelta,
    run: RunFunction,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Runs the function of that name each period until cancelled. A failure is logged."""
    seconds = period.total_seconds()
    while True:
        await sleep(seconds - clock() % seconds)
        try:
            await run(REQUEST)
        except Exception:
            logger.exception("timer: %s failed", name)
        else:
            logger.info("timer: %s succeeded", name)
