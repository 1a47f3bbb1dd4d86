"""The JSON of rows and the multipart messages of transactions, as Microsoft documents them."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.storage.azure_rows import (
    from_json,
    row_path,
    to_json,
    transaction_body,
    written_by,
)
from shared.storage.interfaces import (
    Conflict,
    Entity,
    Exists,
    StorageUnavailable,
    Value,
    Write,
    WriteRefused,
)

FIRST = datetime(1601, 1, 1)  # noqa: DTZ001
TIMES = st.datetimes(min_value=FIRST, timezones=st.just(UTC))
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.binary(),
    TIMES,
)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: name not in ("PartitionKey", "RowKey", "Timestamp")
)
OLD = Entity("p", "old", {"n": 1}, "W/\"datetime'1'\"")
WRITES = (Write("insert", Entity("p", "it's new", {"n": 1})), Write("replace", OLD))
DELETE = Write("delete", Entity("p", "gone", etag='W/"2"'))


def sent_back(entity: Entity) -> bytes:
    """The row as storage gives it back."""
    own = {"odata.metadata": "x", "odata.etag": entity.etag, "Timestamp": "2026-11-27T01:05:16.1Z"}
    return json.dumps({**own, **json.loads(to_json(entity))}).encode()


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_a_row_comes_back_as_it_was_sent(values: dict[str, Value]) -> None:
    entity = Entity("p", "r", values, "e")
    read = from_json(sent_back(entity))
    assert read == entity
    kinds = {name: type(value) for name, value in read.values.items()}
    assert kinds == {name: type(value) for name, value in values.items()}


def test_what_is_no_number_comes_back_too() -> None:
    read = from_json(sent_back(Entity("p", "r", {"n": math.nan}, "e"))).values["n"]
    assert isinstance(read, float)
    assert math.isnan(read)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-11-27T01:05:16Z", 0),
        ("2026-11-27T01:05:16.5Z", 500_000),
        ("2026-11-27T01:05:16.1507015Z", 150_701),
    ],
)
def test_ticks_are_cut_off(text: str, microsecond: int) -> None:
    row = {"PartitionKey": "p", "RowKey": "r", "odata.etag": "e", "t": text}
    read = from_json(json.dumps({**row, "t@odata.type": "Edm.DateTime"}).encode())
    assert read.values["t"] == datetime(2026, 11, 27, 1, 5, 16, microsecond, UTC)


def test_a_double_that_has_no_fraction_stays_one() -> None:
    row = b'{"PartitionKey":"p","RowKey":"r","odata.etag":"e","n@odata.type":"Edm.Double","n":2}'
    assert type(from_json(row).values["n"]) is float


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"null", b"{}", b"\xff", b"[" * 10_000),
        b'{"PartitionKey":"p","RowKey":"r"}',
        b'{"PartitionKey":"p","RowKey":"r","odata.etag":"e","n":null}',
        b'{"PartitionKey":"p","RowKey":"r","odata.etag":"e","n":{}}',
    ],
)
def test_what_is_no_row_is_not_read(body: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        from_json(body)


def test_a_key_is_quoted_in_a_path() -> None:
    assert row_path("calls", "p", "it's 100% a+b") == (
        "/calls(PartitionKey='p',RowKey='it%27%27s%20100%25%20a%2Bb')"
    )


def test_a_transaction_is_one_message() -> None:
    message = transaction_body("http://account", "calls", [*WRITES, DELETE], "mark").decode()
    head, *parts = message.split("--changeset_mark\r\n")
    assert head.startswith("--batch_mark\r\n")
    asked = [part.split("\r\n\r\n")[1].splitlines() for part in parts]
    assert [lines[0] for lines in asked] == [
        "POST http://account/calls HTTP/1.1",
        "PUT http://account/calls(PartitionKey='p',RowKey='old') HTTP/1.1",
        "DELETE http://account/calls(PartitionKey='p',RowKey='gone') HTTP/1.1",
    ]
    assert f"If-Match: {OLD.etag}" in asked[1]
    assert 'If-Match: W/"2"' in asked[2]
    assert not any(line.startswith("If-Match") for line in asked[0])
    assert message.endswith("--changeset_mark--\r\n\r\n--batch_mark--\r\n")


def answered(*parts: str) -> bytes:
    """Storage's answer to a transaction."""
    head = "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    return "".join(f"--c\r\n{head}HTTP/1.1 {part}\r\n" for part in parts).encode() + b"--c--\r\n"


def test_the_answer_to_a_transaction_has_the_etags() -> None:
    made = "204 No Content\r\nETag: {}\r\nDataServiceVersion: 3.0;\r\n\r\n"
    body = answered(made.format('W/"1"'), made.format('W/"2"'), "204 No Content\r\n\r\n")
    new, changed, gone = written_by([*WRITES, DELETE], body)
    assert (new.etag, changed.etag, gone) == ('W/"1"', 'W/"2"', DELETE.entity)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        ("412 Precondition Failed", "UpdateConditionNotSatisfied", Conflict),
        ("409 Conflict", "EntityAlreadyExists", Exists),
        ("404 Not Found", "ResourceNotFound", Conflict),
    ],
)
def test_a_refused_transaction_says_where(status: str, code: str, error: type[Conflict]) -> None:
    words = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": "1:no\nId:2"}}}
    with pytest.raises(error) as raised:
        written_by(WRITES, answered(f"{status}\r\nContent-ID: 2\r\n\r\n{json.dumps(words)}"))
    assert raised.value.index == 1


def test_a_transaction_that_is_too_large_is_refused() -> None:
    with pytest.raises(WriteRefused):
        written_by(WRITES, answered("413 Payload Too Large\r\n\r\n"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"odd",
        answered("204 No Content\r\nETag: 1\r\n\r\n"),
        answered("204 No Content\r\n\r\n", "204 No Content\r\nETag: 1\r\n\r\n"),
    ],
)
def test_a_write_without_an_answer_does_not_count(body: bytes) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        written_by(WRITES, body)


def test_an_outage_within_a_transaction_is_one() -> None:
    with pytest.raises(StorageUnavailable):
        written_by(WRITES, answered("503 Busy\r\n\r\n"))
