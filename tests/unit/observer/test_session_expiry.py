"""The end of a session as the service tells it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.core.clock import EPOCH
from shared.core.problems import Problem
from shared.observer.background import BackgroundTasks
from shared.observer.context import Dependencies, ObservedCall
from shared.observer.session_expiry import SessionExpiry
from tests.support.clock import Clock

MINUTE = timedelta(minutes=1)


async def told(*sessions: Any, fails: bool = False) -> list[timedelta]:
    """How long after the start of a call of an hour the record is told that it ends."""
    clock, moments = Clock(), list[datetime]()

    async def expires(moment: datetime) -> None:
        moments.append(moment)
        if fails:
            raise Problem("storage_unavailable")

    call = ObservedCall("rtc_1", ends_at=clock.now + 60 * MINUTE)
    unused: Any = None
    dependencies = Dependencies(unused, unused, unused, unused, expires=expires, clock=clock)
    background = BackgroundTasks()
    expiry = SessionExpiry(call, dependencies, background)
    for session in sessions:
        expiry.note_session(session)
    await asyncio.sleep(0)
    await background.close()
    return [moment - clock.now for moment in moments]


def expiring(after: timedelta) -> dict[str, Any]:
    return {"expires_at": (Clock().now + after - EPOCH).total_seconds()}


async def test_a_session_that_ends_before_its_call_is_told_once() -> None:
    sooner = expiring(30 * MINUTE)
    assert await told(sooner, sooner, expiring(40 * MINUTE)) == [30 * MINUTE]


async def test_one_that_outlasts_its_call_is_not() -> None:
    assert await told(expiring(60 * MINUTE), expiring(120 * MINUTE)) == []


@pytest.mark.parametrize(
    "odd", [None, {}, {"expires_at": None}, {"expires_at": "soon"}, {"expires_at": True}, 0, -1]
)
async def test_what_cannot_be_is_not_believed(odd: Any) -> None:
    session = {"expires_at": odd} if isinstance(odd, int) else odd
    assert await told(session, expiring(-MINUTE), {"expires_at": 1e300}) == []


async def test_the_call_is_followed_though_it_cannot_be_recorded() -> None:
    assert await told(expiring(MINUTE), fails=True) == [MINUTE]
