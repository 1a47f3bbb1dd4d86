"""An upstream call id belongs to the caller who had it first, on all instances."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.calls.call_record import BY_BROKER, BY_KEY, CallRecord
from shared.calls.call_search import CallSearch, find_calls
from shared.calls.claims import Claims
from shared.calls.records import Records
from tests.contract.storage.conftest import Backend
from tests.support.at_once import at_once
from tests.support.call_records import call_record

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


def a_record(caller: str, number: int = 1, started_by: str = BY_KEY) -> CallRecord:
    return call_record(
        NOW, f"{caller}.{number:012x}", call_id="rtc_contested", started_by=started_by
    )


def test_of_many_at_once_exactly_one_gets_the_call(backend: Backend) -> None:
    name = backend.name()

    def claim(number: int) -> CallRecord:
        return Claims(backend.storage.table(name)).claim(a_record(f"caller-{number}", number))

    holders = at_once(8, claim)
    assert len({holder.caller_id for holder in holders}) == 1
    assert Claims(backend.storage.table(name)).claimed("rtc_contested") == holders[0]


def test_a_claim_is_the_record_as_it_began(backend: Backend) -> None:
    claims = Claims(backend.storage.table(backend.name()))
    assert claims.claimed("rtc_contested") is None
    record = a_record("ada")
    assert claims.claim(record) == record
    assert claims.claim(replace(record, caller_id="mallory")) == record
    claims.forget("rtc_contested")
    assert claims.claimed("rtc_contested") is None


def test_what_the_broker_started_is_its_callers_whoever_claimed_it(backend: Backend) -> None:
    claims = Claims(backend.storage.table(backend.name()))
    claims.claim(a_record("mallory"))
    mine = a_record("ada", 2, BY_BROKER)
    for _ in range(2):
        claims.assign(mine)
        assert claims.claimed("rtc_contested") == mine


def test_claims_are_not_in_the_list_of_calls_and_go_with_their_records(backend: Backend) -> None:
    records = Records(backend.storage.table(backend.name()))
    claims, record = Claims(records.table), a_record("ada")
    claims.claim(record)
    records.insert(record)
    assert find_calls(records, CallSearch(), NOW).calls == [record]
    forgotten: list[str] = []
    assert records.sweep_expired(NOW + timedelta(days=92), forgotten.append) == 1
    assert forgotten == ["rtc_contested"]
