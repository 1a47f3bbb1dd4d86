"""What is counted is accounted for, if not now then later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from shared.observer.context import Tally
from shared.observer.realtime.call_meter import CallMeter
from shared.transcripts.failures import ENDPOINT_ERROR, Failure


async def test_what_is_due_while_the_lease_has_run_out_is_accounted_for_afterwards() -> None:
    later: list[Callable[[], None]] = []
    tasks: list[Awaitable[None]] = []
    told: list[Tally] = []

    async def spend(tally: Tally) -> bool:
        told.append(tally)
        return False

    lease = SimpleNamespace(is_good=False)
    background = SimpleNamespace(
        call_later=lambda _, action: later.append(action), start_task=tasks.append
    )
    models = SimpleNamespace(model=None)
    recorder = SimpleNamespace(mapper=SimpleNamespace(models=models))
    context: Any = SimpleNamespace(background=background, lease=lease, recorder=recorder)
    goodbye: Any = None
    meter = CallMeter(context, goodbye, spend)
    meter.count_failure(Failure(ENDPOINT_ERROR, "first"))
    later.pop()()
    assert not tasks
    lease.is_good = True
    later.pop()()
    await tasks.pop()
    assert [tally.failures for tally in told] == [{ENDPOINT_ERROR: {"unknown": 1}}]
    assert not later
