"""Instances whose clocks differ: each corrects its own by the one that storage answers with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import uuid4

import pytest

from shared.broker import open_broker
from shared.config.settings import Limits
from shared.core.clock import utc_now
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.observer.leases import Leases
from shared.storage.azure import open_storage
from shared.storage.storage_clock import StorageClock
from tests.support.app_settings import app_settings
from tests.support.azurite import shared_azurite
from tests.support.clock import Clock
from tests.support.scripted_endpoint import Said, upstream
from tests.unit.core.clients import connection_string

TRUE = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
AT_ONCE = timedelta(0)
SKEWS = [timedelta(seconds=seconds) for seconds in (-90, 90, -3600, 3600)]
LIMITS = Limits(starts_per_minute=0, live_calls=2, call_length=timedelta(seconds=60))
NEARLY = timedelta(seconds=4)
"""What two corrected clocks differ by at most, and a busy machine's delay."""


def date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize("skew", [*SKEWS, timedelta(seconds=3)])
def test_the_first_answer_corrects_the_clock(
    skew: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    clock = StorageClock(Clock(TRUE + skew))
    assert clock() == TRUE + skew
    clock.learn(date(TRUE), AT_ONCE)
    assert abs(clock() - TRUE) <= timedelta(seconds=1)
    assert "clock corrected" in caplog.text


@pytest.mark.parametrize("skew", [-1.4, -0.5, 0, 0.5, 2.4])
def test_a_small_difference_is_left_alone(skew: float) -> None:
    own = Clock(TRUE + timedelta(seconds=skew))
    clock = StorageClock(own)
    for _ in range(3):
        clock.learn(date(TRUE), AT_ONCE)
        assert clock() == own.now


def test_the_way_of_the_answer_counts_by_half_and_a_slow_answer_not_at_all() -> None:
    own = Clock(TRUE + timedelta(seconds=90))
    clock = StorageClock(own)
    clock.learn(date(TRUE - timedelta(hours=1)), timedelta(seconds=3))
    assert clock() == own.now
    clock.learn(date(TRUE), timedelta(seconds=2))
    assert abs(clock() - (TRUE + timedelta(seconds=1))) <= timedelta(seconds=1)


def test_a_change_later_on_takes_two_answers_that_agree() -> None:
    own = Clock(TRUE)
    clock = StorageClock(own)
    clock.learn(date(TRUE), AT_ONCE)
    clock.learn(date(TRUE + timedelta(hours=2)), AT_ONCE)
    assert clock() == TRUE
    clock.learn(date(TRUE), AT_ONCE)
    clock.learn(date(TRUE + timedelta(hours=2)), AT_ONCE)
    assert clock() == TRUE, "they were not in a row"
    own.now -= timedelta(minutes=5)
    for _ in range(2):
        clock.learn(date(TRUE), AT_ONCE)
    assert abs(clock() - TRUE) <= timedelta(seconds=1)
    own.now += timedelta(minutes=5)
    for _ in range(2):
        clock.learn(date(TRUE), AT_ONCE)
    assert clock() == TRUE


@pytest.mark.parametrize("hours", [-200, -20, -3, 3, 20, 200])
def test_a_large_correction_takes_two_answers_that_agree(hours: int) -> None:
    clock, wrong = StorageClock(Clock(TRUE)), TRUE + timedelta(hours=hours)
    clock.learn(date(wrong), AT_ONCE)
    assert clock() == TRUE
    clock.learn(date(TRUE), AT_ONCE)
    clock.learn(date(wrong), AT_ONCE)
    assert clock() == TRUE, "they were not in a row"
    clock.learn(date(wrong), AT_ONCE)
    assert abs(clock() - wrong) <= timedelta(seconds=1)


@pytest.mark.parametrize("own", [True, False])
def test_only_storage_itself_is_believed(own: bool) -> None:
    headers = {"x-ms-request-id": "1", "x-ms-version": "2019-02-02"} if own else {}
    row = b'{"odata.etag": "e", "PartitionKey": "p", "RowKey": "r"}'
    kind = {"Content-Type": "application/json", "ETag": "e"}
    said = Said(200, row, {**kind, **headers, "Date": date(utc_now() + timedelta(hours=1))})
    with upstream() as endpoint:
        endpoint.listener.reply = lambda _: said
        storage = open_storage(connection_string(endpoint))
        clock = storage.corrected_clock(utc_now)
        assert storage.table("ttt").get("p", "r")
        assert (clock() - utc_now() > timedelta(minutes=59)) is own
        storage.close()


@pytest.mark.parametrize(
    "header", ["", "now", "Fri, 31 Dec 9999 23:59:59 -1200", "Fri, 20 Nov 2026 12:30:00", "1e30"]
)
def test_an_odd_date_is_ignored(header: str) -> None:
    clock = StorageClock(Clock(TRUE))
    clock.learn(header, AT_ONCE)
    assert abs(clock() - TRUE) <= timedelta(seconds=1)


class Instance:
    """One instance of the broker's ledger and leases, with a clock of its own."""

    def __init__(self, skew: timedelta, ledger: str, leases: str) -> None:
        storage = open_storage(shared_azurite().connection)
        self.clock = storage.corrected_clock(lambda: utc_now() + skew)
        self.ledger = Ledger(storage.table(ledger), LIMITS, clock=self.clock)
        self.leases = Leases(storage.table(leases), timedelta(seconds=30), clock=self.clock)


@pytest.fixture(params=SKEWS, ids=str)
def instances(request: pytest.FixtureRequest) -> tuple[Instance, Instance]:
    names = f"ledger{uuid4().hex[:12]}", f"leases{uuid4().hex[:12]}"
    return Instance(request.param, *names), Instance(timedelta(0), *names)


def test_live_calls_are_counted_exactly_by_clocks_that_differ(
    instances: tuple[Instance, Instance],
) -> None:
    for first, second in (instances, instances[::-1]):
        for _ in range(2):
            booking = first.ledger.book_call("ada")
            assert abs(booking.started_at - utc_now()) < NEARLY, "from the first call on"
        for instance in (first, second):
            with pytest.raises(Problem, match="too_many_live_calls"):
                instance.ledger.book_call("ada")
        for reference in [f"ada.{name}" for name in names_of(second, "ada")]:
            second.ledger.settle_call(reference)


@pytest.mark.parametrize("hours", [-25, -3, 3, 25])
def test_a_clock_that_is_far_off_decides_nothing_before_it_is_corrected(hours: int) -> None:
    names = f"ledger{uuid4().hex[:12]}", f"leases{uuid4().hex[:12]}"
    true, wrong = Instance(timedelta(0), *names), Instance(timedelta(hours=hours), *names)
    for _ in range(2):
        true.ledger.book_call("ada")
    with pytest.raises(Problem, match="too_many_live_calls"):
        wrong.ledger.book_call("ada")
    assert true.ledger.usage_of("ada").live_calls == 2


def test_a_clock_that_steps_decides_nothing_before_it_is_corrected() -> None:
    skew = [timedelta(0)]
    storage = open_storage(shared_azurite().connection)
    clock = storage.corrected_clock(lambda: utc_now() + skew[0])
    ledger = Ledger(storage.table(f"ledger{uuid4().hex[:12]}"), LIMITS, clock=clock)
    for _ in range(2):
        ledger.book_call("ada")
    skew[0] = timedelta(minutes=20)
    with pytest.raises(Problem, match="too_many_live_calls"):
        ledger.book_call("ada")
    storage.close()


def names_of(instance: Instance, caller: str) -> list[str]:
    from shared.limits.account import Account

    row = instance.ledger.table.get("live", f"caller.{caller}")
    assert row
    return list(Account.from_values(row.values).bookings)


def test_a_lease_is_held_and_ends_alike_for_clocks_that_differ(
    instances: tuple[Instance, Instance],
) -> None:
    for number, (first, second) in enumerate((instances, instances[::-1])):
        lease = first.leases.acquire(f"rtc_{number}", "a run")
        assert lease
        assert second.leases.acquire(f"rtc_{number}", "another") is None, "it is not taken over"
        assert abs(lease.until - utc_now() - first.leases.lasts) < NEARLY, "nor kept for longer"


def test_the_broker_corrects_its_clock() -> None:
    settings = app_settings("http://127.0.0.1:1", AzureWebJobsStorage=shared_azurite().connection)
    broker = open_broker(settings, clock=lambda: utc_now() - timedelta(seconds=90))
    broker.stores.ledger.usage_of("ada")
    broker.stores.leases.holder("rtc_1")
    for clock in (broker.clock, broker.stores.ledger.clock, broker.stores.leases.clock,
                  broker.terminator.clock, broker.calls.dispatcher.clock):  # fmt: skip
        assert abs(clock() - utc_now()) < NEARLY
    assert broker.model.default.realtime.client.clock is broker.clock, "whether a key has expired"
