"""What admins see of the model's endpoints: how each is, what was started and refused there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.admin import usage_report
from shared.admin.endpoint_refusals import EndpointRefusals
from shared.admin.endpoint_report import EndpointReport
from shared.admin.refusal_counts import RefusalCounts
from shared.calls.call_record import BY_BROKER, CallRecord
from shared.calls.call_search import CallSearch
from shared.calls.record_ids import record_id
from shared.calls.records import Records
from shared.config.profiles import Profile, Profiles
from shared.storage.memory import MemoryTable
from shared.upstream.endpoints import Endpoint, Endpoints
from tests.support.clock import Clock

SWEDEN = Endpoint("sweden", "azure", region="swedencentral", weight=2.0)
OPENAI = Endpoint("openai", "openai", models={"gpt-realtime": "gpt-realtime-2"})
PROFILES = Profiles(
    {
        "default": Profile("default", {"model": "gpt-realtime"}),
        "mini": Profile("mini", {"model": "gpt-realtime-mini"}),
    }
)


class Desk:
    """The report over two endpoints, with a clock and storage of its own."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.table = MemoryTable()
        self.records = Records(MemoryTable(), default_endpoint="sweden")
        self.endpoints = Endpoints([SWEDEN, OPENAI])
        self.refusals = EndpointRefusals(self.table, self.clock)
        self.counts: list[Callable[[], None]] = []
        """Those that are done in the background."""
        self.report = EndpointReport(
            self.endpoints, PROFILES, self.records, self.refusals, self.counts.append
        )

    def start(self, name: str, number: int) -> None:
        """A call is started now."""
        now = self.clock()
        reference = f"caller.{number:012x}"
        self.records.insert(
            CallRecord(
                id=record_id(now, reference),
                call_id=f"rtc_{number}",
                reference=reference,
                caller_id="c",
                profile="default",
                model="gpt-realtime",
                started_by=BY_BROKER,
                started_at=now,
                ends_at=now,
                endpoint=name,
            )
        )

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.report.report()["endpoints"]}


def test_an_idle_broker_shows_what_each_endpoint_is_for() -> None:
    desk = Desk()
    found = desk.report.report()
    assert found["since"] == "2026-11-19T12:00:00+00:00"
    assert found["endpoints"] == [
        {
            "name": "sweden",
            "provider": "azure",
            "region": "swedencentral",
            "weight": 2.0,
            "profiles": ["default", "mini"],
            "state": "well",
            "cooling_until": None,
            "cooling_models": [],
            "reason": None,
            "starts": 0,
            "refusals": 0,
            "refused_for": {},
        },
        {
            **{"name": "openai", "provider": "openai", "region": "", "weight": 1.0},
            **{"profiles": ["default"], "state": "well", "cooling_until": None},
            **{"cooling_models": [], "reason": None, "starts": 0},
            **{"refusals": 0, "refused_for": {}},
        },
    ]


def test_starts_are_those_of_a_day_and_old_rows_are_the_default_endpoints() -> None:
    desk = Desk()
    desk.start("openai", 1)
    desk.clock.advance(hours=25)
    for number, name in enumerate(("", "sweden", "openai", "sweden"), 2):
        desk.start(name, number)
        desk.clock.advance(minutes=1)
    assert {name: row["starts"] for name, row in desk.rows().items()} == {"sweden": 3, "openai": 1}
    desk.start("openai", 9)
    assert desk.rows()["openai"]["starts"] == 1, "counted a moment ago"
    desk.clock.advance(minutes=1)
    assert desk.rows()["openai"]["starts"] == 1, "nobody waits for the next count"
    (count,) = desk.counts
    assert desk.rows()["openai"]["starts"] == 1, "nor while it is under way"
    count()
    assert desk.rows()["openai"]["starts"] == 2
    desk.start("openai", 10)
    desk.clock.advance(minutes=5)
    assert desk.rows()["openai"]["starts"] == 3, "what is older is not shown"


def test_a_row_of_before_there_was_a_list_is_the_default_endpoints_wherever_it_is_shown() -> None:
    desk = Desk()
    desk.start("", 1)
    (record,) = desk.records.of_day(desk.clock().date())
    assert record.public()["endpoint"] == "sweden"
    (row,) = usage_report.sum_usage([record], ["endpoint"])
    assert (row["endpoint"], row["calls"]) == ("sweden", desk.rows()["sweden"]["starts"])
    assert CallSearch(endpoint="sweden").matches(record)
    ended = desk.records.update(record.id, lambda each: replace(each, ended_by="caller"))
    assert ended == desk.records.get(record.id)
    assert (ended.ended_by, ended.endpoint) == ("caller", "sweden")
    # Without the list it is a call of the only endpoint again.
    assert Records(desk.records.table).get(record.id).public()["endpoint"] == "default"


def test_an_endpoint_that_cools_says_why_and_until_when() -> None:
    desk = Desk()
    until = desk.clock() + timedelta(seconds=20)
    desk.endpoints.cool_down("openai", until, "quota", "gpt-realtime")
    shown = desk.rows()["openai"]
    assert (shown["state"], shown["reason"]) == ("cooling", "quota")
    assert shown["cooling_until"] == until.isoformat(timespec="seconds")
    assert shown["cooling_models"] == ["gpt-realtime"]
    assert desk.rows()["sweden"]["state"] == "well"
    desk.clock.advance(seconds=20)
    assert desk.rows()["openai"]["state"] == "well"


def test_refusals_of_all_instances_are_counted_for_a_day() -> None:
    desk = Desk()
    other = EndpointRefusals(desk.table, desk.clock)
    desk.refusals.count("sweden", "quota")
    other.count("sweden", "quota")
    desk.clock.advance(hours=20)
    other.count("sweden", "unreachable")
    other.counter.write_counts()
    shown = desk.rows()["sweden"]
    assert shown["refusals"] == 3
    assert shown["refused_for"] == {"quota": 2, "unreachable": 1}
    desk.clock.advance(hours=5)
    assert desk.rows()["sweden"]["refused_for"] == {"unreachable": 1}
    desk.clock.advance(hours=24)
    assert desk.rows()["sweden"]["refusals"] == 0


def test_refusals_of_endpoints_are_not_among_those_of_requests() -> None:
    desk = Desk()
    desk.refusals.count("sweden", "quota")
    desk.refusals.counter.write_counts()
    assert not RefusalCounts(desk.table).of_day(desk.clock().date())
