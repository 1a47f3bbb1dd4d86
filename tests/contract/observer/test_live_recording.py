"""A run that records both voices of a Live call: what it writes, and when it stops."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.recordings import timeline
from shared.recordings.recording_file import delete_recording, recording_name
from shared.recordings.recording_report import report
from shared.transcripts.writer import log_name
from tests.contract.observer.live_run import Following, following
from tests.contract.observer.live_service import CALL
from tests.support.live_call_audio import frame, read_wav
from tests.support.patience import PATIENCE

RECORDED: dict[str, Any] = {"records_audio": True}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "LOOKAHEAD_MS", 0)


@pytest.fixture
async def run() -> AsyncIterator[Following]:
    async with following(parts=RECORDED) as begun:
        yield begun


def hear(run: Following, first: int, last: int) -> None:
    """The frames of both voices with those numbers."""
    for number in range(first, last + 1):
        run.service.hear(frame(number).samples)
        run.service.hear(frame(number).samples, 200 * number)


def file_of(run: Following) -> bytes:
    return run.it.log.read(recording_name(CALL))


async def written(run: Following) -> bytes:
    """The file once there is one."""
    async with asyncio.timeout(PATIENCE):
        while not file_of(run):
            run.it.log.news.clear()
            if not file_of(run):
                await run.it.log.news.wait()
    return file_of(run)


def heard(run: Following) -> tuple[set[int], set[int]]:
    """What is to be heard on the left and on the right."""
    samples = array("h", read_wav(file_of(run)))
    return set(samples[0::2]), set(samples[1::2])


async def test_both_voices_are_recorded(run: Following) -> None:
    hear(run, 0, 20)
    run.service.close("close_requested")
    await run.watching.done()
    left, right = heard(run)
    assert left >= set(range(2, 20))
    assert right >= set(range(1, 21))
    assert [line.key for line in run.lines("recording")] == ["begun"]
    assert run.lines("unrecorded") == []


async def test_a_transcript_need_not_be_kept_for_that() -> None:
    async with following(parts=RECORDED, keep_words=False) as run:
        run.service.say("input", "Hello")
        hear(run, 0, 20)
        run.service.close("close_requested")
        await run.watching.done()
        assert file_of(run)
        assert run.said() == []


async def test_nothing_is_recorded_unless_somebody_decided_so() -> None:
    async with following() as run:
        hear(run, 0, 20)
        run.service.close("close_requested")
        await run.watching.done()
        assert run.it.log.names() == [log_name(CALL)]
        assert run.lines("recording", "unrecorded") == []


async def test_what_a_lost_connection_costs_is_stated(run: Following) -> None:
    await run.sent("session.update")
    hear(run, 0, 10)
    await run.handled()
    run.service.lose()
    await run.sent("session.update")
    hear(run, 20, 40)
    run.service.close("close_requested")
    await run.watching.done()
    (missing,) = [line.fields for line in run.lines("unrecorded") if line.fields["side"] == "model"]
    assert (missing["from_ms"], missing["to_ms"]) == (2200, 4000)
    assert missing["reason"] == "reconnected"


async def test_the_next_run_continues_the_file(run: Following) -> None:
    hear(run, 0, 20)
    before = await written(run)
    next_run = await run.take_over(parts=RECORDED)
    hear(next_run, 150, 170)
    next_run.service.close("close_requested")
    await next_run.watching.done()
    assert file_of(run)[: len(before)] == before
    assert heard(run)[1] >= set(range(151, 171))
    reasons = {line.fields["reason"] for line in run.lines("unrecorded")}
    assert reasons == {"taken over"}


async def test_a_deletion_ends_the_recording_and_not_the_transcript(run: Following) -> None:
    hear(run, 0, 20)
    await written(run)
    delete_recording(run.it.log, CALL, for_good=True)
    run.it.log.delete(log_name(CALL))
    hear(run, 21, 60)
    await run.written("recording", reason="deleted")
    run.service.say("output", "After.")
    hear(run, 61, 80)
    run.service.close("close_requested")
    await run.watching.done()
    assert file_of(run) == b""
    assert ("assistant", "After.") in run.said()
    assert report(run.it.log, CALL, run.lines("recording", "unrecorded")) == {
        "duration_ms": 0,
        "missing": [],
        "stopped": "deleted",
    }


async def test_a_profile_is_left_out_that_says_so() -> None:
    async with following(parts=RECORDED, recorded=False) as run:
        hear(run, 0, 20)
        run.service.close("close_requested")
        await run.watching.done()
        assert run.it.log.names() == [log_name(CALL)]
