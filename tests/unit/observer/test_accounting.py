"""What a call has used counts, whatever becomes of its record; what failed in it is on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from shared.admin.csv_text import csv_text
from shared.admin.usage_report import COLUMNS, sum_usage
from shared.calls.call_record import CallRecord
from shared.calls.call_status import status_for_caller
from shared.calls.records import Records
from shared.observer.accounting import CallAccounting
from shared.observer.context import ObserverResult, Outcome, Tally
from shared.observer.worker import ObserverWorker
from shared.storage.memory import MemoryTable
from shared.usage.call_usage import CallUsage
from shared.usage.live_usage import LiveUsage
from shared.usage.price_files import load_prices
from shared.usage.tokens import Usage
from shared.usage.transcription import TranscriptionUsage
from tests.support.call_records import call_record

NOW: Final = datetime(2026, 11, 26, 12, tzinfo=UTC)
RECORD: Final = call_record(NOW, model="voice-prod")
WORDS: Final = {"gpt-realtime-whisper": TranscriptionUsage(seconds=60)}
USED: Final = CallUsage(Usage(text_in=1_000_000), "gpt-realtime-2025-08-28", WORDS)
FAILED: Final = {"response_failed": {"server_error": 2}}


def records_with(*records: CallRecord) -> Records:
    there = Records(MemoryTable())
    for record in records:
        there.insert(record)
    return there


def accounting_of(records: Records) -> CallAccounting:
    ledger: Any = SimpleNamespace(count_tokens=lambda *_: SimpleNamespace(used_up=False))
    return CallAccounting(records, ledger, load_prices())


def test_tokens_count_against_the_budget_when_the_record_is_deleted() -> None:
    counted: list[int] = []

    def count_tokens(_: str, total: int) -> Any:
        counted.append(total)
        return SimpleNamespace(used_up=True)

    ledger: Any = SimpleNamespace(count_tokens=count_tokens)
    record = cast(
        CallRecord,
        SimpleNamespace(id="20261126-00000001-0123456789ab", model="m", reference="r"),
    )
    accounting = CallAccounting(Records(MemoryTable()), ledger, load_prices())
    words = {"gpt-4o-transcribe": TranscriptionUsage(text_out=2)}
    assert accounting.spend_tokens(record, Tally(CallUsage(Usage(text_in=7), None, words)))
    assert counted == [9], "the tokens of transcriptions too"


def test_what_a_call_used_last_counts_against_the_budget_when_it_is_over() -> None:
    """Its run may end before that was accounted for."""
    counted: list[int] = []

    def count_tokens(_: CallRecord, tokens: int) -> SimpleNamespace:
        counted.append(tokens)
        return SimpleNamespace(used_up=False)

    ledger: Any = SimpleNamespace(count_tokens=count_tokens)
    settled: Any = SimpleNamespace(settle=lambda *_: True, events=None)
    nothing: Any = None
    worker = ObserverWorker(
        records := records_with(RECORD),
        settled,
        nothing,
        nothing,
        CallAccounting(records, ledger, load_prices()),
        nothing,
    )
    worker.act_on_result(RECORD, ObserverResult(Outcome.ENDED, "closed", Tally(USED)))
    assert counted == [USED.total]
    assert records.get(RECORD.id).transcription == {"seconds": 60}


def test_a_record_has_what_was_used_and_what_failed_with_the_date_of_its_prices() -> None:
    records = records_with(RECORD)
    accounting_of(records).record_tally(RECORD, Tally(USED, FAILED))
    shown = records.get(RECORD.id).public()
    assert (shown["model"], shown["session_model"]) == ("voice-prod", USED.model)
    assert (shown["usage"], shown["transcription"]) == ({"text_in": 1_000_000}, {"seconds": 60})
    assert (shown["cost"], shown["failures"]) == ("4.017", FAILED)
    assert shown["prices_as_of"] == load_prices().as_of.isoformat()
    of_caller = status_for_caller(records.get(RECORD.id))
    assert (of_caller["failures"], of_caller["transcription"]) == (FAILED, {"seconds": 60})
    assert not {"cost", "session_model", "prices_as_of", "model"} & of_caller.keys()


def test_no_run_undoes_what_another_has_counted() -> None:
    records = records_with(RECORD)
    accounting = accounting_of(records)
    accounting.record_tally(RECORD, Tally(USED, FAILED))
    late = CallUsage(Usage(text_in=5), "gpt-realtime-2025-08-28")
    accounting.record_tally(RECORD, Tally(late, {"response_failed": {"server_error": 1, "x": 1}}))
    record = records.get(RECORD.id)
    assert (record.usage, record.transcription) == ({"text_in": 1_000_000}, {"seconds": 60})
    assert record.failures == {"response_failed": {"server_error": 2, "x": 1}}
    assert record.cost == "4.017"


@pytest.mark.parametrize(
    ("told", "seconds", "estimated", "cost"),
    [
        (LiveUsage(72, is_final=True), 72, None, "0.06"),
        (LiveUsage(60), 90, 30, "0.075"),
        (LiveUsage(96, estimated_seconds=36), 96, 36, "0.08"),
    ],
)
def test_what_an_observer_tells_later_replaces_the_clocks_usage(
    told: LiveUsage, seconds: float, estimated: float | None, cost: str
) -> None:
    live = replace(RECORD, api="live", model="gpt-live-1")
    records = records_with(live)
    records.mark_ended(live.id, "caller", NOW + timedelta(seconds=90), "hang-up")
    assert records.get(live.id).usage["estimated_seconds"] == 90
    accounting_of(records).record_tally(live, Tally(CallUsage(live=told)))
    record = records.get(live.id)
    assert (record.usage["seconds"], record.cost, record.observed) == (seconds, cost, "yes")
    assert record.usage.get("estimated_seconds") == estimated
    records.mark_ended(live.id, "limit", NOW + timedelta(seconds=900), "hang-up")
    assert records.get(live.id).usage == record.usage


def test_a_record_of_the_release_before_is_read_and_shown_as_before() -> None:
    table = MemoryTable()
    records = Records(table)
    records.insert(RECORD)
    accounting_of(records).record_tally(RECORD, Tally(USED, FAILED))
    before = table.get(*RECORD.id.split("-", 1))
    assert before is not None
    new = {"transcription", "failures", "session_model", "prices_as_of"}
    assert new <= before.values.keys()
    old = {name: value for name, value in before.values.items() if name not in new}
    table.replace(before.with_values(old))
    assert records.get(RECORD.id).failures == {}, "a row without them is read"
    assert new.isdisjoint(records.get(RECORD.id).public())


def test_the_report_has_transcriptions_failures_and_the_date_of_the_prices() -> None:
    records = records_with(RECORD)
    accounting_of(records).record_tally(RECORD, Tally(USED, FAILED))
    counted = records.get(RECORD.id)
    older = replace(counted, prices_as_of="2026-11-20")
    unseen = replace(RECORD, caller_id="bob")
    of_ada, of_bob = sum_usage([counted, older, unseen], ["caller"])
    assert (of_ada["transcription_seconds"], of_ada["failures"]) == (120, 4)
    assert of_ada["prices_as_of"] == f"2026-11-20/{counted.prices_as_of}"
    assert of_ada["cost"] == "8.034"
    assert "failures" not in of_bob
    header, ada, bob = csv_text([of_bob, of_ada], COLUMNS).splitlines()
    assert header.endswith("failures,cost,prices_as_of")
    assert header.count(",") == ada.count(",") == bob.count(",")


LIVE: Final = LiveUsage(300.0, 60.0, {"gpt-5.6-sol": Usage(text_in=1_000)})


def live_call(**counted: Any) -> Tally:
    return Tally(CallUsage(model="gpt-live-1", live=replace(LIVE, **counted)))


def test_a_live_calls_record_has_its_seconds_beside_the_tokens() -> None:
    records = records_with(RECORD)
    accounting = accounting_of(records)
    accounting.record_tally(RECORD, live_call())
    shown = records.get(RECORD.id).public()
    assert shown["usage"] == {
        "text_in": 1_000,
        "seconds": 300.0,
        "active_seconds": 240.0,
        "paused_seconds": 60.0,
    }
    assert (shown["cost"], shown["session_model"]) == ("0.224", "gpt-live-1")
    assert status_for_caller(records.get(RECORD.id))["usage"] == shown["usage"]
    assert accounting.cost_of(RECORD, live_call().usage).to_fields()["seconds"] == 300.0


def test_of_two_counts_of_a_live_call_the_larger_one_stays() -> None:
    records = records_with(RECORD)
    accounting = accounting_of(records)
    accounting.record_tally(RECORD, live_call())
    accounting.record_tally(RECORD, live_call(seconds=280.0))
    assert records.get(RECORD.id).usage["seconds"] == 300.0
    accounting.record_tally(RECORD, live_call(seconds=301.0))
    assert records.get(RECORD.id).usage["seconds"] == 301.0


def test_an_estimate_gives_way_to_what_the_service_told() -> None:
    records = records_with(RECORD)
    accounting = accounting_of(records)
    accounting.record_tally(RECORD, live_call(seconds=330.0, estimated_seconds=30.0))
    assert records.get(RECORD.id).usage["estimated_seconds"] == 30.0
    accounting.record_tally(RECORD, live_call(seconds=310.0, is_final=True))
    usage = records.get(RECORD.id).usage
    assert (usage["seconds"], "estimated_seconds" in usage) == (310.0, False)


def test_the_report_has_the_seconds_of_live_calls_in_columns_of_their_own() -> None:
    records = records_with(RECORD)
    accounting_of(records).record_tally(RECORD, live_call(estimated_seconds=10.0))
    counted = records.get(RECORD.id)
    (ada,) = sum_usage([counted, counted, replace(RECORD, usage={"text_in": 1})], ["caller"])
    assert (ada["live_seconds"], ada["live_active_seconds"]) == (600, 480)
    assert (ada["live_paused_seconds"], ada["live_estimated_seconds"]) == (120, 20)
    header = csv_text([ada], COLUMNS).splitlines()[0]
    assert "live_seconds,live_active_seconds,live_paused_seconds,live_estimated_seconds" in header
    (bob,) = sum_usage([replace(RECORD, usage={"text_in": 1})], ["caller"])
    assert not any(name.startswith("live_") for name in bob)


@pytest.mark.parametrize("change", [
    {"usage": {"text_in": "many", "audio_in": None}},
    {"cost": "abc"},
    {"cost": "NaN"},
    {"cost": "Infinity"},
], ids=str)  # fmt: skip
def test_a_record_that_was_edited_by_hand_costs_the_report_nothing_else(
    change: dict[str, Any],
) -> None:
    whole = replace(RECORD, usage={"text_in": 3}, cost="0.5")
    odd, ada = sum_usage([replace(whole, profile="a", **change), whole], ["profile"])
    assert odd["calls"] == 1
    assert (ada["text_in"], ada["cost"]) == (3, "0.5")
