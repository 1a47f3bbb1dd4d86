"""What is counted is accounted for, if not now then later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from shared.observer.context import Tally
from shared.observer.realtime.call_meter import CallMeter
from shared.realtime.server_events import ResponseDone
from shared.transcripts.failures import ENDPOINT_ERROR, Failure
from shared.usage.tokens import ZERO


class Metered:
    """A meter whose timers and tasks wait until the test runs them."""

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []
        self.tasks: list[Awaitable[None]] = []
        self.told: list[Tally] = []
        self.lease = SimpleNamespace(is_good=True)
        background = SimpleNamespace(
            call_later=lambda _, action: self.later.append(action), start_task=self.tasks.append
        )
        models = SimpleNamespace(model=None)
        recorder = SimpleNamespace(mapper=SimpleNamespace(models=models))
        context: Any = SimpleNamespace(background=background, lease=self.lease, recorder=recorder)
        goodbye: Any = None
        self.meter = CallMeter(context, goodbye, self.spend)

    async def spend(self, tally: Tally) -> bool:
        self.told.append(tally)
        return False


async def test_what_is_due_while_the_lease_has_run_out_is_accounted_for_afterwards() -> None:
    it = Metered()
    it.lease.is_good = False
    it.meter.count_failure(Failure(ENDPOINT_ERROR, "first"))
    it.later.pop()()
    assert not it.tasks
    it.lease.is_good = True
    it.later.pop()()
    await it.tasks.pop()
    assert [tally.failures for tally in it.told] == [{ENDPOINT_ERROR: {"unknown": 1}}]
    assert not it.later


async def test_what_a_response_has_accounted_for_brings_nothing_forward() -> None:
    it = Metered()
    it.meter.count_failure(Failure(ENDPOINT_ERROR, "first"))
    it.meter.count_response(ResponseDone("response.done", "resp_1", "completed", None, (), ZERO))
    await it.tasks.pop()
    it.meter.count_failure(Failure(ENDPOINT_ERROR, "second"))
    of_first, of_second = it.later
    of_first()
    assert not it.tasks, "it has been accounted for, and the second is not due yet"
    of_second()
    await it.tasks.pop()
    assert [tally.failures for tally in it.told] == [
        {ENDPOINT_ERROR: {"unknown": number}} for number in (1, 2)
    ]
