"""Work that the application does itself: it is told, and answers by appends."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from realtime_emulator.live import events, identifiers
from realtime_emulator.live.context import SessionContext
from realtime_emulator.script.live_reply import Delegate


class Acknowledgements:
    """What the model says when it delegates, unless something else is said first."""

    def __init__(self, context: SessionContext) -> None:
        self.context = context
        self.pending: set[asyncio.Task[None]] = set()

    def ask(self) -> None:
        """Says it after the session's delay."""
        delay_ms = self.context.config["delegation"].get("acknowledgement_delay_ms", 0)
        task = self.context.spawn(self.acknowledge(timedelta(milliseconds=delay_ms)))
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)

    async def acknowledge(self, after: timedelta) -> None:
        await asyncio.sleep(after.total_seconds())
        self.context.say(self.context.script.text("acknowledgement"))

    def cancel(self) -> None:
        """Drops all that have not been said yet."""
        for task in self.pending:
            task.cancel()


class ClientDelegations:
    """The delegations of one session with `"type": "client"`, by id."""

    def __init__(self, context: SessionContext, acknowledgements: Acknowledgements) -> None:
        self.context, self.acknowledgements = context, acknowledgements
        self.answered: dict[str, asyncio.Event] = {}

    def is_known(self, delegation_id: str) -> bool:
        return delegation_id in self.answered

    def open(self, task: Delegate, offset_ms: int) -> None:  # noqa: ARG002  # no event has the task
        """Tells the application, whose transcript has the task."""
        delegation_id = identifiers.delegation()
        self.answered[delegation_id] = asyncio.Event()
        self.context.emit(
            events.event(
                "session.delegation.created",
                offset_ms=offset_ms,
                delegation={"id": delegation_id, "type": "delegation", "target": "client"},
            )
        )
        self.acknowledgements.ask()
        self.context.spawn(self.stall(self.answered[delegation_id]))

    def answer(self, delegation_id: str) -> None:
        """The application has said something about it. There is no last word."""
        self.answered[delegation_id].set()

    async def stall(self, answered: asyncio.Event) -> None:
        """Keeps the caller waiting with words, for the rest of the session if need be."""
        while pause := self.context.script.seconds("stalling_seconds"):
            try:
                async with asyncio.timeout(pause):
                    await answered.wait()
                return
            except TimeoutError:
                said = self.context.say(self.context.script.text("stalling"))
                await said.wait_for_end()
