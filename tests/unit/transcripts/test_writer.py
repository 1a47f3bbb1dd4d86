"""The record of a call has every line once, whoever writes it and whatever storage does."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.observer.leases import LeaseLost
from shared.storage.interfaces import StorageUnavailable
from shared.storage.memory import MemoryLog
from shared.transcripts.record_lines import RecordLine, decode_lines
from shared.transcripts.redaction import unchanged
from shared.transcripts.transcript import read_transcript
from shared.transcripts.writer import TranscriptWriter, append_line, log_name

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def line(key: str) -> RecordLine:
    return RecordLine("words", key, NOW, {"text": f"text {key}"})


def recorder(log: MemoryLog) -> TranscriptWriter:
    return TranscriptWriter(log, "rtc_1", redact=unchanged, keep_words=True)


def keys(log: MemoryLog) -> list[str]:
    return [each.key for each in decode_lines(log.read(log_name("rtc_1")))]


async def ours() -> None:
    """The lease is ours."""


@given(st.lists(st.tuples(st.integers(0, 1), st.lists(st.sampled_from("abcdef"), max_size=4))))
@settings(max_examples=50)
def test_two_writers_write_each_line_once_and_lose_none(
    steps: list[tuple[int, list[str]]],
) -> None:
    async def run() -> None:
        log = MemoryLog()
        writers = [recorder(log), recorder(log)]
        for writer, told in steps:
            writers[writer].add_lines(*map(line, told))
            await writers[writer].flush(ours)
        raw = log.read(log_name("rtc_1")).splitlines()
        told_at_all = {key for _, told in steps for key in told}
        assert len(raw) == len(keys(log)) == len(told_at_all)
        assert set(keys(log)) == told_at_all
        assert [each.seq for each in decode_lines(log.read(log_name("rtc_1")))] == list(
            range(len(raw))
        )

    asyncio.run(run())


async def test_a_line_added_twice_is_written_once() -> None:
    log = MemoryLog()
    it = recorder(log)
    it.add_lines(line("a"), line("a"))
    await it.flush(ours)
    it.add_lines(line("a"))
    await it.flush(ours)
    assert len(log.read(log_name("rtc_1")).splitlines()) == 1


class LosesAnswers(MemoryLog):
    """Appends, and then loses the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.losing = True

    def append(self, name: str, data: bytes, *, at: int) -> int:
        after = super().append(name, data, at=at)
        if self.losing:
            raise StorageUnavailable("the answer got lost")
        return after


async def test_an_append_whose_answer_was_lost_is_not_repeated_with_later_lines() -> None:
    log = LosesAnswers()
    it = recorder(log)
    it.add_lines(line("a"))
    with pytest.raises(StorageUnavailable):
        await it.flush(ours)
    it.add_lines(line("b"))
    log.losing = False
    await it.flush(ours)
    assert len(log.read(log_name("rtc_1")).splitlines()) == 2
    assert keys(log) == ["a", "b"]


async def test_a_writer_that_lost_the_lease_overwrites_nothing() -> None:
    log = MemoryLog()
    late, other = recorder(log), recorder(log)
    other.add_lines(line("a"))
    await other.flush(ours)
    late.add_lines(line("b"))

    async def lost() -> None:
        raise LeaseLost("rtc_1")

    with pytest.raises(LeaseLost):
        await late.flush(lost)
    assert keys(log) == ["a"]


async def test_an_item_of_an_admins_is_the_servers_whatever_the_observer_saw_first() -> None:
    """The line is written by another process, beside the call's own writer."""
    log = MemoryLog()
    it = recorder(log)
    it.add_lines(RecordLine("attached", "run", NOW))
    await it.flush(ours)
    placed = {"type": "message", "role": "system", "origin": "page", "previous": None}
    append_line(log, "rtc_1", RecordLine("sent", "item_1", NOW, {"what": "admin"}))
    it.add_lines(RecordLine("placed", "item_1", NOW, placed))
    await it.flush(ours)
    (entry,) = read_transcript(log.read(log_name("rtc_1"))).entries
    assert entry.origin == "server"
    append_line(log, "rtc_2", RecordLine("sent", "item_1", NOW, {"what": "admin"}))
    assert not log.read(log_name("rtc_2")), "no record is begun"


async def test_a_line_that_cannot_be_written_costs_itself_alone() -> None:
    def redact(text: str) -> str:
        if "bad" in text:
            raise ArithmeticError
        return text

    log = MemoryLog()
    it = TranscriptWriter(log, "rtc_1", redact=redact, keep_words=True)
    it.add_lines(line("a"), line("bad"), line("b"))
    await it.flush(ours)
    assert keys(log) == ["a", "b"]
    assert [each.seq for each in decode_lines(log.read(log_name("rtc_1")))] == [0, 1]


async def test_what_waits_for_storage_is_bounded() -> None:
    it = recorder(MemoryLog())
    for number in range(2000):
        text = {"text": "x" * 30_000}
        it.add_lines(RecordLine("words", str(number), NOW, text, by="page"))
        it.add_lines(RecordLine("error", str(number), NOW, {"code": "invalid_value"}))
    waiting = sum(len(str(each.fields.get("text", ""))) for each in it.queued)
    assert waiting < 5 * 1024 * 1024
    assert sum(each.kind == "error" for each in it.queued) == 500
    assert sorted(each.key for each in it.queued if each.kind == "cut") == ["error", "page"]


async def test_a_batch_larger_than_one_append_goes_in_several() -> None:
    log = MemoryLog()
    it = recorder(log)
    it.add_lines(*(RecordLine("words", str(n), NOW, {"text": "x" * 90_000}) for n in range(100)))
    await it.flush(ours)
    assert keys(log) == [str(n) for n in range(100)]


async def test_a_full_record_stops_and_the_call_goes_on(monkeypatch: Any) -> None:
    monkeypatch.setattr("shared.storage.memory.APPENDS_AT_MOST", 1)
    log = MemoryLog()
    it = recorder(log)
    for key in "abc":
        it.add_lines(line(key))
        await it.flush(ours)
    assert keys(log) == ["a"]
