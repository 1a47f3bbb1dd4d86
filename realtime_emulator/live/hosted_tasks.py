"""Delegated work that the service does: backend responses, one task at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from realtime_emulator.live import events, identifiers
from realtime_emulator.live.backend import Backend
from realtime_emulator.live.backend_response import BackendResponse
from realtime_emulator.live.client_delegation import Acknowledgements
from realtime_emulator.live.context import SessionContext, cell
from realtime_emulator.live.events import Event
from realtime_emulator.live.item_buffer import has_image, text_of
from realtime_emulator.live.token_count import count_tokens
from realtime_emulator.protocol.validators import Invalid
from realtime_emulator.script.live_reply import (
    Delegate,
    answer_from,
    choose_live_reply,
    functions_for,
)
from realtime_emulator.script.reply_rules import Say, fill

COMPLETED_AFTER: Final = timedelta(milliseconds=150)
REFUSED_AFTER: Final = timedelta(milliseconds=64)
"""Measured: how long a `response.create` without the outputs waits for its refusal."""
INCOMPLETE: Final = "Responses handoff incomplete."


@dataclass(slots=True)
class HostedTask:
    """One delegation, from the first response to the last."""

    task: Delegate
    offset_ms: int
    client_event_id: str | None = None
    id: str = field(default_factory=identifiers.delegation)
    outputs: dict[str, str | None] = field(default_factory=dict)
    """By the `call_id` of each function that was called; None: it has not returned."""
    may_continue: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_waiting(self) -> bool:
        """Whether functions were called whose outputs the backend has not read yet."""
        return bool(self.outputs) and not self.may_continue.is_set()

    @property
    def has_outputs(self) -> bool:
        return all(output is not None for output in self.outputs.values())


class HostedTasks:
    """The backend of one session."""

    def __init__(self, context: SessionContext, acknowledgements: Acknowledgements) -> None:
        self.context, self.acknowledgements = context, acknowledgements
        self.backend = Backend(context)
        self.queue: deque[HostedTask] = deque()
        self.current: HostedTask | None = None
        self.answered_calls: set[str] = set()

    def open(self, task: Delegate, offset_ms: int, client_event_id: str | None = None) -> None:
        """Starts a task, or queues it behind the one in progress."""
        self.queue.append(HostedTask(task, offset_ms, client_event_id))
        self.start_next()

    def start_next(self) -> None:
        if self.current is None and self.queue and self.context.ended is None:
            self.current = self.queue.popleft()
            self.context.spawn(self.run(self.current))

    def add_item(self, event: Event) -> None:
        """`response.item.create`. Raises Invalid."""
        item = event["item"]
        is_output = item.get("type") == "function_call_output"
        call_id = item["call_id"] if is_output else None
        if is_output and not self.knows_call(call_id):
            message = f"No tool call found for function call output with call_id {call_id}."
            raise Invalid("invalid_value", message, "item.call_id")
        self.backend.buffer.add(item)
        self.context.media.note_activity()
        if call_id is not None and self.current is not None and call_id in self.current.outputs:
            self.current.outputs[call_id] = output_text(item["output"])

    def knows_call(self, call_id: str | None) -> bool:
        """Whether it was called once. A repeated output is accepted silently."""
        running = self.current.outputs if self.current is not None else {}
        return call_id in running or call_id in self.answered_calls

    def create(self, event: Event) -> None:
        """`response.create`: goes on with the functions' outputs, or begins work on the items."""
        self.context.media.note_activity()
        client_event_id = event.get("event_id")
        task = self.current
        if task is not None and task.is_waiting:
            if task.has_outputs:
                task.may_continue.set()
            else:
                self.context.spawn(self.refuse(client_event_id))
            return
        items = self.backend.buffer.take()
        offset, _ = cell(self.context.media.position_ms)
        self.open(self.written_task(items), offset, client_event_id)

    async def refuse(self, client_event_id: str | None) -> None:
        await asyncio.sleep(REFUSED_AFTER.total_seconds())
        message = "Function call outputs are required before creating another response."
        self.context.emit(
            events.error("function_call_outputs_required", message, client_event_id=client_event_id)
        )

    def written_task(self, items: list[dict[str, Any]]) -> Delegate:
        """The work that items ask for, by the same rules as spoken words."""
        text = text_of(items)
        if has_image(items):
            return Delegate(text, answer="I see a picture.")
        action = choose_live_reply(
            self.context.services.script, text, self.context.rule_uses
        ).action
        if isinstance(action, Delegate):
            return action
        return Delegate(text, answer=action.text if isinstance(action, Say) else None)

    async def run(self, task: HostedTask) -> None:
        """All of a task. The model speaks its result."""
        try:
            answer = await self.work(task)
            await asyncio.sleep(self.context.script.seconds("spoken_seconds"))
            if answer:
                self.context.say(answer)
        finally:
            self.answered_calls |= task.outputs.keys()
            self.current = None
            self.start_next()

    async def work(self, task: HostedTask) -> str | None:
        """The answer, or None if there is none."""
        response = self.backend.make_response(task.id, task.task.heard)
        self.announce(task, response.id)
        if not self.backend.exists:
            message = f"The model `{self.backend.settings['model']}` does not exist."
            self.context.emit(events.error("server_error", message, kind="server_error"))
            return None
        response.begin()
        self.acknowledgements.ask()
        await self.think()
        if task.task.fail is not None:
            self.give_up(task.task.fail)
            return None
        calls = functions_for(task.task, self.backend.settings)
        if not calls:
            return await self.finish(response, self.answer_without_functions(task.task))
        task.outputs = dict.fromkeys(map(response.call_function, calls))
        await asyncio.sleep(COMPLETED_AFTER.total_seconds())
        response.complete()
        await task.may_continue.wait()
        await asyncio.sleep(COMPLETED_AFTER.total_seconds())
        outputs = [output or "" for output in task.outputs.values()]
        self.backend.buffer.take()
        response = self.backend.make_response(task.id, " ".join([task.task.heard, *outputs]))
        response.begin()
        await self.think()
        return await self.finish(response, answer_from(self.context.services.script, outputs))

    def announce(self, task: HostedTask, response_id: str) -> None:
        self.context.emit(
            events.event(
                "session.delegation.created",
                task.client_event_id,
                offset_ms=task.offset_ms,
                delegation={
                    "id": task.id,
                    "type": "delegation",
                    "response_id": response_id,
                    "target": "responses",
                },
            )
        )

    async def think(self) -> None:
        await asyncio.sleep(self.context.script.seconds("backend_seconds"))

    def answer_without_functions(self, task: Delegate) -> str:
        heard = task.heard.strip().rstrip(".?!")
        if task.answer is not None:
            return task.answer
        return fill(self.context.script.text("backend_answer"), heard=heard)

    async def finish(self, response: BackendResponse, answer: str) -> str | None:
        most = self.backend.settings.get("max_output_tokens")
        if most is not None and count_tokens(answer) > most:
            response.output_tokens = most
            response.break_off("max_output_tokens")
            self.give_up(INCOMPLETE)
            return None
        await response.write(answer, self.context.services.script.time("text_delta_seconds"))
        response.complete()
        return answer

    def give_up(self, message: str) -> None:
        """The error names neither a code nor the delegation, as in reports."""
        self.context.emit(events.error(None, message, kind="server_error"))


def output_text(output: str | list[Any]) -> str:
    """A function's output as text; of a list of parts, their text."""
    if isinstance(output, str):
        return output
    return " ".join(part.get("text", "") for part in output)
