"""An observer that attaches to a Live session: refused, redirected, or too late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.observer.context import Outcome
from shared.sideband.sideband import NoSuchCall, SidebandUnavailable
from tests.contract.observer.harness import observed_calls
from tests.contract.observer.live_run import begin, following
from tests.contract.observer.live_service import LiveService


async def test_a_session_that_ended_before_it_could_be_attached_to() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.is_over = True
        run = await begin(it, service, waits=False)
        result = await run.watching.done()
        assert (result.outcome, service.dials) == (Outcome.NOT_FOUND, 5)
        assert service.hang_ups == 1
        assert result.tally.usage.live is not None
        assert result.tally.usage.live.seconds >= 15, "it has cost as much"


async def test_a_session_that_nobody_has_seen_is_reckoned_by_the_clock() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.is_over = True
        started = it.clock() - timedelta(minutes=2)
        run = await begin(it, service, waits=False, started_at=started)
        result = await run.watching.done()
        assert result.tally.usage.live is not None
        assert 120 <= result.tally.usage.live.seconds < 180


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_attach_that_is_refused_for_good(status: int) -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.refusals = [SidebandUnavailable(status)] * 10
        run = await begin(it, service, waits=False)
        result = await run.watching.done()
        assert result.outcome is Outcome.UNREACHABLE
        # Another 404 than the endpoint's own may pass, for a moment.
        assert service.dials == (5 if status == 404 else 1)
        assert service.hang_ups == 0, "the session goes on"
        service.refusals.clear()


NO_QUOTA = {"type": "server_error", "code": "insufficient_quota"}


async def test_an_error_with_which_a_connection_begins_refuses_it() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.tell("error", error=NO_QUOTA)
        run = await begin(it, service)
        service.lose()
        result = await run.watching.done()
        assert (result.outcome, result.reason) == (Outcome.UNREACHABLE, "insufficient_quota")


async def test_an_error_of_delegated_work_refuses_no_connection() -> None:
    async with following() as run:
        await run.service.connected.get()
        run.service.say("input", "Hello.")
        run.service.tell("error", error=NO_QUOTA)
        run.service.lose()
        await run.connected_again()
        run.service.close("close_requested")
        assert (await run.watching.done()).outcome is Outcome.ENDED


async def test_an_attach_that_is_redirected_or_refused_for_a_while_is_dialled_again() -> None:
    async with observed_calls() as it:
        service = LiveService()
        service.refusals = [NoSuchCall(), SidebandUnavailable(307), SidebandUnavailable(500)]
        run = await begin(it, service)
        assert service.dials == 4
        service.close("close_requested")
        assert (await run.watching.done()).outcome is Outcome.ENDED
