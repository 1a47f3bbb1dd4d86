"""A session is ended over its sideband, and only what proves the end is taken for it."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from shared.core.deadline import Deadline
from shared.live.session_end import SessionEnder
from shared.sideband.events import NotUnderstood, OtherEvent, ServerEvent
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


class Slow(FixedSideband):
    """A sideband whose closing handshake takes long."""

    async def close(self) -> None:
        await asyncio.sleep(60)


class Endless(FixedSideband):
    """A sideband from which event after event comes without waiting."""

    async def receive_event(self) -> ServerEvent:
        return OtherEvent("session.usage.updated")


@pytest.mark.parametrize("kind", [Slow, Endless])
async def test_the_deadline_holds_for_floods_and_for_the_closing_handshake(
    kind: type[FixedSideband],
) -> None:
    connect, _ = dialled(kind(quiet=True))
    began = time.monotonic()
    ender = SessionEnder(connect)
    assert await ender.end_session("live_1", Deadline.after(timedelta(seconds=0.05))) is False
    assert time.monotonic() - began < 2


async def test_an_end_that_was_told_is_known_however_long_the_closing_handshake_takes() -> None:
    assert await ended(Slow("session.closed"), within=0.2) is True


async def test_a_refused_attach_is_told() -> None:
    with pytest.raises(SidebandUnavailable):
        await ended(SidebandUnavailable(403))
