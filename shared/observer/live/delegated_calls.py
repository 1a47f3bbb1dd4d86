"""Runs the server's functions when delegated work calls them ("Responses delegation").

A call counts once `response.output_item.done` has it complete; it is run once, also by the run that
takes over. All calls of a response are answered, whatever becomes of their functions, and then the
work is asked to go on, once. What goes wrong on the way is told to the caller: otherwise the model
goes on saying that it is still looking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable

from shared.core import logs
from shared.core.bounded import BoundedDict, BoundedSet
from shared.core.untrusted import hashed
from shared.live.server_events import FunctionCallDone
from shared.observer.live.appends import AFTER_REPLAY
from shared.observer.live.delegated_outputs import DelegatedOutputs
from shared.observer.live.delegated_work import DelegatedWork
from shared.observer.run_context import RunContext
from shared.observer.tool_results import UNKNOWN_OUTCOME, result_of_call
from shared.tools.registry import Registry
from shared.tools.runner import Result, failed
from shared.transcripts.record_lines import RecordLine, StoredLine

CALLS_AT_MOST = 1_000


class DelegatedCalls:
    """The function calls of one call's delegated work. Those of `registry` that the profile grants
    are run; `on_page` are functions that the page answers, where it may; all others are refused.
    `exhausted` is told when no output can be delivered any more."""

    def __init__(
        self,
        context: RunContext,
        registry: Registry,
        granted: Container[str],
        on_page: Container[str],
        exhausted: Callable[[], None],
        gave_up: Callable[[str], None],
    ) -> None:
        self.context = context
        self.registry = registry
        self.granted = granted
        self.on_page = on_page
        self.begun: dict[str, str] = {}
        """The names of functions by the id of their call."""
        self.done: BoundedDict[str, tuple[bool, float]] = BoundedDict(CALLS_AT_MOST)
        """Whether a function succeeded, and its seconds."""
        self.answered: BoundedSet[str] = BoundedSet(CALLS_AT_MOST)
        self.bytes: BoundedDict[str, int] = BoundedDict(CALLS_AT_MOST)
        self.running: set[str] = set()
        self.outputs = DelegatedOutputs(context, self.output_delivered, exhausted)
        self.work = DelegatedWork(context, self.running, gave_up)

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over from the record which functions were begun, and which calls are answered."""
        lines = list(lines)
        delegations = {line.key for line in lines if line.kind == "delegation"}
        for line in lines:
            if line.kind in ("calling", "tool") and line.key not in delegations:
                self.begun[line.key] = str(line.fields.get("name", ""))
                if line.kind == "tool":
                    self.answered.add(line.key)
                    sent = line.fields.get("bytes")
                    self.bytes[line.key] = sent if isinstance(sent, int) else 0
        self.outputs.resume(line for line in lines if line.key not in delegations)
        self.work.resume(lines, [key for key in self.begun if key in self.answered])

    def lines_to_carry_over(self) -> list[RecordLine]:
        """The calls that were begun, for a record that begins again."""
        now = self.context.recorder.clock()
        lines = [
            RecordLine("tool", call_id, now, {"bytes": self.bytes.get(call_id, 0)})
            if call_id in self.answered
            else RecordLine("calling", call_id, now)
            for call_id in sorted(self.begun)
        ]
        if self.outputs.budget.is_over:
            lines.append(RecordLine("tools ended", "", now, {"reason": "no room"}))
        return [*lines, *self.work.lines_to_carry_over()]

    async def answer_abandoned(self) -> None:
        """Answers calls that an earlier run began and did not finish, and has the work go on."""
        for call_id in sorted(set(self.begun) - self.running):
            if call_id not in self.answered and call_id not in self.outputs.unsent:
                self.done[call_id] = (False, 0.0)
                await self.outputs.send(call_id, UNKNOWN_OUTCOME)
        self.work.go_on_soon()

    def handle_call(self, event: FunctionCallDone) -> None:
        """Starts the function of a complete call, once."""
        call_id, name = event.call_id, event.name
        if not event.is_completed or call_id in self.begun or not self.context.lease.is_good:
            return
        if name in self.on_page and name not in self.registry:
            return
        if self.outputs.budget.is_over or len(self.begun) >= CALLS_AT_MOST:
            logs.event("tool not run", tool=self.shown(name), reason="no room for its output")
            return
        self.begun[call_id] = self.shown(name)
        self.running.add(call_id)
        self.context.recorder.add_line("calling", call_id, {"name": self.begun[call_id]})
        self.context.background.start_task(self.run_function(call_id, name, event.arguments))

    def shown(self, name: str) -> str:
        """A function's name, for log and record: a page that updates the session makes some up."""
        return name if name in self.registry else hashed(name)

    async def run_function(self, call_id: str, name: str, arguments: str | None) -> None:
        started = time.monotonic()
        try:
            result = await self.result_of(name, arguments)
        finally:
            self.running.discard(call_id)
        seconds = round(time.monotonic() - started, 3)
        logs.event("tool called", tool=self.shown(name), ok=result.ok, seconds=seconds)
        if not self.context.lease.is_good:
            return
        self.done[call_id] = (result.ok, seconds)
        fields = {
            "type": "function_call_output",
            "origin": "server",
            "call_id": call_id,
            "output": result.output,
        }
        self.context.recorder.add_line("item", f"output {call_id}", fields)
        await self.outputs.send(call_id, result.output)

    async def result_of(self, name: str, arguments: str | None) -> Result:
        """What the work is told, whatever happens."""
        if name not in self.granted or name not in self.registry:
            return failed("There is no such function in this call.")
        return await result_of_call(self.registry, name, arguments, self.running)

    def output_delivered(self, call_id: str, size: int) -> None:
        """An output has been sent: only now is the call answered."""
        self.answered.add(call_id)
        self.bytes[call_id] = self.bytes.get(call_id, 0) + size
        ok, seconds = self.done.get(call_id, (False, 0.0))
        about = {"name": self.begun.get(call_id, ""), "ok": ok, "seconds": seconds, "bytes": size}
        self.context.recorder.add_line("tool", call_id, about)
        self.work.owes(call_id)

    def reconnected(self) -> None:
        """There is another connection. What it repeats shows first what has arrived."""
        self.work.start_over()
        self.context.background.call_later(AFTER_REPLAY, self.send_again)

    def send_again(self) -> None:
        if self.context.lease.is_good:
            self.context.background.start_task(self.outputs.send_again())
            self.work.go_on_soon()
