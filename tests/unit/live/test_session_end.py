"""A session is ended over its sideband, and only what proves the end is taken for it."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from shared.core.deadline import Deadline
from shared.live.session_end import SessionEnder
from shared.sideband.events import NotUnderstood
from shared.sideband.json_frames import NO_JSON
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandUnavailable
from tests.unit.live.sidebands import FixedSideband, dialled

SOON = timedelta(milliseconds=20)


async def ended(*answers: Sideband | Exception, within: float = 1.0) -> bool | None:
    connect, _ = dialled(*answers)
    ender = SessionEnder(connect, closing=SOON, between=timedelta(milliseconds=1))
    return await ender.end_session("live_1", Deadline.after(timedelta(seconds=within)))


async def test_the_event_that_tells_the_end_is_its_proof() -> None:
    sideband = FixedSideband("session.started", "session.output_transcript.delta", "session.closed")
    assert await ended(sideband) is True
    assert sideband.sent == [{"type": "session.close"}]
    assert sideband.closed


async def test_what_only_seems_to_tell_the_end_is_no_proof() -> None:
    assert await ended(FixedSideband(NotUnderstood("session.closed", NO_JSON))) is False


async def test_an_attach_to_no_session_is_proof_too() -> None:
    assert await ended(NoSuchCall()) is None
    assert await ended(FixedSideband("session.started"), NoSuchCall()) is None


async def test_a_connection_that_ends_proves_nothing() -> None:
    connections = [FixedSideband() for _ in range(3)]
    assert await ended(*connections) is False
    assert all(each.sent and each.closed for each in connections)


async def test_a_silent_session_is_not_waited_for_longer_than_the_deadline() -> None:
    began = time.monotonic()
    assert await ended(FixedSideband(quiet=True), within=0.05) is False
    assert time.monotonic() - began < 1


async def test_a_refused_attach_is_told() -> None:
    with pytest.raises(SidebandUnavailable):
        await ended(SidebandUnavailable(403))
