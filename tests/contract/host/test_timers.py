"""Timer triggers: which schedules are read, when the function runs, and what a failure does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import azure.functions as func
import pytest
from azure.functions.meta import Datum

from local.host.invocation import decode_input
from local.host.timer_trigger import REQUEST, period_of, run_timer


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        ("0 */5 * * * *", 5),
        ("0 */1 * * * *", 1),
        ("0 */59 * * * *", 59),
        ("0 */60 * * * *", None),
        ("0 */0 * * * *", None),
        ("*/5 * * * * *", None),
        ("0 0 9 * * 1-5", None),
        ("*/5 * * * *", None),
        ("00:05:00", None),
        ("%SCHEDULE%", None),
    ],
)
def test_which_schedules_are_read(schedule: str, minutes: int | None) -> None:
    assert period_of(schedule) == (timedelta(minutes=minutes) if minutes else None)


async def test_a_timer_runs_on_the_minute_and_goes_on_after_a_failure() -> None:
    now, runs = [1000.0], [0]

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        await asyncio.sleep(0)

    async def run(request: Datum) -> None:
        assert request is REQUEST
        assert now[0] % 300 == 0
        runs[0] += 1
        now[0] += 7
        if runs[0] == 1:
            raise RuntimeError("this run fails")
        if runs[0] == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await run_timer("ticking", timedelta(minutes=5), run, clock=lambda: now[0], sleep=sleep)
    assert (runs[0], now[0]) == (3, 1807.0)


def test_the_function_gets_a_timer_request() -> None:
    request = decode_input("timerTrigger", REQUEST, {})
    assert isinstance(request, func.TimerRequest)
    assert request.past_due is False
