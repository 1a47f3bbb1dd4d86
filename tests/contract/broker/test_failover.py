"""Three endpoints behind two hosts with one storage: one runs out of quota, one dies and returns.

Whoever calls is answered as long as any endpoint has room; no offer makes two calls; each call is
observed, hung up and kept where it is; and the limits hold over both hosts.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bench.harness.fake_sideband import question, reply
from shared.auth.caller import Caller
from shared.broker import Broker, open_broker, open_observer_worker
from shared.calls.call_record import CallRecord
from shared.calls.delivery import Delivery
from shared.core.clock import utc_now
from shared.core.problems import Problem
from shared.credentials import credentials
from shared.observer.timing import Timing
from shared.observer.worker import ObserverWorker
from shared.storage import memory
from shared.transcripts import transcript
from shared.transcripts.writer import log_name
from shared.upstream import endpoints
from shared.upstream.endpoints import UNREACHABLE
from tests.support.app_settings import API_KEY, BROKER_SECRET
from tests.support.endpoint_stand_in import EndpointStandIn
from tests.support.patience import PATIENCE
from tests.support.vaults import FixedVault

NAMES = ("sweden", "france", "openai")
WAVE = 50
THREADS = 16
COOL_DOWN = timedelta(seconds=1)
OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=application 9 UDP/DTLS/SCTP webrtc\r\n"
IMPATIENT = Timing(
    pauses_after_404=(),
    first_pause=timedelta(milliseconds=100),
    longest_pause=timedelta(milliseconds=500),
    write_every=timedelta(milliseconds=100),
)


def caller_of(number: int) -> Caller:
    return Caller(f"caller-{number}", frozenset(), "anonymous")


@dataclass
class World:
    """The endpoints, the hosts, and the calls that have started: record and handle by caller."""

    stand_ins: dict[str, EndpointStandIn]
    hosts: list[Broker]
    workers: list[ObserverWorker]
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS))
    calls: dict[int, tuple[str, str]] = field(default_factory=dict)
    runs: list[asyncio.Task[None]] = field(default_factory=list)

    def start_call(self, host: Broker, number: int) -> str:
        """The record of a caller's call; "" for a caller who has one."""
        caller, offer = caller_of(number), f"{OFFER}a=x-caller:{number}\r\n".encode()
        try:
            started = host.calls.start_call(offer, host.profiles.named(None), caller)
        except Problem as problem:
            if problem.code != "too_many_live_calls":
                raise
            return ""
        name = host.calls.open_handle(started.handle, caller).record_id
        self.calls[number] = (name, started.handle)
        return name

    async def start_wave(self, numbers: Iterable[int]) -> Counter[str]:
        """Each caller tries both hosts at once. How many calls each endpoint got."""
        loop = asyncio.get_running_loop()
        tries = [
            loop.run_in_executor(self.pool, self.start_call, host, number)
            for number in numbers
            for host in self.hosts
        ]
        found = [name for name in await asyncio.gather(*tries) if name]
        for number, name in enumerate(found):
            worker = self.workers[number % 2]
            self.runs.append(asyncio.create_task(worker.follow_call(Delivery(name))))
        placed = [record for record in self.records() if record.id in set(found)]
        for record in placed:
            assert record.call_id in self.stand_ins[record.endpoint].offers
        return Counter(record.endpoint for record in placed)

    def records(self) -> list[CallRecord]:
        return [self.hosts[0].stores.records.get(name) for name, _ in self.calls.values()]

    def unsettled(self) -> int:
        return sum(not record.settled_by for record in self.records())

    def words_of(self, record: CallRecord) -> list[str]:
        data = self.hosts[0].stores.transcripts.read(log_name(record.call_id))
        entries = transcript.read_transcript(data).entries
        return [entry.text or "" for entry in entries if entry.kind == "message"]

    def all_told(self) -> bool:
        """Whether the transcript of every call has what was said in it."""
        return all(
            self.words_of(record) == [question(record.call_id, 0), reply(record.call_id, 0)]
            for record in self.records()
        )

    def limits_are_exact(self) -> bool:
        """Whether both hosts count each call that is not settled, and no other."""
        counted = {host.stores.ledger.live_calls() for host in self.hosts}
        return counted == {self.unsettled()}


async def until(that: Callable[[], bool], what: str) -> None:
    for _ in range(round(PATIENCE / 0.05)):
        if that():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not {what} in time")


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    storage = memory.MemoryStorage()
    monkeypatch.setattr(memory, "process_storage", lambda: storage)
    monkeypatch.setitem(endpoints.COOL_DOWNS, UNREACHABLE, COOL_DOWN)
    vault = FixedVault({"openai-key": "sk-of-openai"})
    monkeypatch.setattr(credentials, "open_vault", lambda *_: vault)
    stand_ins = {name: EndpointStandIn(name) for name in NAMES}
    async with AsyncExitStack() as stack:
        for each in stand_ins.values():
            await each.start()
            stack.push_async_callback(each.die)
        listed = [
            {"name": "sweden", "endpoint": stand_ins["sweden"].url},
            {
                "name": "france",
                "endpoint": stand_ins["france"].url,
                "models": {"gpt-realtime": "france-deployment"},
            },
            {
                "name": "openai",
                "provider": "openai",
                "endpoint": stand_ins["openai"].url,
                "key_secret": "openai-key",
            },
        ]
        env = {
            "REALTIME_ENDPOINTS": json.dumps(listed),
            "REALTIME_MODEL": "gpt-realtime",
            "REALTIME_API_KEY": API_KEY,
            "KEY_VAULT_URI": "https://demo.vault.azure.net",
            "CALLER_AUTH": "anonymous",
            "BROKER_SECRET": BROKER_SECRET,
            "LIMIT_LIVE_CALLS": "1",
            "LIMIT_STARTS_PER_MINUTE": "0",
            "LIMIT_LIVE_CALLS_TOTAL": "1000",
            "TRANSCRIPTS": "on",
            "OBSERVER_CAPACITY": "200",
        }
        hosts = [open_broker(env), open_broker(env)]
        workers = [replace(open_observer_worker(host), timing=IMPATIENT) for host in hosts]
        found = World(stand_ins, hosts, workers)
        yield found
        for run in found.runs:
            run.cancel()
        await asyncio.gather(*found.runs, return_exceptions=True)


async def test_a_call_finds_an_endpoint_with_room_and_stays_there(world: World) -> None:
    sweden, france, openai = (world.stand_ins[name] for name in NAMES)
    everybody = iter(range(4 * WAVE))

    def wave() -> list[int]:
        return [next(everybody) for _ in range(WAVE)]

    first = await world.start_wave(wave())
    assert first.total() == WAVE, "one call for each caller, whichever host was faster"
    assert set(first) == set(NAMES)

    france.has_quota = False
    second = await world.start_wave(wave())
    assert second.total() == WAVE, "nobody is refused while two have room"
    assert set(second) == {"sweden", "openai"}
    assert 0 < france.refused <= 4 * THREADS, "it is left alone"
    await until(world.all_told, "every call on record, word by word")
    assert world.limits_are_exact()

    of_openai = [each for each in world.records() if each.endpoint == "openai"]
    await openai.die()
    third = await world.start_wave(wave())
    assert third == {"sweden": WAVE}, "nobody is refused while one has room"
    await until(world.all_told, "the new calls on record, and the others still")
    lost = next(number for number, (name, _) in world.calls.items() if name == of_openai[0].id)
    with pytest.raises(Problem, match="upstream"):
        world.hosts[1].calls.hang_up(world.calls[lost][1], caller_of(lost))
    assert world.limits_are_exact(), "what nobody could end counts"
    assert not any(
        each.settled_by for each in world.records() if each.endpoint in ("sweden", "france")
    ), "a region that is gone takes only its own calls with it"

    france.has_quota = True
    await openai.start()
    await asyncio.sleep(1.5 * COOL_DOWN.total_seconds())
    fourth = await world.start_wave(wave())
    assert fourth.total() == WAVE
    assert set(fourth) == set(NAMES), "an endpoint that is back gets its callers back"
    names = {each.id for each in of_openai}
    await until(
        lambda: all(each.settled_by == "gone" for each in world.records() if each.id in names),
        "told over, by the endpoint that had lost them",
    )
    await until(world.all_told, "every call on record")
    assert world.limits_are_exact()

    offers = [offer for each in world.stand_ins.values() for offer in each.offers.values()]
    assert len(offers) == len(set(offers)) == 4 * WAVE, "no call is doubled"
    for each in world.stand_ins.values():
        assert each.observed == set(each.offers), "each is observed where it is"

    await end_all(world)
    assert {each.ended_by for each in world.records() if each.id not in names} == {
        "caller",
        "admin",
    }
    for host in world.hosts:
        assert host.stores.ledger.live_calls() == 0
    for each in world.stand_ins.values():
        assert not each.live, "each was hung up where it is"
        assert not each.strangers, "nobody asked it for another endpoint's call"
        assert len(each.hung_up) == len(set(each.hung_up))
    assert sweden.hung_up
    assert france.hung_up
    assert openai.hung_up
    now = utc_now()
    for host in world.hosts:
        assert {each.state for each in host.model.choice.state(now)} == {"well"}


async def end_all(world: World) -> None:
    """Every other call is hung up by its caller, the rest by an admin, on either host."""
    loop = asyncio.get_running_loop()

    def end(number: int) -> None:
        name, handle = world.calls[number]
        host = world.hosts[number // 2 % 2]
        if host.stores.records.get(name).settled_by:
            return
        if number % 2:
            host.calls.hang_up(handle, caller_of(number))
        else:
            host.terminator.end_by_admin(name)

    await asyncio.gather(*(loop.run_in_executor(world.pool, end, each) for each in world.calls))
    await until(lambda: not world.unsettled(), "every call settled")


async def test_the_call_of_an_endpoint_that_was_removed_is_told_and_counts(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = next(iter(await world.start_wave([0])))
    name, handle = world.calls[0]
    await until(world.all_told, "the call on record")
    world.runs[0].cancel()
    await asyncio.wait(world.runs)
    (record,) = world.records()
    for host in world.hosts:
        host.stores.leases.forget(record.call_id)
        model = replace(
            host.model,
            by_name={key: each for key, each in host.model.by_name.items() if key != endpoint},
        )
        terminator = replace(host.terminator, voices=model.clients)
        worker = replace(world.workers[0], terminator=terminator, connects=model.connects)
        await asyncio.wait_for(worker.follow_call(Delivery(name)), PATIENCE)
        told = [each for each in caplog.messages if each.startswith("endpoint removed {")]
        assert f'"endpoint": "{endpoint}"' in told[-1]
        caplog.clear()
        with pytest.raises(Problem, match="endpoint_removed"):
            await asyncio.to_thread(terminator.end_by_admin, name)
        admin = replace(host.admin, connects=model.connects)
        event = {"type": "response.create"}
        with pytest.raises(Problem, match="endpoint_removed"):
            await asyncio.to_thread(admin.send_event, name, event)
    assert world.unsettled() == 1
    assert world.limits_are_exact()
    # Put back, it is reached again: nothing but the list had forgotten it.
    await asyncio.to_thread(world.hosts[1].calls.hang_up, handle, caller_of(0))
    assert not world.unsettled()
