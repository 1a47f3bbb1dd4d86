"""What the desk reads: refusals of many instances, calls that are searched for, a transcript that
grows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from shared.admin.refusal_counts import COLUMN, RefusalCounts
from shared.calls import call_search
from shared.calls.call_record import CallRecord
from shared.calls.call_search import CallSearch, find_calls
from shared.calls.records import Records
from shared.core.problems import Problem
from shared.storage.interfaces import Entity, StorageUnavailable, Table
from shared.transcripts.following import Cursor, read_record
from shared.transcripts.record_lines import RecordLine, encode_line
from shared.transcripts.redaction import unchanged
from tests.contract.storage.conftest import Backend
from tests.support.call_records import call_record

NOW = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
TODAY = date(2026, 11, 20)
STARTS, SIGN_IN = ("connect", "too_many_starts"), ("token", "sign_in_required")


def a_call(number: int, hours: float = 0, **changes: object) -> CallRecord:
    started = NOW - timedelta(hours=hours)
    reference = f"ada.{number:012x}"
    return call_record(started, reference, call_id=f"rtc_{number}", model="voice", **changes)


def records_with(backend: Backend, *calls: CallRecord) -> Records:
    records = Records(backend.storage.table(backend.name()))
    for call in calls:
        records.insert(call)
    return records


def numbers(found: call_search.FoundCalls) -> list[str]:
    return [call.call_id.removeprefix("rtc_") for call in found.calls]


class Forgetful:
    """A table whose next write succeeds, with its answer lost."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.forgets = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.table, name)

    def insert(self, entity: Entity) -> Entity:
        return self.forgotten(self.table.insert(entity))

    def replace(self, entity: Entity) -> Entity:
        return self.forgotten(self.table.replace(entity))

    def forgotten(self, entity: Entity) -> Entity:
        if self.forgets:
            self.forgets = False
            raise StorageUnavailable("the answer was lost")
        return entity


def test_the_refusals_of_all_instances_add_up(backend: Backend) -> None:
    table = backend.storage.table(backend.name())
    one, other = RefusalCounts(table), RefusalCounts(table)
    assert one.of_day(TODAY) == {}
    assert one.write("20261120", {STARTS: 2})
    assert one.write("20261120", {STARTS: 5, SIGN_IN: 1})
    assert other.write("20261120", {STARTS: 3})
    assert one.write("20261119", {SIGN_IN: 9})
    assert other.of_day(TODAY) == {STARTS: 8, SIGN_IN: 1}


@pytest.mark.parametrize("again", [False, True], ids=["the first write", "a later one"])
def test_a_write_whose_answer_was_lost_counts_once(backend: Backend, again: bool) -> None:
    table = Forgetful(backend.storage.table(backend.name()))
    counts = RefusalCounts(table)  # type: ignore[arg-type]
    if again:
        assert counts.write("20261120", {STARTS: 1})
    table.forgets = True
    assert not counts.write("20261120", {STARTS: 2})
    assert counts.write("20261120", {STARTS: 3})
    assert counts.of_day(TODAY) == {STARTS: 3}


def test_a_row_that_was_deleted_or_edited_costs_nothing_else(backend: Backend) -> None:
    table = backend.storage.table(backend.name())
    counts = RefusalCounts(table)
    assert counts.write("20261120", {STARTS: 1})
    table.delete("20261120", counts.instance)
    assert counts.write("20261120", {STARTS: 2})
    table.insert(Entity("20261120", "odd", {COLUMN: '{"connect":{"a":"x","b":true},"token":3}'}))
    table.insert(Entity("20261120", "odder", {COLUMN: "not JSON"}))
    assert counts.of_day(TODAY) == {STARTS: 2}


def test_old_counts_are_deleted(backend: Backend) -> None:
    table = backend.storage.table(backend.name())
    table.insert(Entity("20260820", "old", {COLUMN: "{}"}))
    table.insert(Entity("20260901", "young", {COLUMN: "{}"}))
    assert RefusalCounts(table).write("20261120", {STARTS: 1})
    assert table.get("20260820", "old") is None
    assert table.get("20260901", "young") is not None


CALLS = (
    a_call(1, 0.1),
    a_call(2, 0.2, ended_at=NOW, ended_by="limit", profile="desk"),
    a_call(3, 30, ended_at=NOW, ended_by="caller", caller_id="Bob"),
    a_call(
        4,
        50,
        continues="a-call-before",
        ended_at=NOW,
        ended_by="admin",
        session_model="gpt-realtime-2025-08-28",
    ),
    a_call(5, 54, failures={"response_failed": {"server_error": 1}}),
)


FOUND = (
    (CallSearch(), "12345"),
    (CallSearch(status="live"), "1"),
    (CallSearch(status="ended"), "234"),
    (CallSearch(profile="desk"), "2"),
    (CallSearch(model="voice", ended_by="caller"), "3"),
    (CallSearch(caller="Bob"), "3"),
    (CallSearch(text="bob"), "3"),
    (CallSearch(text="2025-08"), "4"),
    (CallSearch(text="server_err"), "5"),
    (CallSearch(text="call-before"), "4"),
    (CallSearch(first=date(2026, 11, 19)), "123"),
    (CallSearch(last=date(2026, 11, 18)), "45"),
    (CallSearch(first=date(2026, 11, 19), last=date(2026, 11, 19)), "3"),
    (CallSearch(last=date(2027, 1, 1), status="live", text="nothing"), ""),
)
"""The calls that each search finds, newest first."""


def test_calls_are_found(backend: Backend) -> None:
    records = records_with(backend, *CALLS)
    for search, expected in FOUND:
        assert "".join(numbers(find_calls(records, search, NOW))) == expected, search


def test_pages_leave_nothing_out(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_search, "QUERY_ROWS", 2)
    monkeypatch.setattr(call_search, "LOOKED_AT_MOST", 3)
    records = records_with(backend, *CALLS)
    for search in (CallSearch(), CallSearch(status="ended"), CallSearch(status="live")):
        found, before = list[str](), ""
        while True:
            page = find_calls(records, search, NOW, before=before, limit=1)
            found += numbers(page)
            if page.following is None:
                break
            before = page.following
        expected = [call.call_id.removeprefix("rtc_") for call in CALLS if search.matches(call)]
        assert found == expected, search


def test_live_calls_are_looked_for_in_the_latest_hours_first(backend: Backend) -> None:
    records = records_with(backend, *CALLS)
    page = find_calls(records, CallSearch(status="live"), NOW)
    assert (numbers(page), page.following) == (["1"], CALLS[2].id)
    rest = find_calls(records, CallSearch(status="live"), NOW, before=CALLS[2].id)
    assert (numbers(rest), rest.following) == (["5"], None)


def test_a_page_is_after_a_calls_id_and_nothing_else(backend: Backend) -> None:
    with pytest.raises(Problem, match="invalid_query"):
        find_calls(records_with(backend), CallSearch(), NOW, before="yesterday")


def line(key: str, text: str) -> RecordLine:
    fields = {"type": "message", "role": "user", "status": "completed", "text": text}
    return RecordLine("item", key, NOW, fields)


def test_a_transcript_is_followed_line_by_line(backend: Backend) -> None:
    log, written = backend.storage.log(backend.name()), 0

    def write(*lines: RecordLine) -> None:
        nonlocal written
        data = b"".join(encode_line("rtc_1", 0, each, unchanged) for each in lines)
        written = log.append("a.jsonl", data, at=written)

    whole = read_record(log, "a.jsonl", None)
    assert whole is not None
    assert (whole.transcript["entries"], str(whole.cursor)) == ([], "0-00000000")
    assert read_record(log, "a.jsonl", whole.cursor) is None, "nothing is new"
    write(RecordLine("placed", "b", NOW, {"previous": "a", "type": "message", "role": "user"}))
    cursor, followed = whole.cursor, list[dict[str, object]]()
    for more in ([line("b", "Second.")], [line("c", "Third.")], [line("a", "First.")]):
        write(*more)
        news = read_record(log, "a.jsonl", cursor)
        assert news is not None
        for entry in news.transcript["entries"]:
            index = entry.pop("index")
            followed[index : index + 1] = [entry]
        del followed[news.transcript["total"] :]
        cursor = Cursor.parse(str(news.cursor))
        current = read_record(log, "a.jsonl", None)
        assert current is not None
        assert followed == current.transcript["entries"]
    assert len(followed) == 3


def test_a_transcript_that_was_deleted_comes_whole(backend: Backend) -> None:
    log = backend.storage.log(backend.name())
    data = encode_line("rtc_1", 0, line("a", "First."), unchanged)
    log.append("a.jsonl", data, at=0)
    before = read_record(log, "a.jsonl", None)
    assert before is not None
    log.delete("a.jsonl")
    longer = data.replace(b"First.", b"Something else.")
    log.append("a.jsonl", longer, at=0)
    news = read_record(log, "a.jsonl", before.cursor)
    assert news is not None
    assert [each["text"] for each in news.transcript["entries"]] == ["Something else."]


@pytest.mark.parametrize("text", ["", "12", "x-00000000", "1-0", "-1-00000000", "1-000000000"])
def test_a_cursor_is_what_was_given(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        Cursor.parse(text)
