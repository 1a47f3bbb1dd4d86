"""The acting parts of a Live call's run, over a connection of the test's own.

async with live_run(session=...) as run:
    run.tell("session.delegation.created", ...)
    event = await run.sent("session.commentary.append")
    run.lines("tool")
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from openai.types.live import ClientEvent
from pydantic import TypeAdapter

from shared.live.replays import Replays
from shared.live.server_event_parser import parse_server_event
from shared.observer.background import BackgroundTasks
from shared.observer.context import Dependencies, Farewell, ObservedCall, Tally
from shared.observer.leases import Leases
from shared.observer.live.controller import LiveController
from shared.observer.live.recorder import LiveRecorder
from shared.observer.live.run_context import LiveContext
from shared.sideband.sideband import SidebandClosed
from shared.storage.memory import MemoryLog, MemoryTable
from shared.tools.registry import Registry
from shared.transcripts.record_lines import RecordLine, StoredLine, decode_lines
from shared.transcripts.transcript import Transcript, build_transcript
from shared.transcripts.writer import TranscriptWriter, log_name
from tests.support.loop_clock import LoopClock
from tests.support.patience import PATIENCE

CALL = "live_u0_test"
START = datetime(2026, 11, 26, 12, tzinfo=UTC)
CLIENT_EVENT: TypeAdapter[Any] = TypeAdapter(ClientEvent)
BACKEND: dict[str, Any] = {
    "model": "gpt-5.6-sol",
    "instructions": "Look it up.",
    "tools": [
        {"type": "function", "name": "order_status"},
        {"type": "function", "name": "page_map"},
    ],
}
RESPONSES: dict[str, Any] = {
    "model": "gpt-live-1",
    "delegation": {"type": "responses", "responses": BACKEND},
    "client": {"data_channel": {"allowed_client_events": [], "allowed_server_events": []}},
}
CLIENT: dict[str, Any] = {"model": "gpt-live-1", "delegation": {"type": "client"}}


class Connection:
    """Keeps what is sent, each an event of the official types; `lost` refuses it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.all: list[dict[str, Any]] = []
        self.lost = False

    async def send_event(self, event: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        if self.lost:
            raise SidebandClosed(1006, clean=False)
        CLIENT_EVENT.validate_python(dict(event))
        self.all.append(dict(event))
        self.queue.put_nowait(dict(event))


class Lease:
    """The lease of the run; `is_good` as the test says."""

    is_good = True

    async def renew(self, *_: Any) -> None:
        """Nothing is written in these tests but at their end."""


@dataclass
class LiveRun:
    """One run's parts."""

    controller: LiveController
    connection: Connection
    lease: Lease
    context: LiveContext
    log: MemoryLog
    tallies: list[Tally]
    hang_ups: list[str] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    replays: Replays = field(default_factory=Replays)
    loop_clock: LoopClock = field(default_factory=LoopClock)

    def tell(self, kind: str, **fields: Any) -> None:
        """An event of the service."""
        event_id = fields.pop("event_id", f"event_{next(self.numbers)}")
        event = parse_server_event({"type": kind, "event_id": event_id, **fields})
        if not self.replays.is_replayed(event):
            self.context.recorder.record_event(event)
            self.controller.handle_server_event(event)

    def backend(self, kind: str, **fields: Any) -> None:
        """An event of the delegated work."""
        self.tell("response.event", delegation_id="item_1", event={"type": kind, **fields})

    def begin(self, response: str = "resp_1") -> None:
        self.backend("response.created", response={"id": response, "model": "gpt-5.6-sol"})

    def call(self, call_id: str, name: str = "order_status", arguments: str = "{}") -> None:
        """A function call, as it is added and done."""
        item = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name}
        self.backend(
            "response.output_item.added", item={**item, "arguments": "", "status": "in_progress"}
        )
        self.backend(
            "response.output_item.done",
            item={**item, "arguments": arguments, "status": "completed"},
        )

    def end(self, response: str = "resp_1", kind: str = "completed", **fields: Any) -> None:
        usage = {"input_tokens": 800, "output_tokens": 20}
        about = {"id": response, "model": "gpt-5.6-sol", "usage": usage, **fields}
        self.backend(f"response.{kind}", response=about)

    def say(self, text: str, start_ms: int, speaker: str = "input") -> None:
        self.tell(
            f"session.{speaker}_transcript.delta",
            delta=text,
            start_ms=start_ms,
            end_ms=start_ms + 200,
        )

    def fail(self, code: str | None, message: str = "", caused_by: str | None = None) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": message}
        self.tell("error", error={**error, "client_event_id": caused_by})

    async def sent(self, kind: str) -> dict[str, Any]:
        """The next event of that type that the run sends; others are skipped."""
        async with asyncio.timeout(PATIENCE):
            while (event := await self.connection.queue.get())["type"] != kind:
                pass
        return event

    async def settled(self) -> None:
        """Waits until nothing is left to be done at once."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def pass_time(self, span: timedelta) -> None:
        """Moves the loop's clock on by `span`, from timer to timer: all that is due has run."""
        clock, timers = self.loop_clock, self.context.background.timers
        until = clock.time() + span.total_seconds()
        while due := [timer.when() for timer in timers.values() if timer.when() <= until]:
            clock.move_on(timedelta(seconds=min(due) - clock.time()))
            await self.settled()
        clock.move_on(timedelta(seconds=until - clock.time()))
        await self.settled()

    async def quiet(self) -> None:
        """Waits until no task runs."""
        async with asyncio.timeout(PATIENCE):
            while self.context.background.tasks:
                await asyncio.gather(*self.context.background.tasks, return_exceptions=True)
                await asyncio.sleep(0)

    def kinds(self) -> list[str]:
        """The types of all that was sent."""
        return [event["type"] for event in self.connection.all]

    async def record(self) -> list[StoredLine]:
        """The record so far."""
        await self.context.recorder.flush(self.lease.renew)
        return decode_lines(self.log.read(log_name(CALL)))

    async def lines(self, kind: str) -> list[StoredLine]:
        return [line for line in await self.record() if line.kind == kind]

    async def transcript(self) -> Transcript:
        self.context.recorder.record_unfinished()
        return build_transcript(await self.record())


@asynccontextmanager
async def live_run(
    session: Mapping[str, Any] | None = None,
    registry: Registry | None = None,
    *,
    log: MemoryLog | None = None,
    farewell: Farewell | None = None,
    keep_words: bool = True,
    holder: str = "run-1",
) -> AsyncIterator[LiveRun]:
    """A run; with the `log` of another, one that takes over from it."""
    log = log or MemoryLog()
    background, connection, lease = BackgroundTasks(), Connection(), Lease()
    moments = itertools.count(1)

    def clock() -> datetime:
        return START + timedelta(milliseconds=next(moments))

    tallies: list[Tally] = []

    async def spend(tally: Tally) -> bool:
        tallies.append(tally)
        return False

    async def no_sideband(_: str) -> Any:
        raise AssertionError

    writer = TranscriptWriter(log, CALL, redact=lambda text: text, keep_words=keep_words)
    recorder = LiveRecorder(writer, clock, holder, background)
    context = LiveContext(connection, recorder, lease, background)  # type: ignore[arg-type]
    call = ObservedCall(
        CALL,
        session=session,
        keep_words=keep_words,
        started_at=START,
        farewell=farewell or Farewell(),
    )
    leases = Leases(MemoryTable(), timedelta(seconds=30))
    dependencies = Dependencies(no_sideband, leases, log, registry or Registry(), spend=spend)
    hang_ups: list[str] = []

    async def hang_up() -> None:
        hang_ups.append("hung up")

    controller = LiveController(context, call, dependencies, hang_up)
    lines = await recorder.read_record()
    controller.resume(lines)
    run = LiveRun(controller, connection, lease, context, log, tallies, hang_ups)
    try:
        yield run
    finally:
        await background.close()


def line(kind: str, key: str, **fields: Any) -> RecordLine:
    return RecordLine(kind, key, START, fields)
