"""Every call that has ended is told of at least once, whatever dies or is away meanwhile."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.calls.call_record import to_entity
from shared.calls.delivery import Delivery
from shared.calls.end_events import LEFT_TO_OBSERVER, try_to_publish
from shared.observer.context import ObserverResult, Outcome
from shared.storage.interfaces import Entity, StorageUnavailable
from shared.upstream.hang_up_reply import WAS_LIVE
from tests.support.scripted_endpoint import Upstream
from tests.unit.calls.services import calls
from tests.unit.calls.telling import (
    NAME,
    NOW,
    RECORD,
    WAYS,
    Telling,
    lose_answer,
    observing,
)
from tests.unit.calls.test_retry import World


async def test_the_last_look_at_a_settled_call_tells_of_it_and_only_then_forgets_it() -> None:
    world, telling = World(), Telling()
    worker = observing(world, telling)
    assert world.leases.acquire("rtc_1", "a run that was killed")
    world.records.mark_ended(NAME, "caller", world.now, WAS_LIVE)
    telling.told.away = True
    with pytest.raises(StorageUnavailable):
        worker.act_on_result(world.records.get(NAME), ObserverResult(Outcome.NOT_FOUND))
    assert world.leases.latest("rtc_1") is not None, "so the call is looked at again"
    telling.told.away = False
    worker.act_on_result(world.records.get(NAME), ObserverResult(Outcome.NOT_FOUND))
    assert len(telling.messages()) == 1
    assert world.leases.latest("rtc_1") is None


def test_a_host_killed_between_settling_and_telling_is_made_up_for_by_the_sweep(
    telling: Telling,
) -> None:
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.sweep.run()
    assert telling.messages() == [], "whoever settled it may be about to tell"
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert [each["ended_by"] for each in telling.messages()] == ["caller"]
    telling.sweep.run()
    assert telling.messages() == []


def test_a_call_whose_observer_never_comes_back_is_told_of_all_the_same(telling: Telling) -> None:
    telling.records.insert(RECORD)
    assert telling.leases.acquire("rtc_1", "a run whose messages somebody has deleted")
    telling.terminator.end_by_admin(NAME)
    assert telling.messages() == []
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert [each["ended_by"] for each in telling.messages()] == ["admin"]


async def test_a_host_killed_between_settling_and_telling_is_made_up_for_by_the_end_message(
    telling: Telling,
) -> None:
    """Also where the sweep does not look any more, because everything was down for days."""
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.now += timedelta(days=3)
    telling.sweep.run()
    assert telling.messages() == []
    await telling.another_instance().end_at_limit(Delivery(NAME))
    assert [each["ended_by"] for each in telling.messages()] == ["caller"]
    assert telling.client.hung_up == []


async def test_a_call_that_was_never_dispatched_has_an_end_message_all_the_same(
    endpoint: Upstream, telling: Telling
) -> None:
    telling.told.away = True
    terminator = lose_answer(telling, calls(endpoint))
    telling.told.away = False
    telling.now += timedelta(days=3)
    [end] = telling.ends.receive(visibility=timedelta(minutes=1), limit=32)
    await terminator.end_at_limit(Delivery.of(end.body))
    assert [each["ended_by"] for each in telling.messages()] == ["no answer"]


def test_a_host_killed_between_telling_and_noting_it_is_told_of_twice(telling: Telling) -> None:
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.table.read_only = True
    try_to_publish(telling.terminator.events, NAME)
    telling.table.read_only = False
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert [each["call"] for each in telling.messages()] == [NAME, NAME]


async def test_an_end_message_comes_back_until_the_queue_takes_what_is_to_be_told(
    telling: Telling,
) -> None:
    telling.records.insert(RECORD)
    telling.now = RECORD.ends_at
    telling.told.away = True
    with pytest.raises(StorageUnavailable):
        telling.terminator.end_expired_call(NAME)
    assert telling.records.get(NAME).settled_by == WAS_LIVE, "the call is over all the same"
    telling.told.away = False
    telling.terminator.end_expired_call(NAME)
    assert len(telling.messages()) == 1


@pytest.mark.parametrize("way", ["caller", "admin", "refused"])
def test_storage_that_is_away_costs_no_call_its_end_and_no_end_its_message(
    telling: Telling, way: str
) -> None:
    telling.records.insert(RECORD)
    telling.told.away = True
    WAYS[way][0](telling)
    assert telling.client.hung_up == ["rtc_1"]
    assert telling.records.get(NAME).settled_by
    telling.told.away = False
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert len(telling.messages()) == 1


def test_two_instances_tell_of_a_call_twice_at_the_most(telling: Telling) -> None:
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    record = telling.records.get(NAME)
    for instance in (telling.terminator, telling.another_instance()):
        assert instance.events
        instance.events.publish_record(record)
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert len(telling.messages()) == 2


def test_a_record_that_nothing_can_be_told_of_costs_no_other_call(telling: Telling) -> None:
    odd = replace(RECORD, id=NAME.replace("0123456789ab", "ba9876543210"), call_id="a/b\\c?#\n")
    values = {**to_entity(odd).values, "ended_at": NOW, "settled_by": "x", "model": "m" * 30_000}
    telling.table.insert(Entity(odd.id[:8], odd.id[9:], values))
    telling.records.insert(RECORD)
    telling.records.mark_ended(NAME, "caller", NOW, WAS_LIVE)
    telling.now += LEFT_TO_OBSERVER
    telling.sweep.run()
    assert {each["call"] for each in telling.messages()} == {NAME, odd.id}
