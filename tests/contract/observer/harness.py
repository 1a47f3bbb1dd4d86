"""An emulator, a store, and observers of its calls.

    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call)         # attached
        await call.turn("hello")                # a written turn, from another sideband
        call.hang_up() ...
        observed = await watching.done()
        it.transcript(call.id)

Nothing here sleeps: `written` waits for lines of the record, `expect` for events.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientWebSocketResponse

from shared.core.problems import Problem
from shared.observer.context import Dependencies, ObservedCall, ObserverResult
from shared.observer.leases import Lease, Leases
from shared.observer.observer import observe
from shared.observer.timing import Timing
from shared.realtime.sideband_contract import REALTIME_SIDEBAND
from shared.sideband.connector import SidebandConnector
from shared.sideband.sideband import Connect, Sideband
from shared.storage.interfaces import StorageUnavailable
from shared.storage.memory import MemoryLog, MemoryTable
from shared.transcripts import transcript
from shared.transcripts.record_lines import StoredLine, decode_lines
from shared.transcripts.transcript import Transcript
from shared.transcripts.writer import log_name
from tests.support.emulator_server import Server, serving
from tests.support.patience import PATIENCE

KEY = {"api-key": "standard"}
QUICK = Timing(
    write_audio_every=timedelta(milliseconds=10),
    pauses_after_404=(timedelta(milliseconds=20),) * 4,
    write_every=timedelta(milliseconds=1),
    storage_retry=timedelta(milliseconds=10),
    probe_after=timedelta(milliseconds=50),
    holds_after=timedelta(milliseconds=50),
    first_pause=timedelta(milliseconds=20),
    goodbye_ahead=timedelta(seconds=1),
)
TEXT = {"output_modalities": ["text"]}
HELLO = "Hello! How can I help you today?"
"""The emulator's answer to the first turn."""


def timing_of(**changes: Any) -> Timing:
    return replace(QUICK, **changes)


class TellingLog(MemoryLog):
    """Sets `news` when something was written.

    While it is `unavailable` an append fails and sets `failed`; while `deaf` it drops what it is
    given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()
        self.news = asyncio.Event()
        self.failed = asyncio.Event()
        self.block = threading.Event()
        self.block.set()
        self.unavailable = False
        self.deaf = False

    def append(self, name: str, data: bytes, *, at: int) -> int:
        assert self.block.wait(PATIENCE)
        if self.unavailable:
            self.loop.call_soon_threadsafe(self.failed.set)
            raise StorageUnavailable("made unavailable by the test")
        if self.deaf:
            return at + len(data)
        after = super().append(name, data, at=at)
        self.loop.call_soon_threadsafe(self.news.set)
        return after


class DeafLeases(Leases):
    """Leases that nobody gives back while they are `deaf`. `renewed` is set by each renewal,
    `noted` by one that leaves a note: a run has asked for the state of its call."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.loop = asyncio.get_running_loop()
        self.renewed, self.noted = asyncio.Event(), asyncio.Event()
        self.deaf = False

    def renew(self, lease: Lease, *, note: str | None = None) -> Lease:
        renewed = super().renew(lease, note=note)
        self.loop.call_soon_threadsafe(self.renewed.set)
        if note is not None:
            self.loop.call_soon_threadsafe(self.noted.set)
        return renewed

    def release(self, lease: Lease) -> None:
        if not self.deaf:
            super().release(lease)


@dataclass(eq=False)
class Call:
    """A call on the emulator, and a sideband with which the test drives it."""

    id: str
    harness: ObservedCalls
    socket: ClientWebSocketResponse
    events: list[dict[str, Any]] = field(default_factory=list)

    async def tell(self, kind: str, **fields: Any) -> None:
        await self.socket.send_json({"type": kind, **fields})

    async def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.tell("conversation.item.create", item=item)

    async def expect(self, *kinds: str) -> dict[str, Any]:
        while True:
            event: dict[str, Any] = await self.socket.receive_json(timeout=PATIENCE)
            self.events.append(event)
            if event["type"] in kinds:
                return event

    async def turn(self, text: str) -> dict[str, Any]:
        """Says that as the user and waits for the end of the answer."""
        await self.say(text)
        await self.tell("response.create")
        return await self.expect("response.done")

    async def hang_up(self) -> None:
        url = f"{self.harness.server.realtime}/calls/{self.id}/hangup"
        async with self.harness.server.http.post(url, headers=KEY) as reply:
            assert reply.status in (200, 404)

    @property
    def peer(self) -> Any:
        return self.harness.server.fakes.peers[-1]


@dataclass(eq=False)
class Watching:
    """A run of an observer."""

    task: asyncio.Task[ObserverResult]
    holder: str

    async def done(self) -> ObserverResult:
        async with asyncio.timeout(PATIENCE):
            return await self.task


class Gate:
    """A `Connect` whose connection can be cut, and whose next dial can be held."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.sideband: Sideband | None = None

    async def __call__(self, call_id: str) -> Sideband:
        self.asked.set()
        await self.open.wait()
        self.sideband = await self.connect(call_id)
        return self.sideband

    async def cut(self) -> None:
        """Loses the connection; the next dial waits until `open` is set."""
        assert self.sideband is not None
        self.open.clear()
        self.asked.clear()
        await self.sideband.close()
        await self.asked.wait()


class ObservedCalls:
    """Observers of one emulator, with one store."""

    def __init__(self, server: Server, lasts: timedelta) -> None:
        self.server = server
        self.log = TellingLog()
        self.leases = DeafLeases(MemoryTable(), lasts, clock=self.clock)
        self.connect: Connect = SidebandConnector(server.realtime, lambda: KEY, REALTIME_SIDEBAND)
        self.holders = itertools.count()
        self.tasks: list[asyncio.Task[ObserverResult]] = []
        self.calls: list[Call] = []
        self.skip = timedelta(0)

    def clock(self) -> datetime:
        """The time, moved on by `skip`."""
        return datetime.now(UTC) + self.skip

    async def call(self, *, opened: bool = True, **session: Any) -> Call:
        """A call in progress, with the profile's session and the fields of `session`."""
        await self.mint_for(session)
        call_id = await self.server_call()
        if opened:
            self.server.fakes.peers[-1].open()
        return await self.driven(call_id)

    async def driven(self, call_id: str) -> Call:
        url = f"{self.server.realtime}?call_id={call_id}"
        call = Call(call_id, self, await self.server.http.ws_connect(url, headers=KEY))
        self.calls.append(call)
        return call

    async def mint_for(self, session: dict[str, Any]) -> None:
        wanted = {"type": "realtime", "model": "gpt-realtime", **TEXT, **session}
        self.key = await self.server.mint(session=wanted)

    async def server_call(self, offer: str = "v=0\r\n") -> str:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/sdp"}
        url = f"{self.server.realtime}/calls"
        async with self.server.http.post(url, data=offer, headers=headers) as reply:
            assert reply.status == 201
            self.answer = await reply.text()
            return reply.headers["Location"].rsplit("/", 1)[-1]

    def begin(
        self,
        call_id: str,
        timing: Timing = QUICK,
        parts: dict[str, Any] | None = None,
        **terms: Any,
    ) -> Watching:
        """Starts a run."""
        holder = f"run-{next(self.holders)}"
        watched = ObservedCall(call_id, **{"keep_words": True, **terms})
        given = Dependencies(self.connect, self.leases, self.log, clock=self.clock)
        given = replace(given, **(parts or {}))
        work: Coroutine[Any, Any, ObserverResult] = observe(watched, given, holder, timing)
        task = asyncio.create_task(work)
        self.tasks.append(task)
        return Watching(task, holder)

    async def watch(self, call: Call, *args: Any, **terms: Any) -> Watching:
        """Starts a run; returns once its record says that it is attached."""
        watching = self.begin(call.id, *args, **terms)
        await self.attached(call.id, watching.holder)
        return watching

    async def attached(self, call_id: str, holder: str) -> None:
        await self.written(call_id, lambda line: (line.kind, line.key) == ("attached", holder))

    async def written(self, call_id: str, that: Callable[[StoredLine], bool]) -> StoredLine:
        """Waits for such a line in the record."""
        async with asyncio.timeout(PATIENCE):
            while True:
                self.log.news.clear()
                for line in self.lines(call_id):
                    if that(line):
                        return line
                await self.log.news.wait()

    async def recorded(self, call_id: str, text: str) -> None:
        """Waits until the record has that text."""
        await self.written(call_id, lambda line: line.fields.get("text") == text)

    def lines(self, call_id: str) -> list[StoredLine]:
        return decode_lines(self.log.read(log_name(call_id)))

    def raw(self, call_id: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read(log_name(call_id)).splitlines()]

    def transcript(self, call_id: str) -> Transcript:
        return transcript.read_transcript(self.log.read(log_name(call_id)))

    def told(self, call_id: str) -> list[tuple[str, str | None]]:
        """Who said what, or what else the transcript has."""
        entries = self.transcript(call_id).entries
        return [(each.role or each.kind, each.text or each.output or None) for each in entries]

    async def kill(self, watching: Watching) -> None:
        """Ends a run like a killed process: it writes nothing more and gives no lease back."""
        self.leases.deaf = self.log.deaf = True
        watching.task.cancel()
        await asyncio.gather(watching.task, return_exceptions=True)
        self.leases.deaf = self.log.deaf = False

    async def hang_up(self, call_id: str) -> None:
        """Ends the call as the broker does."""
        url = f"{self.server.realtime}/calls/{call_id}/hangup"
        async with self.server.http.post(url, headers=KEY) as reply:
            if reply.status not in (200, 404):
                raise Problem("upstream_failed")

    async def state(self) -> Any:
        return await self.server.state()


@asynccontextmanager
async def observed_calls(
    *, lasts: timedelta = timedelta(seconds=30), real_media: bool = False, **script: Any
) -> AsyncIterator[ObservedCalls]:
    """An emulator and observers of its calls. At the end no call is live and no run is left."""
    async with serving(real_media=real_media, **script) as server:
        it = ObservedCalls(server, lasts)
        try:
            yield it
        finally:
            async with server.http.delete(f"{server.root}/emulator"):
                pass
            for call in it.calls:
                await call.socket.close()
            done = await asyncio.gather(*it.tasks, return_exceptions=True)
        assert not [each for each in done if isinstance(each, Exception)]
        assert (await it.state())["live_calls"] == 0
