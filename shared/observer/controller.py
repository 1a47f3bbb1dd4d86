"""What the server does to a running call: puts the session right, runs tools, minds the budget,
says goodbye and hangs up.

The rules are in `guard` and `floor`; here they meet the connection. `send` may be called at any
time; what it cannot send it drops, except a tool's output, which waits for the next connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Container, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.core import logs
from shared.core.problems import Problem
from shared.observer.response_tracker import ResponseTracker
from shared.observer.session_guard import SessionGuard
from shared.realtime.sideband import SidebandClosed
from shared.tools.registry import Registry
from shared.transcripts.record_lines import StoredLine
from shared.usage import tokens
from shared.usage.tokens import Usage, UsageCounter

Event = Mapping[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Spend = Callable[[Usage], Awaitable[bool]]
"""Told what the call has used since its start, after each response; True: that is too much."""

UNKNOWN_OUTCOME = json.dumps({"error": "It is not known whether this was done: ask before again."})
HANG_UP_TRIES = 3


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a call is ended by the server: `words` are instructions for the model's last answer, None
    for none. For `calm` the assistant may finish what it is saying; `at_most` bounds it all.
    `pause` is that between tries to hang up."""

    words: str | None = None
    calm: timedelta = timedelta(seconds=5)
    at_most: timedelta = timedelta(seconds=15)
    pause: timedelta = timedelta(seconds=1)


class CallController:
    """One call in the observer's hands.

    `note` takes lines for the record. `in_charge` says whether the lease is good right now: if not,
    nothing is done, for another may be doing it.
    """

    def __init__(
        self,
        send: Send,
        note: Callable[[str, str, Mapping[str, Any]], None],
        *,
        guard: SessionGuard | None,
        registry: Registry,
        granted: Container[str],
        spend: Spend | None,
        hang_up: Callable[[], Awaitable[None]],
        farewell: Farewell,
        meter: UsageCounter,
        in_charge: Callable[[], bool],
    ) -> None:
        self.send = send
        self.note = note
        self.guard = guard
        self.registry = registry
        self.granted = granted
        self.spend = spend
        self.hang_up = hang_up
        self.farewell = farewell
        self.meter = meter
        self.in_charge = in_charge
        self.floor = ResponseTracker()
        self.begun: set[str] = set()
        self.answered: set[str] = set()
        self.running: set[str] = set()
        self.unsent: list[Mapping[str, Any]] = []
        self.leaving: str | None = None
        self.last_words: str | None = None
        self.news = asyncio.Event()
        self.hanging_up = False
        self.hung_up = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.tasks: set[asyncio.Task[None]] = set()

    def resume(self, lines: Iterable[StoredLine]) -> None:
        """Takes over what is in the record: what was used, and which tools were begun. The model
        has what those gave that have a line of their own; of the others nobody knows what came of
        them, and it waits for them."""
        for line in lines:
            if line.kind in ("calling", "tool"):
                self.begun.add(line.key)
            if line.kind == "tool":
                self.answered.add(line.key)
            if line.kind == "response":
                self.meter.add(line.key, tokens.read(line.fields.get("usage") or {}))

    async def answer_for_the_dead(self) -> None:
        """Tells the model of tools that were begun by a run that is no more."""
        for call_id in sorted(self.begun - self.answered - self.running):
            self.answered.add(call_id)
            await self.give(call_id, UNKNOWN_OUTCOME)

    def take(self, event: Event) -> None:
        """Any event of the call. Sends nothing itself: what it starts does."""
        kind = event.get("type")
        self.floor.take(event)
        if kind in ("session.updated", "session.created"):
            self.look_at(event)
        elif kind == "response.output_item.done":
            self.tool_called(event["item"])
        elif kind in ("conversation.item.retrieved", "conversation.item.added"):
            self.item_seen(kind, event["item"])
        elif kind == "response.created":
            if (event["response"].get("metadata") or {}).get("purpose") == "goodbye":
                self.last_words = event["response"]["id"]
        elif kind == "response.done":
            self.response_done(event["response"])
        elif kind == "error" and self.guard:
            self.guard.refused((event.get("error") or {}).get("event_id"))
        self.news.set()
        self.ask_for_an_answer()

    def look_at(self, event: Event) -> None:
        """The session as it is now, against the profile."""
        if self.guard is None or not self.in_charge():
            return
        names = self.guard.overridden(event["session"])
        update = self.guard.check(event["session"], event_id())
        if update is not None:
            self.start(self.send(update))
        if names and (update is not None or not self.guard.left):
            about = {"overridden": names, "put_back": update is not None}
            self.note("session", str(event.get("event_id")), about)
            logs.event("session overridden", logging.WARNING, **about)

    def tool_called(self, item: Mapping[str, Any]) -> None:
        """A function call is complete: ours are run, the others are the page's."""
        call_id = str(item.get("call_id"))
        name = item.get("name")
        ours = name in self.registry and name in self.granted
        complete = item.get("type") == "function_call" and item.get("status") == "completed"
        if not (ours and complete and self.in_charge()):
            return
        if call_id not in self.begun:
            self.begun.add(call_id)
            self.running.add(call_id)
            self.note("calling", call_id, {"name": name})
            self.start(self.run_tool(call_id, str(name), item.get("arguments") or "{}"))

    def item_seen(self, kind: str, item: Mapping[str, Any]) -> None:
        """A function call from before this observer came, that nobody has answered."""
        if item.get("type") == "function_call_output":
            self.answered.add(str(item.get("call_id")))
        if kind != "conversation.item.retrieved" or item.get("type") != "function_call":
            return
        if str(item.get("call_id")) not in self.answered:
            self.tool_called(item)

    async def run_tool(self, call_id: str, name: str, arguments: str) -> None:
        started = time.monotonic()
        result = await self.registry.call(name, arguments)
        seconds = round(time.monotonic() - started, 3)
        logs.event("tool called", tool=name, ok=result.ok, seconds=seconds)
        if self.in_charge():
            self.answered.add(call_id)
            await self.give(call_id, result.output)
            self.note("tool", call_id, {"name": name, "ok": result.ok, "seconds": seconds})

    async def give(self, call_id: str, output: str) -> None:
        """Puts a function's output into the conversation."""
        item_id = f"item_{secrets.token_hex(8)}"
        item = {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": output}
        event = {"type": "conversation.item.create", "event_id": event_id(), "item": item}
        self.floor.output_sent(item_id)
        self.running.discard(call_id)
        try:
            await self.send(event)
        except SidebandClosed:
            self.unsent.append(event)

    def ask_for_an_answer(self) -> None:
        """Once all outputs are in and the last response is done."""
        ours = event_id()
        if not self.leaving and not self.running and self.in_charge() and self.floor.ask(ours):
            self.start(self.send({"type": "response.create", "event_id": ours}))

    def response_done(self, response: Mapping[str, Any]) -> None:
        if self.meter.add(str(response.get("id")), tokens.of_response(response)) and self.spend:
            self.start(self.account(self.spend))

    async def account(self, spend: Spend) -> None:
        """Tells what the call has used. A ledger that is away ends no call."""
        try:
            over = await spend(self.meter.usage)
        except Problem as problem:
            logs.event("usage not recorded", logging.WARNING, code=problem.code)
            return
        if over:
            await self.goodbye("token budget")

    async def goodbye(self, reason: str) -> None:
        """A word to the caller, where there is one to say, then hangs up. Again is fine."""
        if self.leaving or not self.in_charge():
            return
        self.leaving = reason
        try:
            async with asyncio.timeout(self.farewell.at_most.total_seconds()):
                if self.farewell.words:
                    await self.say(self.farewell.words)
        except (TimeoutError, SidebandClosed):
            logs.event("goodbye not spoken", reason=reason)
        self.hanging_up = True
        for left in reversed(range(HANG_UP_TRIES)):
            try:
                await self.hang_up()
                self.hung_up.set()
                return
            except Problem as problem:
                logs.event("call not hung up", logging.WARNING, code=problem.code)
                await asyncio.sleep(self.farewell.pause.total_seconds() if left else 0)
        # The delayed message of the call's hard limit hangs up in any case.
        self.leaving, self.hanging_up = None, False

    async def say(self, words: str) -> None:
        """One last answer, heard to its end."""
        try:
            async with asyncio.timeout(self.farewell.calm.total_seconds()):
                await self.until(lambda: self.floor.quiet)
        except TimeoutError:
            if self.floor.busy:
                await self.send({"type": "response.cancel", "event_id": event_id()})
            await self.send({"type": "output_audio_buffer.clear", "event_id": event_id()})
        while self.last_words is None:
            await self.until(lambda: not self.floor.busy)
            response = {"instructions": words, "metadata": {"purpose": "goodbye"}}
            create = {"type": "response.create", "event_id": event_id(), "response": response}
            await self.send(create)
            # Ours, or one that the caller's words began before it: then once more after that one.
            await self.until(lambda: self.last_words is not None or self.floor.busy)
        await self.until(lambda: self.last_words not in self.floor.active)
        await self.until(lambda: self.last_words not in self.floor.playing)

    async def until(self, true: Callable[[], bool]) -> None:
        """Waits for events to make it true."""
        while not true():
            self.news.clear()
            await self.news.wait()

    async def reconnected(self) -> None:
        """There is a new connection: what could not be sent goes out now."""
        self.floor.start_over()
        waiting, self.unsent = self.unsent, []
        for event in waiting:
            self.floor.output_sent(event["item"]["id"])
            await self.send(event)
        self.news.set()

    def start(self, work: Coroutine[Any, Any, None] | Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self.tasks.add(task)
        task.add_done_callback(self.ended)

    def ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        lost = error is None or isinstance(error, SidebandClosed)
        if error is not None and not lost and not self.failed.done():
            self.failed.set_exception(error)

    async def gone(self) -> bool:
        """Whether the call that is being left has been hung up; waits for it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.farewell.at_most.total_seconds()):
                await self.hung_up.wait()
        return self.hung_up.is_set()

    async def close(self) -> None:
        """Drops everything that is under way."""
        if not self.failed.cancel() and not self.failed.cancelled():
            self.failed.exception()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def event_id() -> str:
    """An id for a client event of the observer's."""
    return f"obs_{secrets.token_hex(8)}"
