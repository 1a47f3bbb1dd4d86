"""The contract of a Table, on memory and on Azurite alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.storage.interfaces import Conflict, Entity, Exists, Table, Value, Write, WriteRefused
from tests.contract.storage.conftest import Backend, existing_row
from tests.support.at_once import at_once


@pytest.fixture
def table(backend: Backend) -> Table:
    return backend.storage.table(backend.name())


def test_every_kind_of_value_comes_back_as_it_was(table: Table) -> None:
    values: dict[str, Value] = {
        "text": "Grüße 👋 it's 100%",
        "empty": "",
        "number": 7,
        "large": 2**53 + 1,
        "negative": -(2**63),
        "real": 0.5,
        "yes": True,
        "moment": datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC),
        "bytes": b"\x00\xff",
    }
    written = table.insert(Entity("p", "r", values))
    read = existing_row(table, "p", "r")
    assert read == written
    assert dict(read.values) == values
    assert {name: type(value) for name, value in read.values.items()} == {
        name: type(value) for name, value in values.items()
    }


def test_a_time_of_another_zone_comes_back_in_utc(table: Table) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=timezone(timedelta(hours=2)))
    table.insert(Entity("p", "r", {"moment": noon}))
    moment = existing_row(table, "p", "r").values["moment"]
    assert isinstance(moment, datetime)
    assert moment == noon
    assert moment.utcoffset() == timedelta(0)


def test_a_missing_row_is_none(table: Table) -> None:
    assert table.get("p", "nothing") is None
    table.insert(Entity("p", "r"))
    assert table.get("p", "nothing") is None
    assert table.get("nowhere", "r") is None


def test_insert_refuses_a_second_row_of_the_key(table: Table) -> None:
    table.insert(Entity("p", "r", {"n": 1}))
    with pytest.raises(Exists):
        table.insert(Entity("p", "r", {"n": 2}))
    assert existing_row(table, "p", "r").values["n"] == 1


def test_replace_works_only_for_the_version_that_was_read(table: Table) -> None:
    first = table.insert(Entity("p", "r", {"n": 1, "gone": "soon"}))
    second = table.replace(first.with_values({"n": 2}))
    assert second.etag != first.etag
    with pytest.raises(Conflict):
        table.replace(first.with_values({"n": 3}))
    assert table.get("p", "r") == second
    assert dict(second.values) == {"n": 2}
    with pytest.raises(Conflict):
        table.replace(Entity("p", "missing", {"n": 3}, first.etag))


def test_replace_needs_an_etag(table: Table) -> None:
    with pytest.raises(ValueError, match="etag"):
        table.replace(Entity("p", "r", {"n": 1}))


def test_delete_is_idempotent_and_conditional(table: Table) -> None:
    table.delete("p", "never")
    first = table.insert(Entity("p", "r", {"n": 1}))
    second = table.replace(first.with_values({"n": 2}))
    with pytest.raises(Conflict):
        table.delete("p", "r", etag=first.etag)
    table.delete("p", "r", etag=second.etag)
    assert table.get("p", "r") is None
    with pytest.raises(Conflict):
        table.delete("p", "r", etag=second.etag)
    table.delete("p", "r")


def test_query_returns_one_partition_sorted_by_key(table: Table) -> None:
    for row in ("b", "a", "c-2", "c-1"):
        table.insert(Entity("p", row, {"row": row}))
    table.insert(Entity("q", "a"))
    assert [entity.row for entity in table.query("p")] == ["a", "b", "c-1", "c-2"]
    assert [entity.row for entity in table.query("p", start="b", stop="c-2")] == ["b", "c-1"]
    assert [entity.row for entity in table.query("p", limit=2)] == ["a", "b"]
    assert table.query("p")[0] == table.get("p", "a")
    assert table.query("nowhere") == []


def test_a_transaction_writes_all(table: Table) -> None:
    old = table.insert(Entity("p", "old", {"n": 1}))
    gone = table.insert(Entity("p", "gone"))
    made, changed, deleted = table.transact(
        [
            Write("insert", Entity("p", "new", {"n": 1})),
            Write("replace", old.with_values({"n": 2})),
            Write("delete", gone),
        ]
    )
    assert table.query("p") == [made, changed]
    assert deleted.row == "gone"
    assert table.replace(changed.with_values({"n": 3})).values["n"] == 3


def test_a_transaction_that_fails_writes_nothing_and_says_where(table: Table) -> None:
    row = table.insert(Entity("p", "r", {"n": 1}))
    table.replace(row.with_values({"n": 2}))
    new = Write("insert", Entity("p", "new"))
    with pytest.raises(Conflict) as conflict:
        table.transact([new, Write("replace", row.with_values({"n": 3}))])
    assert conflict.value.index == 1
    with pytest.raises(Exists) as exists:
        table.transact([new, Write("insert", Entity("p", "r"))])
    assert exists.value.index == 1
    with pytest.raises(Conflict) as gone:
        table.transact([Write("delete", Entity("p", "missing", etag=row.etag)), new])
    assert gone.value.index == 0
    assert table.get("p", "new") is None
    assert existing_row(table, "p", "r").values["n"] == 2


def test_a_transaction_has_limits(table: Table) -> None:
    with pytest.raises(ValueError, match="partition"):
        table.transact([Write("insert", Entity("p", "a")), Write("insert", Entity("q", "a"))])
    with pytest.raises(ValueError, match="once"):
        table.transact([Write("insert", Entity("p", "a")), Write("insert", Entity("p", "a"))])
    with pytest.raises(ValueError, match="100"):
        table.transact([])
    hundred = [Write("insert", Entity("p", f"{number:03}")) for number in range(100)]
    assert len(table.transact(hundred)) == 100
    with pytest.raises(ValueError, match="100"):
        table.transact([*hundred, Write("insert", Entity("p", "100"))])


@pytest.mark.parametrize("key", ["", "a/b", "a\\b", "a#b", "a?b", "a\nb", "ü", "k" * 513])
def test_keys_that_azure_refuses_are_refused_on_both(table: Table, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        table.insert(Entity("p", key))
    with pytest.raises(ValueError, match="key"):
        table.get(key, "r")


@pytest.mark.parametrize("key", ["it's", "a%20b", "a b", '"q"', "$", "~" * 512, "a=b&c+d;e,f(g)"])
def test_keys_that_azure_accepts_are_accepted_on_both(table: Table, key: str) -> None:
    written = table.insert(Entity(key, key, {"n": 1}))
    assert table.get(key, key) == written
    assert table.query(key) == [written]
    table.transact([Write("replace", written.with_values({"n": 2}))])
    assert existing_row(table, key, key).values["n"] == 2


@pytest.mark.parametrize(
    "values",
    [
        {"text": "x" * (32 * 1024 + 1)},
        {"bytes": b"x" * (64 * 1024 + 1)},
        {"number": 2**63},
        {"moment": datetime(2026, 11, 20)},  # noqa: DTZ001
        {"RowKey": "r"},
        {"a-b": 1},
    ],
    ids=lambda values: next(iter(values)),
)
def test_values_that_azure_refuses_are_refused_on_both(
    table: Table, values: dict[str, Value]
) -> None:
    with pytest.raises(WriteRefused):
        table.insert(Entity("p", "r", values))
    assert table.get("p", "r") is None


def test_of_many_writers_of_one_version_one_wins(table: Table) -> None:
    row = table.insert(Entity("p", "r", {"n": 0}))

    def write(index: int) -> bool:
        try:
            table.replace(row.with_values({"n": index}))
        except Conflict:
            return False
        return True

    won = at_once(12, write)
    assert sum(won) == 1
    assert existing_row(table, "p", "r").values["n"] == won.index(True)
