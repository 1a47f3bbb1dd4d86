"""A running deployment is upgraded under live calls: the code reads what an earlier release stored.

tests/fixtures/release-*/stored.json is what that release wrote with its own code, and what it read
back (`expected`); make.py beside it shows how it was made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from shared.admin import usage_report
from shared.admin.csv_text import csv_text
from shared.admin.refusal_counts import RefusalCounts
from shared.admin.service import AdminService
from shared.auth.authenticator import Authenticator
from shared.auth.caller import Caller
from shared.auth.static_web_apps import StaticWebApps
from shared.calls.continuation import Continuations
from shared.calls.delivery import Delivery
from shared.calls.dispatch import CallDispatcher
from shared.calls.failover import Failover
from shared.calls.handles import Handles
from shared.calls.queue_messages import call_message, record_id_in
from shared.calls.records import Records
from shared.calls.service import CallPolicy, CallService
from shared.calls.termination import CallTerminator
from shared.config.settings import Limits, ObserverSettings
from shared.config.voice_api import REALTIME
from shared.core.problems import Problem
from shared.credentials.broker_secret import FixedSecret
from shared.limits.ledger_store import Ledger
from shared.observer.leases import Lease, Leases, attached_to
from shared.storage.interfaces import Entity
from shared.transcripts.record_lines import RecordLine
from shared.transcripts.redaction import redacted
from shared.transcripts.writer import TranscriptWriter, log_name
from shared.upstream.hang_up_reply import WAS_LIVE
from tests.contract.storage.conftest import Backend, existing_row
from tests.support.hang_up_client import HangUpClient, no_such_call
from tests.support.vaults import FixedVault
from tests.support.voice_endpoints import endpoints_without_starts

FIXTURES = Path(__file__).parents[2] / "fixtures"
RELEASES = sorted(FIXTURES.glob("release-*/stored.json"))
LIMITS = Limits(starts_per_minute=0, live_calls=5, tokens_per_day=100_000, live_calls_total=10_000)


class Upgraded:
    """Today's broker on the storage of the release."""

    def __init__(self, stored: Mapping[str, Any], backend: Backend) -> None:
        self.stored = stored
        self.calls: dict[str, dict[str, str]] = stored["calls"]
        self.expected: dict[str, Any] = stored["expected"]
        self.now = datetime.fromisoformat(stored["now"])
        self.storage = backend.storage
        self.names = {
            name: backend.name() for name in ("ledger", "calls", "leases", "log", "refusals")
        }
        self.queues = {name: self.storage.queue(backend.name()) for name in stored["queues"]}
        fill(self, stored)
        self.client = HangUpClient()
        self.records = Records(self.storage.table(self.names["calls"]))
        self.ledger = self.ledger_with(LIMITS)
        self.leases = Leases(
            self.storage.table(self.names["leases"]), timedelta(seconds=30), clock=self.clock
        )
        self.transcripts = self.storage.log(self.names["log"])
        self.terminator = CallTerminator(
            self.client.voices,
            self.ledger,
            self.records,
            self.queues["end-call"],
            self.clock,
        )
        self.handles = Handles(
            stored["secrets"]["now"], [stored["secrets"]["before"]], clock=self.clock
        )
        self.service = CallService(
            failover=Failover(
                endpoints_without_starts(self.client.voices(""), self.client),
                FixedVault(),
                self.clock,
            ),
            handles=lambda: self.handles,
            ledger=self.ledger,
            dispatcher=CallDispatcher(
                records=self.records,
                end_queue=self.queues["end-call"],
                observe_queue=None,
                pool=None,
                clock=self.clock,
            ),
            terminator=self.terminator,
            policy=CallPolicy(timedelta(minutes=15), timedelta(minutes=1)),
            continuations=Continuations(
                records=self.records,
                transcripts=self.transcripts,
                end_queue=self.queues["end-call"],
                clock=self.clock,
            ),
        )

    def clock(self) -> datetime:
        return self.now

    def ledger_with(self, limits: Limits) -> Ledger:
        return Ledger(self.storage.table(self.names["ledger"]), limits, clock=self.clock)

    @property
    def caller(self) -> Caller:
        secrets = self.stored["secrets"]
        secret = FixedSecret((secrets["now"], secrets["before"]))
        known = Authenticator([StaticWebApps(True)], secret)
        return known.authenticate({"x-ms-client-principal": self.stored["principal"]})


def fill(upgraded: Upgraded, stored: Mapping[str, Any]) -> None:
    """Writes what the release stored, without the code under test."""
    for name, rows in stored["tables"].items():
        table = upgraded.storage.table(upgraded.names[name])
        for row in rows:
            values = {key: typed(value) for key, value in row["values"].items()}
            table.insert(Entity(row["partition"], row["row"], values))
    for name, bodies in stored["queues"].items():
        for body in bodies:
            upgraded.queues[name].send(body)
    for name, text in stored["logs"]["transcripts"].items():
        upgraded.storage.log(upgraded.names["log"]).append(name, text.encode(), at=0)


def typed(value: Any) -> Any:
    return datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value


@pytest.fixture(params=RELEASES, ids=lambda path: path.parent.name)
def upgraded(request: pytest.FixtureRequest, backend: Backend) -> Upgraded:
    return Upgraded(json.loads(request.param.read_text(encoding="utf-8")), backend)


def refusal(of: Callable[[], object]) -> str:
    with pytest.raises(Problem) as refused:
        of()
    return refused.value.code


def test_callers_keep_their_ids(upgraded: Upgraded) -> None:
    assert list(upgraded.caller.ids) == upgraded.expected["caller_ids"]


def test_what_callers_hold_and_have_used_still_counts(upgraded: Upgraded) -> None:
    found = {
        caller: asdict(upgraded.ledger.usage_of(caller)) for caller in upgraded.expected["callers"]
    }
    assert found == upgraded.expected["callers"]
    assert upgraded.ledger.live_calls() == upgraded.expected["live_calls"]


def test_each_limit_holds_for_what_was_counted_before(upgraded: Upgraded) -> None:
    caller = upgraded.caller.id
    counted = upgraded.expected["callers"][caller]
    total = upgraded.expected["live_calls"]
    for code, limit, least in (
        ("too_many_live_calls", "live_calls", counted["live_calls"]),
        ("too_many_starts", "starts_per_minute", counted["starts_last_minute"]),
        ("tokens_used_up", "tokens_per_day", counted["tokens_today"]),
        ("all_lines_busy", "live_calls_total", total),
    ):
        none = {"starts_per_minute": 0, "live_calls": 0}
        full = upgraded.ledger_with(Limits(**none | {limit: least}))
        assert refusal(partial(full.book_call, caller)) == code
        room = upgraded.ledger_with(Limits(**none | {limit: least + 1}))
        room.undo_booking(room.book_call(caller))


def test_a_line_becomes_free_when_its_call_is_settled(upgraded: Upgraded) -> None:
    caller = upgraded.caller.id
    assert refusal(lambda: upgraded.ledger.book_call(caller)) == "too_many_live_calls"
    upgraded.ledger.settle_call(upgraded.calls["live"]["reference"])
    assert upgraded.ledger.live_calls() == upgraded.expected["live_calls"] - 1
    upgraded.ledger.book_call(caller)


def test_a_key_of_before_starts_one_call_and_counts_to_its_end(upgraded: Upgraded) -> None:
    caller = upgraded.caller.id
    held = upgraded.expected["callers"][caller]["live_calls"]
    booking = upgraded.ledger.register_call(caller, "any profile", "rtc_new")
    assert upgraded.ledger.usage_of(caller).live_calls == held, "the key's own booking"
    upgraded.ledger.settle_call(booking.reference)
    upgraded.ledger.settle_call(upgraded.calls["registered"]["reference"])
    assert upgraded.ledger.usage_of(caller).live_calls == held
    again = partial(upgraded.ledger.register_call, caller, "any profile", "rtc_another")
    assert refusal(again) == "registration_refused"


@pytest.mark.parametrize("caller", ["ada", "crowd"])
def test_a_row_that_is_written_again_keeps_its_layout(upgraded: Upgraded, caller: str) -> None:
    """An instance of the release may still be running and read it."""
    caller = upgraded.caller.id if caller == "ada" else caller
    ledger = upgraded.ledger_with(replace(LIMITS, live_calls=0))
    table = upgraded.storage.table(upgraded.names["ledger"])
    before = dict(existing_row(table, "live", f"caller.{caller}").values)
    ledger.book_call(caller)
    after = dict(existing_row(table, "live", f"caller.{caller}").values)
    assert held(after)[:-1] == held(before)
    assert after.keys() - before.keys() == set()
    assert (after["day"], after["tokens"]) == (before["day"], before["tokens"])


def held(values: Mapping[str, Any]) -> list[Any]:
    """The bookings of a row, which are split over as many properties as they need."""
    found: list[Any] = json.loads("".join(values[f"held{n}"] for n in range(len(values) - 2)))
    return found


def test_tokens_reported_again_are_counted_once(upgraded: Upgraded) -> None:
    caller, reference = upgraded.caller.id, upgraded.calls["live"]["reference"]
    before = upgraded.expected["callers"][caller]["tokens_today"]
    told = sum(
        number
        for kind, number in upgraded.expected["records"][upgraded.calls["live"]["record"]][
            "usage"
        ].items()
        if not kind.startswith("cached")
    )
    assert upgraded.ledger.count_tokens(reference, told).used_today == before
    assert upgraded.ledger.count_tokens(reference, told + 5).used_today == before + 5


def test_everything_counted_ends_by_itself(upgraded: Upgraded) -> None:
    upgraded.now += timedelta(days=1)
    assert upgraded.ledger.live_calls() == 0
    assert upgraded.ledger.sweep_rows() == len(upgraded.expected["callers"])


def test_records_are_shown_as_before(upgraded: Upgraded) -> None:
    stored = upgraded.expected["records"]
    # That release knew of one endpoint.
    shown = {name: {**record, "endpoint": "default"} for name, record in stored.items()}
    assert {name: upgraded.records.get(name).public() for name in shown} == shown
    admin = AdminService(
        upgraded.records,
        upgraded.terminator,
        upgraded.transcripts,
        lambda _: {REALTIME: no_such_call},
        upgraded.clock,
        RefusalCounts(upgraded.storage.table(upgraded.names["refusals"])),
        ObserverSettings("eager", transcripts=True, redaction=True),
    )
    assert {each["id"]: each for each in admin.list_calls({})["calls"]} == shown
    assert admin.report_usage({}) == upgraded.expected["usage"]
    assert csv_text(upgraded.expected["usage"], usage_report.COLUMNS).startswith(
        "day,caller,profile,model"
    )
    live = upgraded.calls["live"]["record"]
    transcript = admin.show_transcript(live)
    expected = upgraded.expected["transcript"]
    assert transcript["call"] == shown[live]
    assert transcript["transcript"] == {**expected, "total": len(expected["entries"])}


def test_a_record_that_is_written_again_keeps_every_column(upgraded: Upgraded) -> None:
    """An instance of the release may still be running and read it."""
    table = upgraded.storage.table(upgraded.names["calls"])
    record = upgraded.records.get(upgraded.calls["live"]["record"])
    before = existing_row(table, *record.id.split("-", 1)).values
    upgraded.records.mark_ended(record.id, "limit", upgraded.now, WAS_LIVE)
    after = existing_row(table, *record.id.split("-", 1)).values
    ended = {"ended_at": upgraded.now, "ended_by": "limit", "settled_by": WAS_LIVE}
    assert dict(after) == {**before, **ended}


def as_owner_sees(shown: Mapping[str, Any], standing: Mapping[str, Any]) -> dict[str, Any]:
    """What the release showed of a call. Its conversation ended with it."""
    known = {**shown, "conversation_ends_at": shown["ends_at"]}
    return {key: known[key] for key in standing}


@pytest.mark.parametrize("name", ["live", "sealed before", "registered", "unobserved"])
def test_an_owner_sees_and_ends_a_call_by_its_old_handle(upgraded: Upgraded, name: str) -> None:
    call = upgraded.calls[name]
    shown = upgraded.expected["records"][call["record"]]
    standing = upgraded.service.call_status(call["handle"], upgraded.caller)
    assert standing == as_owner_sees(shown, standing)
    assert standing["status"] == "live"
    upgraded.service.hang_up(call["handle"], upgraded.caller)
    assert upgraded.client.hung_up == [call["call_id"]]
    ended = upgraded.service.call_status(call["handle"], upgraded.caller)
    assert (ended["status"], ended["ended_by"]) == ("ended", "caller")


def test_an_ended_call_tells_its_owner_how_it_ended(upgraded: Upgraded) -> None:
    for call in upgraded.calls.values():
        shown = upgraded.expected["records"][call["record"]]
        standing = upgraded.service.call_status(call["handle"], upgraded.caller)
        assert standing == as_owner_sees(shown, standing)


def test_messages_name_their_calls(upgraded: Upgraded) -> None:
    for name, queue in upgraded.queues.items():
        named = set()
        while received := queue.receive(visibility=timedelta(minutes=5), limit=32):
            named |= {record_id_in(message.body) for message in received}
        assert named == set(upgraded.expected["records"]), name


async def test_the_message_of_a_limit_ends_the_call(upgraded: Upgraded) -> None:
    call = upgraded.calls["live"]
    upgraded.now = upgraded.records.get(call["record"]).ends_at
    await upgraded.terminator.end_at_limit(Delivery.of(call_message(call["record"])))
    assert upgraded.client.hung_up == [call["call_id"]]
    assert upgraded.records.get(call["record"]).ended_by == "limit"


def acquired(upgraded: Upgraded, call_id: str) -> Lease:
    lease = upgraded.leases.acquire(call_id, "the present release")
    assert lease is not None
    return lease


def test_leases_are_held_given_back_and_taken_over(upgraded: Upgraded) -> None:
    live, dead = upgraded.calls["live"]["call_id"], upgraded.calls["registered"]["call_id"]
    assert attached_to(upgraded.leases, live)
    assert upgraded.leases.acquire(live, "the present release") is None
    taken = acquired(upgraded, dead)
    assert (taken.note, taken.held_before is not None) == ("half way", True)
    free = acquired(upgraded, "rtc_given_back")
    assert (free.note, free.held_before) == ("attached", None)
    upgraded.now += timedelta(seconds=31)
    after = acquired(upgraded, live)
    assert (after.holder, after.note) == ("the present release", "attached")


async def still_ours() -> None:
    """The lease is held."""


async def test_a_transcript_is_continued_without_repeating_a_line(upgraded: Upgraded) -> None:
    call_id = upgraded.calls["live"]["call_id"]
    writer = TranscriptWriter(upgraded.transcripts, call_id, redact=redacted, keep_words=True)
    lines = await writer.catch_up()
    assert sorted({line.kind for line in lines}) == upgraded.expected["lines"]
    length = upgraded.transcripts.length(log_name(call_id))
    for line in lines:
        writer.add_lines(RecordLine(line.kind, line.key, upgraded.now, line.fields))
    await writer.flush(still_ours)
    assert upgraded.transcripts.length(log_name(call_id)) == length
    writer.add_lines(RecordLine("attached", "the present release", upgraded.now))
    await writer.flush(still_ours)
    data = upgraded.transcripts.read(log_name(call_id))
    assert json.loads(data[length:])["seq"] == len(lines)
