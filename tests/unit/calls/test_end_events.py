"""Every call that has ended is told of once, whoever ended it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.calls.new_call import SealedCall
from shared.observer.context import ObserverResult, Outcome, Tally
from shared.upstream.hang_up_reply import WAS_GONE
from shared.usage.call_usage import CallUsage
from shared.usage.tokens import Usage
from tests.support.scripted_endpoint import Upstream
from tests.unit.calls.services import calls
from tests.unit.calls.telling import (
    NAME,
    RECORD,
    WAYS,
    Telling,
    end_by_caller,
    end_by_limit,
    lose_answer,
    observing,
)
from tests.unit.calls.test_retry import World


@pytest.mark.parametrize("way", WAYS)
def test_whoever_ends_a_call_it_is_told_of_once(telling: Telling, way: str) -> None:
    end, ended_by = WAYS[way]
    telling.records.insert(RECORD)
    end(telling)
    assert [(each["call"], each["ended_by"]) for each in telling.messages()] == [(NAME, ended_by)]
    telling.now = RECORD.ends_at + timedelta(minutes=4)
    for again in (end_by_caller, end_by_limit, lambda telling: telling.sweep.run()):
        again(telling)
    assert telling.messages() == []


def test_a_call_whose_answer_was_lost_is_told_of(endpoint: Upstream) -> None:
    telling = Telling()
    lose_answer(telling, calls(endpoint))
    [message] = telling.messages()
    assert (message["caller"], message["ended_by"]) == ("ada", "no answer")
    assert not {"transcript", "recording"} & message.keys()


OBSERVED_ENDS = ("closed", "time limit", "token budget", "usage not readable", "gone", "not found",
                 "expired", "connection_lost")  # fmt: skip


@pytest.mark.parametrize("reason", OBSERVED_ENDS)
async def test_an_observer_tells_of_its_call_with_all_that_it_has_counted(reason: str) -> None:
    world, telling = World(), Telling()
    worker = observing(world, telling)
    lease = world.leases.acquire("rtc_1", "a run")
    assert lease
    used = CallUsage(Usage(text_in=3, audio_out=4))
    result = ObserverResult(Outcome.ENDED, reason, Tally(used), WAS_GONE)
    worker.act_on_result(world.records.get(NAME), result)
    [message] = telling.messages()
    assert message["ended_by"] == reason
    assert message["usage"] == used.counts()
    assert message["observed"]


async def test_a_call_that_its_caller_ends_is_told_of_by_its_observer_once() -> None:
    world, telling = World(), Telling()
    worker = observing(world, telling)
    assert world.leases.acquire("rtc_1", "a run")
    worker.terminator.end_call(SealedCall("rtc_1", RECORD.reference, NAME), "caller")
    assert telling.messages() == [], "what it has used is not on record yet"
    used = CallUsage(Usage(audio_out=4))
    before = replace(world.records.get(NAME), settled_by="")
    worker.act_on_result(before, ObserverResult(Outcome.ENDED, "", Tally(used), WAS_GONE))
    [message] = telling.messages()
    assert (message["ended_by"], message["usage"]) == ("caller", used.counts())
    worker.act_on_result(world.records.get(NAME), ObserverResult(Outcome.NOT_FOUND))
    assert telling.messages() == []
    assert world.leases.latest("rtc_1") is None
