"""One observer's run over many odd events, and what must hold of it however odd they were."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from realtime_emulator.call.call import Ended
from shared.config.voice_api import LIVE, REALTIME, VoiceApi
from shared.core.clock import utc_now
from shared.core.problems import Problem
from shared.live.frames import read_frame as read_live_frame
from shared.observer.context import Dependencies, Farewell, ObservedCall, Outcome, Tally
from shared.observer.leases import Leases
from shared.observer.observer import observe
from shared.observer.timing import Timing
from shared.realtime.event_frames import read_frame
from shared.sideband.contract import ReadFrame
from shared.sideband.events import ServerEvent
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandClosed
from shared.storage.memory import MemoryLog, MemoryTable
from shared.tools.samples import sample_tools
from shared.transcripts import transcript
from shared.transcripts.writer import log_name
from tests.contract.emulator.harness import FakeCall, fake_call
from tests.fuzz.live_shapes import LiveTalk
from tests.fuzz.shapes import page_message, server_frame

CALL = "rtc_fuzz"
TIMING = Timing(
    pauses_after_404=(),
    first_pause=timedelta(milliseconds=1),
    longest_pause=timedelta(milliseconds=5),
    write_every=timedelta(milliseconds=5),
    probe_after=timedelta(milliseconds=5),
)
TOOLS = [{"type": "function", "name": name} for name in ("order_status", "current_time")]
SESSION = {"type": "realtime", "instructions": "Be brief.", "tools": TOOLS}


@dataclass
class Findings:
    """What was seen over all runs."""

    events: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    """The most processor time, in seconds, that the event loop spent without a break."""
    longest_in: str = ""
    largest_record: int = 0
    apart: float = 0.0
    """Processor time, in the present callback, of what is not the observer's."""

    @contextmanager
    def not_counted(self) -> Iterator[None]:
        """What a test does to make an event takes no time."""
        started = time.thread_time()
        yield
        self.apart += time.thread_time() - started


@contextmanager
def timed_callbacks(findings: Findings) -> Iterator[None]:
    """Measures the processor time of every callback of the event loop: each handles one event at
    most, and the time does not grow on a busy machine."""
    run = asyncio.Handle._run

    def timed(handle: asyncio.Handle) -> None:
        findings.apart, started = 0.0, time.thread_time()
        run(handle)
        spent = time.thread_time() - started - findings.apart
        if spent > findings.longest:
            findings.longest = spent
            owner = getattr(getattr(handle, "_callback", None), "__self__", handle)
            findings.longest_in = repr(owner)[:300]

    asyncio.Handle._run = timed  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]


class FuzzedSideband:
    """A connection that brings `count` frames, with a break now and then, and is closed."""

    def __init__(self, rng: Random, count: int, findings: Findings) -> None:
        self.rng = rng
        self.left = count
        self.findings = findings
        self.sent: list[Any] = []
        self.next_frame: Callable[[], str | bytes] = partial(server_frame, rng)
        self.read_frame: ReadFrame = read_frame

    async def send_event(self, event: Mapping[str, Any]) -> None:
        json.dumps(event).encode()
        self.sent.append(event)

    async def receive_event(self) -> ServerEvent:
        await asyncio.sleep(0)
        if not self.left:
            raise SidebandClosed(1000, clean=True)
        self.left -= 1
        if self.rng.random() < 0.002:
            raise SidebandClosed(1006, clean=False)
        with self.findings.not_counted():
            frame = self.next_frame()
        event = self.read_frame(frame)
        self.findings.events += 1
        self.findings.kinds[type(event).__name__] += 1
        return event

    async def close(self) -> None:
        self.left = 0


class EmulatedSideband:
    """A connection to an emulated call whose page sends `count` odd messages."""

    def __init__(self, call: FakeCall, rng: Random, count: int, findings: Findings) -> None:
        self.call = call
        self.rng = rng
        self.left = count
        self.findings = findings
        self.queue = call.call.add_observer().queue

    async def send_event(self, event: Mapping[str, Any]) -> None:
        with self.findings.not_counted():
            self.call.call.receive_event(json.dumps(event))

    async def receive_event(self) -> ServerEvent:
        await asyncio.sleep(0)
        while self.queue.empty() and self.left:
            self.left -= 1
            self.findings.events += 1
            with self.findings.not_counted():
                self.call.call.receive_event(page_message(self.rng))
            await asyncio.sleep(0)
        if self.queue.empty():
            self.call.call.end(Ended(1000, "enough"))
        event = await self.queue.get()
        if isinstance(event, Ended):
            raise SidebandClosed(1000, clean=True)
        self.findings.kinds["emulated"] += 1
        with self.findings.not_counted():
            frame = json.dumps(event)
        return read_frame(frame)

    async def close(self) -> None:
        """The call goes on."""


async def observe_frames(rng: Random, count: int, findings: Findings) -> None:
    """An observer over `count` frames of an endpoint that sends whatever it likes."""
    sideband = FuzzedSideband(rng, count, findings)

    async def connect(_: str) -> Sideband:
        if not sideband.left:
            raise NoSuchCall
        return sideband

    await observe_over(connect, rng, findings)


async def observe_live(rng: Random, count: int, findings: Findings) -> None:
    """An observer over `count` frames of a Live session that says whatever it likes."""
    sideband = FuzzedSideband(rng, count, findings)
    sideband.next_frame = LiveTalk(rng, sideband.sent).next_frame
    sideband.read_frame = read_live_frame

    async def connect(_: str) -> Sideband:
        if not sideband.left:
            raise NoSuchCall
        return sideband

    delegation: dict[str, Any] = {"type": "client"}
    if rng.random() < 0.7:
        backend = {"model": "gpt-5.6-sol", "instructions": "Look it up.", "tools": TOOLS}
        delegation = {"type": "responses", "responses": backend}
    session = {"model": "gpt-live-1", "delegation": delegation}
    await observe_over(connect, rng, findings, session, LIVE)


async def observe_page(rng: Random, count: int, findings: Findings) -> None:
    """An observer of an emulated call whose page sends `count` odd messages."""
    async with fake_call(config=SESSION) as call:
        # It demands that events match the types, which what a page has sent need not.
        call.peer.send_event = lambda text: True  # type: ignore[method-assign]
        sideband = EmulatedSideband(call, rng, count, findings)

        async def connect(_: str) -> Sideband:
            if call.call.ended:
                raise NoSuchCall
            return sideband

        await observe_over(connect, rng, findings)


async def observe_over(
    connect: Any,
    rng: Random,
    findings: Findings,
    session: Mapping[str, Any] = SESSION,
    api: VoiceApi = REALTIME,
) -> None:
    """Runs the observer to the call's end, and checks what it leaves."""
    leases, log = Leases(MemoryTable(), timedelta(seconds=30)), MemoryLog()
    counted: list[Tally] = []

    async def spend(tally: Tally) -> bool:
        counted.append(tally)
        assert 0 <= tally.total < 2**63
        if rng.random() < 0.05:
            raise Problem("storage_unavailable")
        return False

    async def hang_up() -> str:
        return "hang-up answered"

    call = ObservedCall(
        CALL,
        session,
        keep_words=rng.random() < 0.8,
        started_at=utc_now(),
        farewell=Farewell(timeout=timedelta(0)),
        api=api,
    )
    with ThreadPoolExecutor(2) as pool:
        dependencies = Dependencies(
            connect, leases, log, sample_tools(), spend=spend, hang_up=hang_up, executor=pool
        )
        result = await observe(call, dependencies, f"run-{rng.random()}", TIMING)
    assert result.outcome is Outcome.ENDED, result
    assert leases.holder(CALL) is None, "the lease is let go"
    assert not counted or counted[-1].total <= result.tally.total
    with findings.not_counted():
        check_record(log.read(log_name(CALL)), findings)


def check_record(data: bytes, findings: Findings) -> None:
    """Every line is JSON that every reader understands, and is there once."""
    findings.largest_record = max(findings.largest_record, len(data))

    def refuse(word: str) -> None:
        raise AssertionError(word)

    lines = [json.loads(raw, parse_constant=refuse) for raw in data.splitlines()]
    ids = [line["id"] for line in lines]
    assert len(set(ids)) == len(ids), [name for name, n in Counter(ids).items() if n > 1][:5]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    findings.lines.update(line["kind"] for line in lines)
    script = transcript.read_transcript(data)
    items = [entry.item_id for entry in script.entries if entry.item_id]
    assert len(set(items)) == len(items)
    json.dumps(script.to_json(), allow_nan=False).encode()
    assert script.ended
