"""A restart with a wrong setting under a running call costs it neither its observer nor its end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from shared.observer.leases import LEASE_DURATION
from tests.contract.record.conftest import RunningBroker, poll_until, running_broker
from tests.support.app_settings import app_settings
from tests.support.azurite import shared_azurite
from tests.support.patience import PATIENCE
from tests.support.programs import Program, program

LIMIT_SECONDS = 80
WRONG_UNTIL = LEASE_DURATION.total_seconds() + 25
"""Functions gives a message up after deliveries that are ten seconds apart."""


async def another_host(stack: AsyncExitStack, work: RunningBroker, **changes: str) -> Program:
    settings = {
        "CALLER_AUTH": "static-web-apps",
        "AzureWebJobsStorage": shared_azurite().connection,
        "OBSERVER": "eager",
        "TRANSCRIPTS": "on",
        "LIMIT_CALL_SECONDS": str(LIMIT_SECONDS),
    }
    environment = app_settings(work.emulator, **{**settings, **changes})
    options = ("--port", "0", "--without-local-settings", "--log", "warning")
    host = await stack.enter_async_context(program("local.host", *options, environment=environment))
    work.hosts.programs.append(host)
    return host


def is_observed(state: Any) -> bool:
    return any(call["live"] and call["observers"] == 1 for call in state["calls"])


@pytest.mark.timeout(300)
async def test_a_call_outlives_a_wrong_setting() -> None:
    loop = asyncio.get_running_loop()
    async with (
        running_broker(settings={"LIMIT_CALL_SECONDS": str(LIMIT_SECONDS)}) as work,
        AsyncExitStack() as stack,
    ):
        before = await work.records()
        caller, _ = await work.call("outlives")
        began = loop.time()
        await poll_until(work.state, is_observed)
        (first,) = work.hosts.programs
        first.process.kill()
        await first.process.wait()
        wrong = await another_host(stack, work, REALTIME_MODEL="")
        await asyncio.sleep(WRONG_UNTIL - (loop.time() - began))
        assert any("message put back" in line for line in wrong.errors)
        assert not is_observed(await work.state())
        wrong.process.terminate()
        await wrong.process.wait()
        await another_host(stack, work)
        await poll_until(work.state, is_observed, within=PATIENCE)
        assert loop.time() - began < LIMIT_SECONDS
        await poll_until(work.state, lambda state: state["live_calls"] == 0, within=PATIENCE * 2)

        async def mine() -> list[dict[str, Any]]:
            found = (await work.records(host=2)).items()
            return [one for name, one in found if name not in before and one["ended_at"]]

        (record,) = await poll_until(mine, len)
        assert record["ended_by"] in ("limit", "time limit")
        await caller.close()
