"""What becomes of messages that cannot be handled: none is lost, none multiplies, and no exception
leaves a function with its text."""

from __future__ import annotations

import itertools
import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest

import function_app
from shared.api import lazy_broker, queue_functions
from shared.api.lazy_broker import LazyBroker, current_broker
from shared.calls.delivery import Delivery
from shared.calls.queue_messages import call_message, tries_in
from shared.calls.redelivery import LONGEST_RETRY, RETRIES_UNTIL_SELDOM, pause_after
from shared.core.problems import Problem
from shared.storage import memory
from shared.storage.interfaces import Message, Queue, StorageUnavailable
from shared.storage.memory import MemoryStorage
from shared.upstream.hang_up_reply import HangUpReply
from tests.support.app_settings import app_settings
from tests.support.call_records import call_record

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
RECORD = call_record(NOW, ends_at=NOW)
NAME = RECORD.id
RIGHT = app_settings("http://127.0.0.1:1")
WRONG = {name: value for name, value in RIGHT.items() if name != "REALTIME_MODEL"}
SECRET = "ek_0123456789abcdef what the page said"
"""What redaction takes out, and what it cannot know."""
PROBLEM = Problem("internal_error")


class Trigger(func.QueueMessage):
    def __init__(self, message: Message) -> None:
        self.message = message

    @property
    def dequeue_count(self) -> int:
        return self.message.dequeue_count

    def get_body(self) -> bytes:
        return self.message.body.encode("utf-8", "surrogateescape")


class Context:
    invocation_id = "invocation"


def trigger(body: str) -> Trigger:
    return Trigger(Message("1", body, 1, ""))


def function(name: str) -> Callable[..., Awaitable[None]]:
    # The framework names each function once in a process.
    function_app.app.functions_bindings = {}
    functions = {each.get_function_name(): each for each in function_app.app.get_functions()}
    found: Callable[..., Awaitable[None]] = functions[name].get_user_function()
    return found


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> MemoryStorage:
    made = MemoryStorage(clock)
    monkeypatch.setattr(memory, "PROCESS_STORAGE", made)
    restart(monkeypatch, RIGHT)
    return made


def restart(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    monkeypatch.setattr(lazy_broker, "PROCESS", LazyBroker(settings))


async def deliver_all(queue: Queue, name: str) -> int:
    """Delivers what is visible, as the host does; returns how many there were."""
    messages = queue.receive(visibility=timedelta(minutes=10), limit=32)
    for message in messages:
        arguments = [Trigger(message)] if name.endswith("poison") else [Trigger(message), Context()]
        await function(name)(*arguments)
        queue.delete(message)
    return len(messages)


@pytest.mark.parametrize("name", ["observe_call", "end_call"])
async def test_a_wrong_setting_uses_up_no_message(
    monkeypatch: pytest.MonkeyPatch, storage: MemoryStorage, clock: Clock, name: str
) -> None:
    queue = storage.queue(name.replace("_", "-"))
    queue.send(call_message(NAME))
    restart(monkeypatch, WRONG)
    times = []
    while clock.now < NOW + timedelta(hours=1):
        if await deliver_all(queue, name):
            times.append(clock.now)
        clock.now += timedelta(seconds=1)
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert timedelta(seconds=4) <= pauses[0] <= timedelta(seconds=7)
    assert max(pauses) <= LONGEST_RETRY * 1.2 + timedelta(seconds=1)
    assert len(times) < 90
    clock.now += LONGEST_RETRY * 1.2
    (left,) = queue.receive(visibility=timedelta(minutes=10), limit=32)
    assert Delivery.of(left.body).record_id == NAME
    assert storage.queue(f"{name.replace('_', '-')}-poison").receive(visibility=LONGEST_RETRY) == []


async def test_a_call_is_ended_once_a_wrong_setting_is_right(
    monkeypatch: pytest.MonkeyPatch, storage: MemoryStorage, clock: Clock
) -> None:
    queue = storage.queue("end-call")
    queue.send(call_message(NAME))
    restart(monkeypatch, WRONG)
    await deliver_all(queue, "end_call")
    restart(monkeypatch, RIGHT)
    broker = current_broker()
    broker.stores.records.insert(RECORD)
    hung_up: list[str] = []

    def hang_up(call_id: str, _: Any) -> HangUpReply:
        hung_up.append(call_id)
        return HangUpReply(200)

    monkeypatch.setattr(broker.model.default.realtime.client, "hang_up", hang_up)
    clock.now += timedelta(seconds=10)
    assert await deliver_all(queue, "end_call") == 1
    assert hung_up == ["rtc_1"]
    clock.now += timedelta(hours=1)
    assert await deliver_all(queue, "end_call") == 0


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyError(SECRET), PROBLEM])
async def test_no_exception_leaves_a_queue_function_with_its_text(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    class Away:
        def send(self, body: str, *, delay: timedelta) -> None:
            raise StorageUnavailable(SECRET)

    async def fails(_: Delivery) -> None:
        try:
            raise RuntimeError(SECRET)
        except RuntimeError:
            raise error  # noqa: B904

    monkeypatch.setattr(queue_functions, "current_queue", lambda _: Away())
    monkeypatch.setattr(queue_functions, "OUTAGE", timedelta(0))
    caplog.set_level(logging.DEBUG)
    with pytest.raises(queue_functions.MessageFailed) as left:
        await queue_functions.handle_message(trigger(call_message(NAME)), "end-call", fails)
    assert str(left.value) == "StorageUnavailable"
    chain = left.value.__cause__, left.value.__context__
    assert chain == (None, None)
    said = "".join(traceback.format_exception(left.value)) + caplog.text
    assert "ek_" not in said
    assert "page" not in said


async def test_a_failure_after_the_successor_sends_no_other(
    storage: MemoryStorage, clock: Clock
) -> None:
    queue = storage.queue("end-call")

    async def fails(delivery: Delivery) -> None:
        delivery.send_successor(queue)
        raise Problem("upstream_failed")

    await queue_functions.handle_message(trigger(call_message(NAME, 3)), "end-call", fails)
    clock.now += timedelta(hours=1)
    (held,) = queue.receive(visibility=timedelta(minutes=1), limit=32)
    assert tries_in(held.body) == 4


@pytest.mark.parametrize(
    "body",
    [
        *("", "no JSON", "[1]", "\udcff", "1", "[" * 100_000, '{"put_back": {}}'),
        *('{"v": 1, "call": "Jane Doe"}', '{"call": "Jane Doe"}'),
    ],
)
async def test_what_is_no_message_of_ours_is_poison_and_then_dropped(
    storage: MemoryStorage, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(queue_functions.MessageFailed):
        await function("end_call")(trigger(body), Context())
    await function("end_call_poison")(trigger(body))
    assert storage.queue("end-call").receive(visibility=timedelta(minutes=1)) == []
    assert "Jane" not in caplog.text


@pytest.mark.parametrize("name", ["observe-call", "end-call"])
@pytest.mark.parametrize(
    "body",
    [call_message(NAME), json.dumps({"call": NAME}), json.dumps({"v": 9, "calls": [NAME]})],
    ids=["this release", "an earlier one", "a later one"],
)
async def test_a_poison_message_is_told_and_taken_up_again(
    storage: MemoryStorage, clock: Clock, name: str, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    queue, poison = storage.queue(name), storage.queue(f"{name}-poison")
    poison.send(body)
    assert await deliver_all(poison, f"{name.replace('-', '_')}_poison") == 1
    assert "poison message taken up" in caplog.text
    assert queue.receive(visibility=timedelta(minutes=1)) == [], "after a pause"
    clock.now += timedelta(minutes=1)
    (again,) = queue.receive(visibility=timedelta(minutes=1))
    assert json.loads(again.body) == {**json.loads(body), "tries": 1}


async def test_a_sweep_never_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    restart(monkeypatch, WRONG)
    await function("sweep_calls")(None, Context())
    assert "sweep failed" in caplog.text
    restart(monkeypatch, RIGHT)
    await function("sweep_calls")(None, Context())


def test_pauses_grow_and_have_no_end() -> None:
    assert pause_after(1) < timedelta(seconds=7)
    assert timedelta(seconds=40) < pause_after(5) <= LONGEST_RETRY * 1.2
    assert timedelta(minutes=7) < pause_after(RETRIES_UNTIL_SELDOM + 1) < pause_after(10**9) * 2
    assert tries_in(json.dumps({"call": NAME, "tries": "many"})) == 0
    assert tries_in(json.dumps({"call": NAME, "tries": -4})) == 0
