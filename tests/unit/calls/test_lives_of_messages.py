"""The messages of one call, delivered for as long as it takes: none is lost, and they do not
multiply."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

from shared.api import queue_functions
from shared.calls.call_record import to_entity
from shared.calls.call_search import CallSearch, find_calls
from shared.calls.delivery import Delivery
from shared.calls.queue_messages import call_message
from shared.core.problems import Problem
from shared.observer import sweep
from shared.observer.sweep import CallSweep
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandUnavailable
from shared.storage.interfaces import Entity, Message
from shared.storage.memory import MemoryQueue
from shared.upstream.hang_up_reply import WAS_GONE, HangUpReply
from tests.unit.calls.test_retry import NAME, NOW, RECORD, World

GONE = HangUpReply(404, "call_id_not_found")
AWAY = timedelta(minutes=10)


class Trigger(func.QueueMessage):
    def __init__(self, message: Message) -> None:
        self.message = message

    @property
    def dequeue_count(self) -> int:
        return self.message.dequeue_count

    def get_body(self) -> bytes:
        return self.message.body.encode()


class Upstream:
    """Upstream as the observer dials it. `error` is what it answers."""

    def __init__(self) -> None:
        self.error: Exception = SidebandUnavailable(403)
        self.dials = 0

    async def __call__(self, call_id: str) -> Sideband:
        self.dials += 1
        raise self.error


class Life:
    """The messages about one call. `kills` deliveries are cut off when they have begun."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.ends = MemoryQueue(lambda: world.now)
        self.most = 0
        object.__setattr__(world.terminator, "end_queue", self.ends)
        queues = {"observe-call": world.queue, "end-call": self.ends}
        monkeypatch.setattr(queue_functions, "current_queue", queues.__getitem__)

    async def pass_time(self, of: timedelta, upstream: Upstream, *, kills: int = 0) -> None:
        until = self.world.now + of
        worker = self.world.observing(upstream)
        handlers: dict[str, tuple[MemoryQueue, queue_functions.Handle]] = {
            "observe-call": (self.world.queue, worker.follow_call),
            "end-call": (self.ends, self.world.terminator.end_at_limit),
        }
        while self.world.now < until:
            for name, (queue, handle) in handlers.items():
                for message in queue.receive(visibility=AWAY, limit=32):
                    if kills and name == "observe-call":
                        kills -= 1
                        await self.kill(worker.follow_call, message)
                        continue
                    await queue_functions.handle_message(Trigger(message), name, handle)
                    queue.delete(message)
            self.most = max(self.most, len(self.world.queue.messages), len(self.ends.messages))
            self.world.now += timedelta(seconds=5)

    async def kill(self, follow: Any, message: Message) -> None:
        """The host dies while it follows the call: the lease stays, and so does the message."""
        release = self.world.leases.release
        self.world.leases.release = lambda _: None  # type: ignore[assignment,method-assign]
        await follow(Delivery.of(message.body, redelivered=message.dequeue_count > 1))
        self.world.leases.release = release  # type: ignore[method-assign]

    @property
    def left(self) -> int:
        return len(self.world.queue.messages) + len(self.ends.messages)


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Life:
    return Life(World(), monkeypatch)


async def test_a_call_that_cannot_be_followed_is_looked_at_until_it_is_settled(life: Life) -> None:
    upstream = Upstream()
    life.world.queue.send(call_message(NAME))
    await life.pass_time(timedelta(minutes=10), upstream)
    assert life.most == 1
    assert 10 <= upstream.dials <= 25, "ever more seldom, up to once a minute"
    assert life.world.records.get(NAME).ended_at is None
    assert life.world.client.hung_up == []
    upstream.error = NoSuchCall()
    life.world.client.replies = [GONE]
    await life.pass_time(timedelta(minutes=3), upstream)
    assert life.world.records.get(NAME).settled_by == WAS_GONE
    assert life.left == 0


async def test_a_call_is_hung_up_until_upstream_confirms_its_end(life: Life) -> None:
    unconfirmed: list[HangUpReply | Problem] = [
        HangUpReply(404, "404"),
        Problem("upstream_timeout"),
        Problem("upstream_failed"),
    ]
    life.world.client.replies = unconfirmed * 1000
    for late in (-4, 15):
        life.ends.send(call_message(NAME), delay=RECORD.ends_at - NOW + timedelta(seconds=late))
    await life.pass_time(timedelta(hours=2), Upstream())
    assert life.most == 2, "each message has one successor at most"
    assert life.world.terminator.ledger.usage_of("ada").live_calls == 1
    assert life.world.records.get(NAME).ended_at is None
    life.world.client.replies = [GONE]
    await life.pass_time(timedelta(minutes=12), Upstream())
    assert life.world.records.get(NAME).settled_by == WAS_GONE
    assert life.world.terminator.ledger.usage_of("ada").live_calls == 0
    assert life.left == 0


async def test_an_observer_ends_a_call_past_its_limit_whose_end_messages_are_lost(
    life: Life,
) -> None:
    life.world.queue.send(call_message(NAME))
    await life.pass_time(RECORD.ends_at - NOW + timedelta(minutes=6), Upstream())
    assert life.world.client.hung_up == [RECORD.call_id]
    assert life.world.records.get(NAME).ended_by == "limit"
    assert life.left == 0


async def test_hosts_that_are_killed_under_a_call_lose_no_message_and_add_few(life: Life) -> None:
    upstream = Upstream()
    life.world.queue.send(call_message(NAME))
    await life.pass_time(timedelta(minutes=10), upstream, kills=5)
    assert life.most <= 6
    upstream.error = NoSuchCall()
    await life.pass_time(timedelta(minutes=15), upstream)
    assert life.world.records.get(NAME).settled_by
    assert life.left == 0


def sweep_of(life: Life) -> CallSweep:
    world = life.world
    worker = world.observing()
    pool = worker.dependencies.executor
    assert pool
    return CallSweep(
        world.records, world.leases, world.terminator, world.queue, pool, lambda: world.now
    )


def test_a_sweep_finds_calls_that_nobody_follows(life: Life) -> None:
    sweep = sweep_of(life)
    sweep.run()
    assert life.left == 0, "its own message may yet come"
    life.world.now += timedelta(minutes=4)
    lease = life.world.leases.acquire(RECORD.call_id, "a run")
    assert lease
    sweep.run()
    assert life.left == 0, "a run follows it"
    life.world.now += timedelta(minutes=2)
    sweep.run()
    assert life.left == 0, "its next look may yet come"
    life.world.now += timedelta(minutes=2)
    sweep.run()
    assert [each.body for each in life.world.queue.messages.values()] == [call_message(NAME)]


def test_a_sweep_settles_calls_that_nobody_has_settled(life: Life) -> None:
    sweep = sweep_of(life)
    life.world.client.replies = [HangUpReply(404)]
    life.world.now = RECORD.ends_at + timedelta(minutes=3)
    sweep.run()
    assert life.world.records.get(NAME).ended_at is None
    sweep.run()
    assert life.world.records.get(NAME).ended_by == "limit"
    sweep.run()
    assert len(life.world.client.hung_up) == 2
    assert life.left == 0


def test_a_sweep_crosses_midnight(life: Life) -> None:
    life.world.now = NOW.replace(hour=23, minute=59) + timedelta(hours=2)
    late = "20300101-00060000-0123456789ac"
    started = NOW.replace(hour=23, minute=59)
    record = RECORD.__class__(
        late, "rtc_2", "ada.0123456789ac", "ada", "default", "m", "connect", started, started
    )
    life.world.records.insert(record)
    sweep_of(life).run()
    assert life.world.records.get(late).ended_by == "limit"
    assert life.world.client.hung_up == ["rtc_2"], "older ones are left to their messages"


@pytest.mark.parametrize(
    "change",
    [{"usage": "{"}, {"usage": 5}, {"ends_at": None}, {"ends_at": "2030-01-01T11:00:00Z"},
     {"started_at": datetime(2020, 1, 1, tzinfo=UTC)}],
    ids=str,
)  # fmt: skip
def test_a_record_that_was_edited_by_hand_is_ended_like_any_other(
    life: Life, change: dict[str, Any]
) -> None:
    records = life.world.records
    odd = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"), call_id="rtc_odd")
    entity = to_entity(odd)
    values = {
        name: value for name, value in {**entity.values, **change}.items() if value is not None
    }
    records.table.insert(Entity(entity.partition, entity.row, values))
    life.world.now = RECORD.ends_at + timedelta(minutes=3)
    sweep_of(life).run()
    found = find_calls(records, CallSearch(), life.world.now).calls
    assert {each.id: each.ended_by for each in found} == {
        NAME: "limit",
        odd.id: "limit",
    }
    assert sorted(life.world.client.hung_up) == ["rtc_1", "rtc_odd"]


def test_a_lease_that_was_edited_by_hand_has_run_out(life: Life) -> None:
    leases = life.world.leases
    leases.table.insert(Entity(RECORD.call_id, "observer", {"holder": "x", "until": "soon"}))
    life.world.now += timedelta(minutes=4)
    sweep_of(life).run()
    assert life.left == 1, "the sweep has it followed"
    assert leases.acquire(RECORD.call_id, "a run") is not None


def test_calls_that_cannot_be_hung_up_do_not_hold_the_sweep_up(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "ENDED_AT_ONCE", 2)
    for number in (0, 2, 3, 4):
        name = NAME.replace("0123456789ab", f"{number:012x}")
        life.world.records.insert(replace(RECORD, id=name, call_id=f"rtc_{number}"))
    life.world.client.replies = [HangUpReply(403)] * 200
    life.world.now = RECORD.ends_at + timedelta(minutes=3)
    for _ in range(100):
        sweep_of(life).run()
    assert set(life.world.client.hung_up) == {f"rtc_{number}" for number in range(5)}


@pytest.mark.parametrize("change", [
    {"reference": None},
    {"reference": "x"},
    {"call_id": None},
    {"layout": 9},
    {"row": "0-note", "started_at": None},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("late", [False, True], ids=["unfollowed", "overdue"])
def test_a_record_that_was_edited_by_hand_costs_no_other_call(
    life: Life, change: dict[str, Any], late: bool
) -> None:
    newer = f"{RECORD.id[:9]}{int(RECORD.id[9:17]) - 1:08d}-ba9876543210"
    entity = to_entity(replace(RECORD, id=newer, call_id="rtc_odd"))
    changed = {**entity.values, **change}
    row = str(changed.pop("row", entity.row))
    values = {name: value for name, value in changed.items() if value is not None}
    life.world.records.table.insert(Entity(entity.partition, row, values))
    life.world.now = RECORD.ends_at + timedelta(minutes=3) if late else NOW + timedelta(minutes=5)
    sweep_of(life).run()
    if late:
        assert "rtc_1" in life.world.client.hung_up
    else:
        assert call_message(NAME) in {each.body for each in life.world.queue.messages.values()}
    listed = find_calls(life.world.records, CallSearch(), life.world.now).calls
    assert NAME in {each.id for each in listed}
    after = RECORD.ends_at + timedelta(days=92)
    assert life.world.records.sweep_expired(after, life.world.leases.forget) == 2
