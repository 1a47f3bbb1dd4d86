"""Delivers the outputs of functions to the work that a Live call delegates, within what the session
takes. Nothing acknowledges an output; what shows that it arrived is that the work goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.core.bounded import BoundedDict
from shared.live import client_events
from shared.live.client_events import Event
from shared.live.input_budget import ITEM_OVERHEAD, REFUSED, InputBudget
from shared.observer.run_context import RunContext, new_event_id
from shared.sideband.sideband import SidebandClosed
from shared.transcripts.record_lines import StoredLine

SENT_AT_MOST = 256


class DelegatedOutputs:
    """The outputs of one call's functions. `delivered` is told of each that has been sent, with the
    bytes that it takes; `exhausted` once nothing more can be."""

    def __init__(
        self,
        context: RunContext,
        delivered: Callable[[str, int], None],
        exhausted: Callable[[], None],
    ) -> None:
        self.context = context
        self.delivered = delivered
        self.exhausted = exhausted
        self.budget = InputBudget()
        self.unsent: dict[str, str] = {}
        """What waits for the next connection: outputs by the id of the call."""
        self.unproven: BoundedDict[str, str] = BoundedDict(SENT_AT_MOST)
        """What has been sent since the work last went on."""
        self.sent: BoundedDict[str, str] = BoundedDict(SENT_AT_MOST)
        """By the id of the event, the call that it answered."""
        self.refusals: set[str] = set()
        """Calls that have been answered by no more than that there is no room."""

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what the session has been given."""
        self.budget.resume(lines)

    async def send(self, call_id: str, output: str) -> None:
        """Answers a function call, on the next connection if this one is lost."""
        fitting = self.budget.fit(call_id, output)
        if fitting is None:
            self.unsent.pop(call_id, None)
            self.exhausted()
            return
        if fitting == REFUSED:
            self.refusals.add(call_id)
        item = client_events.function_output(call_id, fitting)
        event: Event = client_events.create_item(item, new_event_id())
        try:
            await self.context.connection.send_event(event)
        except SidebandClosed:
            self.unsent[call_id] = output
            return
        self.unsent.pop(call_id, None)
        self.sent[event["event_id"]] = call_id
        self.unproven[call_id] = fitting
        size = client_events.item_bytes(item) + ITEM_OVERHEAD
        self.budget.spend(size)
        self.delivered(call_id, size)

    def answers(self, event_id: str | None) -> str | None:
        """The call whose output that event of ours was."""
        return self.sent.get(event_id or "")

    async def refuse(self, call_id: str) -> None:
        """The session has refused an output because it is full: if there is room for anything at
        all, it is for saying so."""
        self.unproven.pop(call_id, None)
        if call_id in self.refusals or self.budget.is_over:
            self.exhausted()
            return
        self.budget.fill()
        await self.send(call_id, REFUSED)

    def work_went_on(self) -> None:
        """What was sent has arrived."""
        self.unproven.clear()

    async def send_again(self) -> None:
        """After a lost connection: sends what it did not take, and what may have been lost with it.
        The service takes a repeated output without a word."""
        for call_id, output in [*self.unproven.items(), *self.unsent.items()]:
            await self.send(call_id, output)
