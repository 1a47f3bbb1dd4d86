"""The calls of one emulator: the live ones and the last that ended."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from realtime_emulator.call.call import Call, Ended
from realtime_emulator.call.services import Services
from realtime_emulator.protocol import errors, usage
from realtime_emulator.protocol.journal import Journal, Journals

REMEMBERED = 50


class CallRegistry:
    """Starts, finds and ends calls."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.live: dict[str, Call] = {}
        self.past: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self.journals = Journals()
        self.usage = usage.ZERO
        self.started = 0
        self.closing: set[asyncio.Task[None]] = set()

    async def start_call(
        self, offer: str, config: dict[str, Any], *, filtered: bool
    ) -> tuple[Call, str]:
        """A new call and the answer to its offer. Raises OfferRefused."""
        call = Call(self.services, config, filtered=filtered, on_end=self.handle_end)
        answer = await call.answer_offer(offer)
        self.started += 1
        if not call.ended:
            self.live[call.id] = call
        return call, answer

    def find_call(self, call_id: str) -> Call:
        """The live call with this id. Raises ApiError 404."""
        call = self.live.get(call_id)
        if call is None:
            raise errors.no_call()
        return call

    def find_journal(self, call_id: str) -> Journal:
        """What passed in a call, also after its end. Raises ApiError 404."""
        running = ((call.id, call.journal) for call in self.live.values())
        journal = self.journals.find(call_id, running)
        if journal is None:
            raise errors.no_call()
        return journal

    def handle_end(self, call: Call) -> None:
        self.live.pop(call.id, None)
        self.past.append(call.snapshot())
        self.journals.keep(call.id, call.journal)
        self.usage = usage.add_reports(self.usage, call.dialogue.usage)
        task = asyncio.get_running_loop().create_task(call.close())
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)

    async def end_all(self, how: Ended) -> None:
        """Ends all calls and waits until their media is released."""
        for call in list(self.live.values()):
            call.end(how)
        if self.closing:
            await asyncio.wait(self.closing, timeout=5)

    async def reset(self) -> None:
        """Ends all calls and forgets the past ones."""
        await self.end_all(Ended(1000, "hung up by the control route"))
        self.past.clear()
        self.journals.clear()
        self.usage, self.started = usage.ZERO, 0

    def snapshot(self) -> dict[str, Any]:
        """The calls and their total usage, for the control route."""
        live = list(self.live.values())
        total = self.usage
        for call in live:
            total = usage.add_reports(total, call.dialogue.usage)
        return {
            "live_calls": len(live),
            "started_calls": self.started,
            "calls": [call.snapshot() for call in live] + list(reversed(self.past)),
            "usage": total,
        }
