"""What an observer writes to is deleted while it writes: the record goes on, and says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.observer.context import Outcome
from shared.observer.leases import ROW
from shared.storage.interfaces import Conflict, StorageUnavailable
from shared.storage.memory import MemoryLog
from shared.tools.samples import sample_tools
from shared.transcripts.record_lines import RecordLine
from shared.transcripts.redaction import unchanged
from shared.transcripts.writer import CONFLICTS_AT_MOST, TranscriptWriter, log_name
from shared.usage import tokens
from tests.contract.observer.harness import HELLO, observed_calls
from tests.contract.observer.sessions import ORDER, call_with, with_tools


async def test_a_transcript_that_is_deleted_goes_on_and_says_so() -> None:
    async with observed_calls() as it:
        call = await it.call()
        watching = await it.watch(call)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        it.log.delete(log_name(call.id))
        await call.turn("good morning")
        await it.recorded(call.id, HELLO)
        it.log.delete(log_name(call.id))
        await call.turn("hi")
        await call.hang_up()
        result = await watching.done()
        script = it.transcript(call.id)
        first, *_ = it.lines(call.id)
        assert (first.kind, first.fields["reason"]) == ("gap", "deleted")
        assert [each.text or each.reason for each in script.entries] == ["deleted", "hi", HELLO]
        assert script.usage == result.usage, "what was used before is carried over"
        assert result.usage == tokens.usage_of_response({"usage": (await it.state())["usage"]})
        assert it.log.logs[log_name(call.id)].appends < 50


async def test_whoever_takes_over_from_a_deleted_record_knows_what_was_used_and_done() -> None:
    registry = sample_tools()
    session = with_tools(registry)
    async with observed_calls(rules=[ORDER]) as it:
        call = await call_with(it, session)
        terms: dict[str, Any] = {"parts": {"registry": registry}, "session": session}
        first = await it.watch(call, **terms)
        await call.turn("where is my order")
        await call.expect("response.done")
        await it.written(call.id, lambda line: line.kind == "tool")
        it.log.delete(log_name(call.id))
        await call.turn("hello")
        await it.recorded(call.id, "hello")
        await it.kill(first)
        it.skip += timedelta(seconds=31)
        second = await it.watch(call, **terms)
        await call.turn("hello again")
        await call.hang_up()
        result = await second.done()
        assert result.usage == tokens.usage_of_response({"usage": (await it.state())["usage"]})
        assert "taken over" in [each.reason for each in it.transcript(call.id).entries]
        assert len([line for line in it.lines(call.id) if line.kind == "tool"]) == 1
        created = [e["item"]["type"] for e in call.events if e["type"].endswith("item.added")]
        assert created.count("function_call_output") == 1


async def test_a_lease_whose_row_is_deleted_is_taken_by_the_next_run() -> None:
    """Deleted means settled, so the run must not bring the row back; the call's next look does."""
    async with observed_calls(lasts=timedelta(milliseconds=300)) as it:
        call = await it.call()
        first = await it.watch(call)
        it.leases.forget(call.id)
        assert (await first.done()).outcome is Outcome.LOST
        assert it.leases.table.get(call.id, ROW) is None
        second = await it.watch(call)
        await call.turn("hello")
        await it.recorded(call.id, HELLO)
        await call.hang_up()
        assert (await second.done()).outcome is Outcome.ENDED
        assert it.leases.holder(call.id) is None


class NeverTheSame(MemoryLog):
    """Somebody else always writes first."""

    def __init__(self) -> None:
        super().__init__()
        self.appends = 0

    def append(self, name: str, data: bytes, *, at: int) -> int:
        self.appends += 1
        raise Conflict


async def test_a_record_that_keeps_changing_is_tried_again_later_not_at_once() -> None:
    log = NeverTheSame()
    writer = TranscriptWriter(log, "rtc_1", redact=unchanged, keep_words=True)
    async with observed_calls() as it:
        writer.add_lines(RecordLine("words", "a", it.clock(), {"text": "a"}))

    async def ours() -> None:
        """The lease is ours."""

    with pytest.raises(StorageUnavailable):
        await writer.flush(ours)
    assert log.appends == CONFLICTS_AT_MOST + 1
    assert writer.batch, "it is not lost"
