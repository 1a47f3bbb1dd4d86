"""The contract of a Log, on memory and on Azurite alike."""

from __future__ import annotations

import pytest

from shared.storage.interfaces import Conflict, Log
from tests.support.at_once import at_once


def test_lines_are_read_back_in_the_order_of_their_appends(log: Log) -> None:
    after = log.append("2026/call.jsonl", b'{"n":1}\n', at=0)
    assert after == 8
    assert log.append("2026/call.jsonl", b'{"n":2}\n{"n":3}\n', at=after) == 24
    assert log.read("2026/call.jsonl") == b'{"n":1}\n{"n":2}\n{"n":3}\n'
    assert log.read("2026/call.jsonl", start=16) == b'{"n":3}\n'
    assert log.length("2026/call.jsonl") == 24


def test_a_missing_log_is_empty(log: Log) -> None:
    assert log.read("nothing") == b""
    assert log.read("nothing", start=5) == b""
    assert log.length("nothing") == 0
    assert log.names() == []
    log.append("short", b"x", at=0)
    assert log.read("short", start=1) == b""
    assert log.read("short", start=99) == b""


def test_a_repeated_append_adds_nothing(log: Log) -> None:
    log.append("call", b"one\n", at=0)
    assert log.append("call", b"one\n", at=0) == 4
    log.append("call", b"two\n", at=4)
    assert log.append("call", b"one\n", at=0) == 4
    assert log.append("call", b"two\n", at=4) == 8
    assert log.read("call") == b"one\ntwo\n"


def test_other_bytes_at_the_same_position_are_a_conflict(log: Log) -> None:
    log.append("call", b"one\n", at=0)
    with pytest.raises(Conflict):
        log.append("call", b"uno\n", at=0)
    with pytest.raises(Conflict):
        log.append("call", b"one\ntwo\n", at=0)
    with pytest.raises(Conflict):
        log.append("call", b"two\n", at=5)
    with pytest.raises(Conflict):
        log.append("new", b"two\n", at=4)
    assert log.read("call") == b"one\n"
    assert log.length("new") == 0


def test_many_writers_of_the_same_lines_write_them_once(log: Log) -> None:
    lines = [f'{{"n":{number}}}\n'.encode() for number in range(6)]

    def write(_: int) -> int:
        at = 0
        for line in lines:
            at = log.append("call", line, at=at)
        return at

    assert set(at_once(4, write)) == {sum(map(len, lines))}
    assert log.read("call") == b"".join(lines)


def test_logs_are_listed_by_prefix_and_deleted(log: Log) -> None:
    for name in ("b/2", "b/1", "a/1"):
        log.append(name, b"x", at=0)
    assert log.names() == ["a/1", "b/1", "b/2"]
    assert log.names("b/") == ["b/1", "b/2"]
    log.delete("b/1")
    log.delete("b/1")
    assert log.names("b/") == ["b/2"]
    assert log.append("b/1", b"new", at=0) == 3


@pytest.mark.parametrize("data", [b"", b"x" * (4 * 1024 * 1024 + 1)], ids=["empty", "too large"])
def test_an_append_has_a_smallest_and_a_largest_size(log: Log, data: bytes) -> None:
    with pytest.raises(ValueError, match="4 MiB"):
        log.append("call", data, at=0)


@pytest.mark.parametrize("name", ["", "/call", "a\\b", "a b", "../x" * 200])
def test_names_that_azure_refuses_are_refused_on_both(log: Log, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        log.append(name, b"x", at=0)


def test_a_part_of_a_log_is_read(log: Log) -> None:
    log.append("call.wav", bytes(range(200)), at=0)
    assert log.read("call.wav", start=0, size=3) == bytes((0, 1, 2))
    assert log.read("call.wav", start=10, size=5) == bytes(range(10, 15))
    assert log.read("call.wav", start=198, size=5) == bytes((198, 199))
    assert log.read("call.wav", start=200, size=5) == b""
    assert log.read("call.wav", start=500, size=5) == b""
    assert log.read("nothing", start=0, size=5) == b""


@pytest.mark.parametrize(("start", "size"), [(-1, None), (-1, 5), (0, 0), (0, -1)])
def test_a_part_that_there_cannot_be_is_a_mistake(log: Log, start: int, size: int | None) -> None:
    with pytest.raises(ValueError, match="a part of a log"):
        log.read("call.wav", start=start, size=size)
