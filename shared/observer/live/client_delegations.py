"""Does what a Live call delegates to this server ("client delegation").

The event says only that there is something to be done: what it is, the caller has said. A function
of the server's is given those words and answers; whatever becomes of it, the delegation is
answered, because the model of one that is not goes on saying that it is still looking, for as long
as the call lasts (recorded on live traffic).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from shared.core import logs
from shared.core.bounded import BoundedSet
from shared.live.server_events import DelegationCreated
from shared.live.speakable import pieces_of
from shared.live.spoken import Spoken
from shared.observer.live.appends import Appends
from shared.observer.run_context import RunContext
from shared.tools.delegation import TOO_MANY, DelegatedTask, Delegation
from shared.tools.registry import Registry
from shared.tools.runner import Result
from shared.transcripts.record_lines import RecordLine, StoredLine

LATE_WORDS = timedelta(milliseconds=500)
"""How long words from before a delegation may come after it."""
AT_ONCE = 4
AT_MOST = 1_000
REFUSED_AT_MOST = 32
"""How many that are refused wait for that answer; of a longer burst the rest get none."""
BETWEEN_REFUSALS = timedelta(milliseconds=250)
INTERRUPTED = (
    "It is not known whether this was done: the server was interrupted. Say so, and ask whether to "
    "do it again."
)
NOT_HERE = "This cannot be done in this call. Say so."


class ClientDelegations:
    """The delegations of one call to this server. `function` does the work; None if nobody does."""

    def __init__(
        self,
        context: RunContext,
        registry: Registry,
        appends: Appends,
        spoken: Spoken,
        function: Delegation | None,
    ) -> None:
        self.context = context
        self.registry = registry
        self.appends = appends
        self.spoken = spoken
        self.function = function
        self.name = function.name if function else ""
        self.begun: BoundedSet[str] = BoundedSet(AT_MOST)
        self.answered: BoundedSet[str] = BoundedSet(AT_MOST)
        self.running: set[str] = set()
        self.refused: deque[str] = deque()
        self.latest_offset = 0

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record what was delegated to the server, and what was answered."""
        for line in lines:
            if line.kind == "delegation" and line.fields.get("target") == "client":
                self.begun.add(line.key)
                offset = line.fields.get("offset_ms")
                if isinstance(offset, int):
                    self.latest_offset = max(offset, self.latest_offset)
                    self.spoken.note_given(offset)
            elif line.kind == "tool" and line.key in self.begun:
                self.answered.add(line.key)

    def lines_to_carry_over(self) -> list[RecordLine]:
        """The delegations, for a record that begins again."""
        now = self.context.recorder.clock()
        about = {"target": "client", "offset_ms": self.latest_offset}
        delegations = [RecordLine("delegation", name, now, about) for name in self.begun]
        return delegations + [RecordLine("tool", name, now) for name in self.answered]

    async def answer_abandoned(self) -> None:
        """Answers what an earlier run has left unanswered."""
        for delegation_id in list(self.begun):
            if delegation_id not in self.answered and delegation_id not in self.running:
                await self.give_answer(delegation_id, Result(INTERRUPTED, ok=False), 0.0)

    def handle_delegation(self, event: DelegationCreated) -> None:
        """Begins what is delegated to the server, once."""
        is_known = event.delegation_id in self.begun
        if event.target != "client" or is_known or not self.context.lease.is_good:
            return
        self.begun.add(event.delegation_id)
        self.latest_offset = max(event.offset_ms, self.latest_offset)
        if len(self.running) >= AT_ONCE:
            self.answered.add(event.delegation_id)
            self.refuse(event.delegation_id, event.offset_ms)
            return
        self.running.add(event.delegation_id)
        self.context.recorder.add_line("calling", event.delegation_id, {"name": self.name})
        self.context.background.start_task(self.answer(event.delegation_id, event.offset_ms))

    def refuse(self, delegation_id: str, until: int) -> None:
        """Answers that it is too much at once. What the caller said is not the next one's."""
        self.context.background.call_later(LATE_WORDS, partial(self.drop_words, until))
        if len(self.refused) >= REFUSED_AT_MOST:
            return
        self.refused.append(delegation_id)
        if len(self.refused) == 1:
            self.context.background.start_task(self.answer_refused())

    def drop_words(self, until: int) -> None:
        self.spoken.take_words(until)

    async def answer_refused(self) -> None:
        """One after the other, so that a burst of delegations is no burst of ours."""
        while self.refused:
            await asyncio.sleep(BETWEEN_REFUSALS.total_seconds())
            await self.give_answer(self.refused[0], Result(TOO_MANY, ok=False), 0.0)
            self.refused.popleft()

    async def answer(self, delegation_id: str, until: int) -> None:
        """Has the work done, and answers. The caller's words are those up to that place that no
        delegation has had."""
        await asyncio.sleep(LATE_WORDS.total_seconds())
        started = time.monotonic()
        try:
            words = self.spoken.take_words(until)
            result = await self.result_of(DelegatedTask(words, self.spoken.said()))
        finally:
            self.running.discard(delegation_id)
        seconds = round(time.monotonic() - started, 3)
        if self.context.lease.is_good:
            await self.give_answer(delegation_id, result, seconds)

    async def result_of(self, task: DelegatedTask) -> Result:
        if self.function is None:
            return Result(NOT_HERE, ok=False)
        return await self.registry.run_delegation(self.function, task)

    async def give_answer(self, delegation_id: str, result: Result, seconds: float) -> None:
        """Tells the model what came of it."""
        logs.event("delegation answered", function=self.name, ok=result.ok, seconds=seconds)
        self.answered.add(delegation_id)
        pieces = pieces_of(result.output)
        said = {"type": "commentary", "origin": "server", "call_id": delegation_id}
        fields = {**said, "text": " ".join(pieces)}
        self.context.recorder.add_line("item", f"answer {delegation_id}", fields)
        await self.appends.answer(delegation_id, pieces)
        about = {"name": self.name, "ok": result.ok, "seconds": seconds}
        self.context.recorder.add_line("tool", delegation_id, about)
