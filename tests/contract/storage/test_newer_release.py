"""Deployments are upgraded instance by instance: what a later release stores is used and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.calls.call_search import CallSearch, find_calls
from shared.calls.call_status import status_for_caller
from shared.calls.records import LIVE_LAYOUT, NEWEST_LAYOUT, Records
from shared.config.settings import Limits
from shared.core.problems import Problem
from shared.limits.ledger_store import Ledger
from shared.observer.accounting import CallAccounting
from shared.observer.context import Tally
from shared.observer.leases import Leases
from shared.storage.interfaces import StorageUnavailable, Table, Value
from shared.storage.row_layout import require_known_layout
from shared.upstream.hang_up_reply import WAS_LIVE
from shared.usage.call_usage import CallUsage
from shared.usage.price_files import load_prices
from shared.usage.tokens import Usage
from tests.contract.storage.conftest import Backend, existing_row
from tests.support.call_records import call_record

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
LIMITS = Limits(starts_per_minute=9, live_calls=9, tokens_per_day=1000, live_calls_total=9)
KEY = timedelta(minutes=16)
RECORD = call_record(NOW, usage={"text_in": 5})
OTHER_ID = RECORD.id[:-1] + ("0" if RECORD.id[-1] != "0" else "1")


@pytest.fixture
def table(backend: Backend) -> Table:
    return backend.storage.table(backend.name())


def ledger_on(table: Table) -> Ledger:
    return Ledger(table, LIMITS, clock=lambda: NOW)


def extend(table: Table, partition: str, row: str, **more: Value) -> Mapping[str, Value]:
    """Writes the row as a later release might, with columns of its own."""
    before = existing_row(table, partition, row)
    return table.replace(before.with_values({**before.values, **more})).values


def extend_ledger(table: Table) -> None:
    """Adds a member to every element of the ledger's rows, and a column to every row."""
    for row in table.query("live"):
        held = [[*element, {"of": "later"}] for element in json.loads(str(row.values["held0"]))]
        extend(table, "live", row.row, held0=json.dumps(held), colour="green")


def held(table: Table, row: str) -> list[Any]:
    content: list[Any] = json.loads(str(existing_row(table, "live", row).values["held0"]))
    return content


def test_a_ledger_of_a_later_release_is_used_and_keeps_what_is_not_known(table: Table) -> None:
    ledger = ledger_on(table)
    live, other = ledger.book_call("ada"), ledger.book_call("ada")
    key = ledger.book_key("ada", "sales", KEY)
    extend_ledger(table)
    ledger = ledger_on(table)
    assert ledger.usage_of("ada").live_calls == ledger.live_calls() == 3
    ledger.book_call("ada")
    assert ledger.register_call("ada", "sales", "rtc_1").reference == key.reference
    assert ledger.count_tokens(live.reference, 7).used_today == 7
    ledger.settle_call(other.reference)
    assert ledger.usage_of("ada").live_calls == ledger.live_calls() == 3
    for row in ("caller.ada", "everyone"):
        assert existing_row(table, "live", row).values["colour"] == "green"
    kept = [element[-1] == {"of": "later"} for element in held(table, "caller.ada")]
    assert kept == [True, True, True, False], "all but the new one"
    assert held(table, "everyone")[0][-1] == {"of": "later"}
    ledger_on(table).sweep_rows()


def test_what_a_later_release_knows_of_a_key_is_kept(table: Table) -> None:
    ledger = ledger_on(table)
    ledger.book_key("ada", "sales", KEY)
    keys = json.loads(str(existing_row(table, "live", "caller.ada").values["keys0"]))
    more = {name: {**about, "region": "north"} for name, about in keys.items()}
    extend(table, "live", "caller.ada", keys0=json.dumps(more))
    ledger.register_call("ada", "sales", "rtc_1")
    (about,) = json.loads(str(existing_row(table, "live", "caller.ada").values["keys0"])).values()
    assert (about["profile"], about["region"]) == ("sales", "north")


def test_a_record_of_a_later_release_is_shown_ended_and_kept(table: Table) -> None:
    records = Records(table)
    records.insert(RECORD)
    keys = RECORD.id.split("-", 1)
    usage = json.dumps({"text_in": 5, "smells_in": 3, "by_voice": {"marin": 5}})
    failures = json.dumps({"response_failed": {"server_error": 2}, "smell_failed": 3})
    before = extend(table, *keys, region="north", usage=usage, failures=failures, retries=2)
    assert records.get(RECORD.id).call_id == "rtc_1"
    assert [each.id for each in find_calls(records, CallSearch(), NOW).calls] == [RECORD.id]
    accounting = CallAccounting(records, ledger_on(table), load_prices())
    failed = {"response_failed": {"server_error": 1, "timeout": 1}}
    accounting.record_tally(RECORD, Tally(CallUsage(Usage(text_in=9)), failed))
    assert records.mark_ended(RECORD.id, "limit", NOW, WAS_LIVE)
    after = existing_row(table, *keys).values
    assert (after["region"], after["retries"], after["ended_by"]) == ("north", 2, "limit")
    counted = json.loads(str(after["usage"]))
    assert counted == {"text_in": 9, "smells_in": 3, "by_voice": {"marin": 5}}
    counts = {"server_error": 2, "timeout": 1}
    assert json.loads(str(after["failures"])) == {"response_failed": counts, "smell_failed": 3}
    assert before.keys() <= after.keys()
    assert "smell_failed" not in status_for_caller(records.get(RECORD.id))["failures"]


def test_a_lease_of_a_later_release_is_taken_over_renewed_and_given_back(table: Table) -> None:
    now = NOW
    leases = Leases(table, timedelta(seconds=30), clock=lambda: now)
    assert leases.acquire("rtc_1", "a run of a later release")
    extend(table, "rtc_1", "observer", region="north")
    assert leases.acquire("rtc_1", "another run") is None
    now += timedelta(seconds=31)
    lease = leases.acquire("rtc_1", "another run")
    assert lease is not None
    leases.release(leases.renew(lease, note="attached"))
    after = existing_row(table, "rtc_1", "observer").values
    assert (after["region"], after["note"], after["holder"]) == ("north", "attached", "")


def test_a_layout_that_only_a_later_release_may_write_is_left_alone(table: Table) -> None:
    ledger, records = ledger_on(table), Records(table)
    leases = Leases(table, timedelta(seconds=30), clock=lambda: NOW)
    ledger.book_call("ada")
    records.insert(RECORD)
    assert leases.acquire("rtc_1", "a run")
    for keys in (("live", "caller.ada"), ("rtc_1", "observer")):
        extend(table, *keys, layout=2)
    extend(table, *RECORD.id.split("-", 1), layout=NEWEST_LAYOUT + 1)
    before = [dict(row.values) for row in table.query("live")]
    with pytest.raises(Problem, match="storage_unavailable"):
        ledger.book_call("ada")
    with pytest.raises(StorageUnavailable):
        records.mark_ended(RECORD.id, "limit", NOW, WAS_LIVE)
    with pytest.raises(Problem, match="storage_unavailable"):
        leases.acquire("rtc_1", "a run")
    assert [dict(row.values) for row in table.query("live")] == before
    assert records.get(RECORD.id).ended_at is None
    ledger.book_call("bob")


def test_a_row_says_its_layout_from_the_first_write_on(table: Table) -> None:
    records, leases = Records(table), Leases(table, timedelta(seconds=30), clock=lambda: NOW)
    for _ in range(2):
        ledger_on(table).book_call("ada")
    records.insert(RECORD)
    records.mark_ended(RECORD.id, "limit", NOW, WAS_LIVE)
    lease = leases.acquire("rtc_1", "a run")
    assert lease
    leases.release(leases.renew(lease))
    for keys in (("live", "caller.ada"), tuple(RECORD.id.split("-", 1)), ("rtc_1", "observer")):
        assert existing_row(table, *keys).values["layout"] == 1


def test_a_call_at_another_endpoint_is_not_closed_by_a_release_that_knows_one(table: Table) -> None:
    """Its own endpoint has never heard of the call, and says so."""
    here, elsewhere = RECORD, replace(RECORD, id=OTHER_ID, endpoint="france")
    for record in (here, elsewhere):
        Records(table).insert(record)
    require_known_layout(existing_row(table, *here.id.split("-", 1)), LIVE_LAYOUT)
    with pytest.raises(StorageUnavailable):
        require_known_layout(existing_row(table, *elsewhere.id.split("-", 1)), LIVE_LAYOUT)
    assert Records(table).mark_ended(elsewhere.id, "caller", NOW, WAS_LIVE)
    assert Records(table).get(elsewhere.id).endpoint == "france"
