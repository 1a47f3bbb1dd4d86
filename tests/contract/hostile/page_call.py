"""One call of a page's, as the page, the broker and the endpoint see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from realtime_emulator.caller import Caller
from shared.calls.call_record import CallRecord
from shared.limits.ledger_store import CallerUsage
from shared.observer.leases import attached_to
from shared.transcripts.record_lines import StoredLine, decode_lines
from shared.transcripts.transcript import Entry, read_transcript
from shared.transcripts.writer import log_name
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from tests.contract.hostile.running import Stack

ANSWER: Final = "As ever."
"""To an ordinary turn."""
POLL: Final = 0.02
ASK_AGAIN: Final = 0.3


@dataclass
class PageCall:
    """A page's call. `log` is its record as it is stored."""

    stack: Stack
    caller: Caller
    headers: dict[str, str]
    place: str
    call_id: str
    name: str
    dials_before: int
    said: set[str | None] = field(default_factory=set)
    """The texts of ordinary turns."""

    @property
    def record(self) -> CallRecord:
        return self.stack.broker.stores.records.get(self.name)

    @property
    def log(self) -> bytes:
        return self.stack.broker.stores.transcripts.read(log_name(self.call_id))

    @property
    def lines(self) -> list[StoredLine]:
        return decode_lines(self.log)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return read_transcript(self.log).entries

    @property
    def left_out(self) -> set[str | None]:
        """Of the texts of ordinary turns those that a cut record need not have: the page's."""
        is_cut = any(entry.kind == "cut" for entry in self.entries)
        return self.said - {ANSWER} if is_cut else set()

    @property
    def lease_holder(self) -> str:
        lease = self.stack.broker.stores.leases.holder(self.call_id)
        return lease.holder if lease else ""

    @property
    def counted(self) -> CallerUsage:
        """What is counted for its caller."""
        return self.stack.broker.stores.ledger.usage_of(self.record.caller_id)

    def is_attached(self) -> bool:
        """Whether a caller who waits for an observer would be let through."""
        return attached_to(self.stack.broker.stores.leases, self.call_id)

    def is_observed(self) -> bool:
        return any(line.kind == "attached" for line in self.lines)

    async def ordinary_turn(self) -> None:
        """A turn as any page takes one. It is counted, and on record once the call is over."""
        said, answers = f"ordinary turn {len(self.said)} of {self.name}", self.answers()
        content = [{"type": "input_text", "text": said}]
        item = {"type": "message", "role": "user", "content": content}
        await self.ask(item, lambda: self.answers() > answers, "answered")
        self.said |= {said, ANSWER}
        used = (await self.upstream())["usage"]["total_tokens"]
        await until(lambda: self.counted.tokens_today >= used, "counted")

    async def ask(self, item: Mapping[str, Any], came: Callable[[], bool], what: str) -> None:
        """Says it, and asks for a response, until that comes of it."""
        ask_again = 0.0

        def is_there() -> bool:
            nonlocal ask_again
            if came():
                return True
            if time.monotonic() > ask_again:
                # What came before may have left a response under way, or a session that takes the
                # words for something else.
                self.caller.send_event({"type": "conversation.item.create", "item": item})
                self.caller.send_event({"type": "response.create"})
                ask_again = time.monotonic() + ASK_AGAIN
            return False

        await until(is_there, what)

    def answers(self) -> int:
        """How many ordinary turns the page has seen answered."""
        return sum(event.get("text") == ANSWER for event in self.caller.events)

    async def upstream(self) -> dict[str, Any]:
        """The call as the emulator sees it."""
        calls = (await self.stack.emulator.state())["calls"]
        found: dict[str, Any] = next(one for one in calls if one["id"] == self.call_id)
        return found

    async def dials(self) -> int:
        """How often its sideband has been dialled."""
        state = await self.stack.emulator.state()
        return int(state["requests"].get("sideband", 0)) - self.dials_before

    async def until_observed(self, dials: int) -> None:
        """Waits until the observer's connection is there, after so many dials."""
        give_up = time.monotonic() + PATIENCE
        while await self.dials() < dials or not (await self.upstream())["observers"]:
            assert time.monotonic() < give_up, "never observed again"
            await asyncio.sleep(POLL)

    async def hang_up(self) -> None:
        url = f"{self.stack.url}{self.place}/hangup"
        async with self.stack.http.post(url, headers=self.headers) as answer:
            assert answer.status == 204, await answer.text()


async def until(holds: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Waits for what nothing announces."""
    give_up = time.monotonic() + PATIENCE
    while not holds():
        late = time.monotonic() >= give_up
        assert not late, f"never {what if isinstance(what, str) else what()}"
        await asyncio.sleep(POLL)
