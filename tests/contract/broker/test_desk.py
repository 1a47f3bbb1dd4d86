"""What the desk asks for over HTTP: calls that are searched for and saved, a transcript that is
followed, how fast turns were answered, what was refused and what failed."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from shared.api import lazy_broker
from shared.calls.call_record import CallRecord
from shared.core.problem_catalog import CATALOGUE
from shared.transcripts.record_lines import RecordLine, encode_line
from shared.transcripts.redaction import unchanged
from shared.transcripts.writer import log_name
from tests.contract.broker.conftest import AppClient
from tests.contract.broker.test_admission import ADMIN, somebody
from tests.contract.broker.test_routes import SDP, refused
from tests.support.app_settings import LINKED
from tests.support.offers import OFFER
from tests.support.principals import signed_in

pytestmark = pytest.mark.usefixtures("own_storage")


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    return {**settings, **LINKED, "SLOW_TURN_MS": "1000", "LIMIT_STARTS_PER_MINUTE": "1"}


async def shown(app: AppClient, path: str) -> Any:
    response = await app.get(f"/api/{path}", headers=ADMIN)
    assert response.status == 200, await response.text()
    return await response.json()


async def saved(app: AppClient, path: str) -> list[dict[str, str]]:
    response = await app.get(f"/api/{path}", headers=ADMIN)
    assert (response.status, response.content_type) == (200, "text/csv")
    assert "attachment" in response.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(await response.text())))


async def start(app: AppClient, user: str, **changes: Any) -> CallRecord:
    """A call of that user's, whose record is changed by hand."""
    await app.post("/api/connect", data=OFFER, headers={**SDP, **signed_in(user)})
    (listed, *_) = (await shown(app, "calls?limit=1"))["calls"]
    records = lazy_broker.current_broker().stores.records
    return records.update(listed["id"], lambda record: replace(record, **changes))


async def test_calls_are_searched_for_and_saved(app: AppClient) -> None:
    one = await start(app, "ada", latency={"500": 3, "2000": 1})
    other = await start(app, "bob", failures={"response_failed": {"server_error": 2}})
    found = await shown(app, f"calls?q={other.id[-6:]}&status=live")
    assert [each["id"] for each in found["calls"]] == [other.id]
    assert (await shown(app, "calls?q=server_error"))["calls"][0]["id"] == other.id
    assert (await shown(app, "calls?status=ended")) == {"calls": [], "next": None}
    (first,) = (await shown(app, f"calls?caller={one.caller_id}"))["calls"]
    assert first["latency"] == {"turns": 4, "p50_ms": 500, "p95_ms": 2000, "max_ms": 2000}
    rows = await saved(app, "calls?format=csv")
    assert [row["id"] for row in rows] == [other.id, one.id]
    assert (rows[0]["failures"], rows[1]["turns"], rows[1]["p95_ms"]) == ("2", "4", "2000")
    part = await app.get("/api/calls?format=csv&limit=1", headers=ADMIN)
    assert part.headers["X-Next"] == other.id


async def test_a_formula_is_text_in_a_file(app: AppClient) -> None:
    await start(app, "ada", profile='=HYPERLINK("http://x")', failures={"-1": {"+1": 1}})
    (row,) = await saved(app, "calls?format=csv")
    assert row["profile"] == '\'=HYPERLINK("http://x")'
    failed = await saved(app, "failures?format=csv&by=where,code")
    assert {"where": "'-1", "code": "'+1", "count": "1"} in failed
    await start(app, "eve", profile="\uff1d1+1")
    assert [row["profile"] for row in await saved(app, "calls?format=csv&q=\uff1d")] == [
        "'\uff1d1+1"
    ]


async def test_latency_by_day_profile_and_model(app: AppClient) -> None:
    one = await start(app, "ada", latency={"500": 3, "2000": 1})
    await start(app, "bob", latency={"800": 4}, profile="other")
    await start(app, "eve")
    found = await shown(app, "latency?by=profile")
    assert found["slow_ms"] == 1000
    assert found["latency"] == [
        {
            **{"profile": "default", "calls": 1, "turns": 4, "slow": 1, "max_ms": 2000},
            **{"p50_ms": 500, "p75_ms": 500, "p90_ms": 2000, "p95_ms": 2000, "p99_ms": 2000},
        },
        {
            **{"profile": "other", "calls": 1, "turns": 4, "slow": 0, "max_ms": 800},
            **dict.fromkeys(("p50_ms", "p75_ms", "p90_ms", "p95_ms", "p99_ms"), 800),
        },
    ]
    (day,) = (await shown(app, "latency?by=day"))["latency"]
    assert (day["day"], day["turns"], day["p50_ms"]) == (f"{one.started_at:%Y-%m-%d}", 8, 800)
    assert [row["profile"] for row in await saved(app, "latency?format=csv")] == [
        *("default", "other"),
    ]
    wrong = await app.get("/api/latency?by=caller", headers=ADMIN)
    await refused(wrong, 400, "invalid_query")


async def test_refusals_and_failures_by_code(app: AppClient) -> None:
    one = await start(app, "ada", failures={"response_failed": {"server_error": 2}})
    for _ in range(3):
        again = await app.post("/api/connect", data=OFFER, headers={**SDP, **signed_in("ada")})
        await refused(again, 429, "too_many_starts")
    await refused(await app.get("/api/calls"), 401, "sign_in_required")
    found = await shown(app, "failures")
    day = f"{one.started_at:%Y-%m-%d}"
    assert found["failures"] == [
        {"day": day, "kind": kind, "where": where, "code": code, "count": count}
        for kind, where, code, count in (
            ("call", "response_failed", "server_error", 2),
            ("request", "calls", "sign_in_required", 1),
            ("request", "connect", "too_many_starts", 3),
        )
    ]
    assert found["problems"]["too_many_starts"] == {
        "title": CATALOGUE["too_many_starts"].title,
        "hint": CATALOGUE["too_many_starts"].hint,
    }
    assert "server_error" not in found["problems"]
    by_kind = (await shown(app, "failures?by=kind"))["failures"]
    assert by_kind == [{"kind": "call", "count": 2}, {"kind": "request", "count": 4}]


async def test_a_flood_of_refusals_is_one_row(app: AppClient) -> None:
    await start(app, "ada")
    for _ in range(30):
        await app.post("/api/connect", headers={**SDP, **somebody()})
    await shown(app, "failures")
    (day,) = lazy_broker.PROCESS.refusals.days
    (row,) = lazy_broker.current_broker().stores.refusals.table.query(day)
    assert '"missing_offer":30' in str(row.values)


async def test_a_call_is_followed(app: AppClient) -> None:
    call = await start(app, "ada")
    log = lazy_broker.current_broker().stores.transcripts
    name = log_name(call.call_id)

    def write(kind: str, key: str, **fields: Any) -> None:
        line = RecordLine(kind, key, call.started_at, fields)
        log.append(name, encode_line(call.call_id, 0, line, unchanged), at=log.length(name))

    path = f"calls/{call.id}/transcript"
    write("item", "item_1", type="message", role="assistant", status="completed", text="Hello.")
    whole = await shown(app, path)
    assert (whole["transcript"]["total"], whole["call"]["status"]) == (1, "live")
    quiet = await shown(app, f"{path}?after={whole['next']}")
    assert quiet == {"call": whole["call"], "next": whole["next"]}
    write("item", "item_2", type="message", role="assistant", status="completed", text="Bye.")
    write("latency", "resp_2", ms=640, item="item_2")
    news = await shown(app, f"{path}?after={whole['next']}")
    (entry,) = news["transcript"]["entries"]
    assert (entry["index"], entry["text"], entry["latency_ms"]) == (1, "Bye.", 640)
    assert news["transcript"]["total"] == 2
    assert [turn["ms"] for turn in news["transcript"]["turns"]] == [640]
    wrong = await app.get(f"/api/{path}?after=yesterday", headers=ADMIN)
    await refused(wrong, 400, "invalid_query")
