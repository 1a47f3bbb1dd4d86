"""How fast turns are answered is on record, in the tally and, where that was slow, in the log."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from shared.observer import meter
from shared.transcripts.writer import log_name
from tests.contract.observer.harness import observed_calls
from tests.contract.observer.live_run import following
from tests.contract.observer.scripted_run import CALL, QUIET, Scripted, scripted

SLOW = timedelta(seconds=2)


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "ACCOUNTED_WITHIN", QUIET)


async def turn(run: Scripted, name: str, lasts: timedelta) -> None:
    """A turn of the caller's that is answered after that time, on the run's clock."""
    run.tell("input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=900)
    run.begin(name)
    item = {"id": f"item_{name}", "type": "message", "role": "assistant", "content": []}
    run.tell("response.output_item.added", response_id=name, item=item)
    run.tell("conversation.item.added", previous_item_id=None, item=item)
    await run.handled()
    run.it.skip += lasts
    run.tell("output_audio_buffer.started", response_id=name)
    run.tell("conversation.item.done", previous_item_id=None, item={**item, "status": "completed"})
    run.end(name, status="completed")
    await run.handled()


def values(counts: Any) -> list[int]:
    return sorted(value for value, number in counts.items() for _ in range(number))


@pytest.mark.parametrize("keep_words", [True, False])
async def test_each_turn_of_a_realtime_call(
    keep_words: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "broker")
    async with scripted(keep_words=keep_words, slow_turn=SLOW, record_id="call 1") as run:
        await turn(run, "resp_1", timedelta(milliseconds=700))
        await turn(run, "resp_2", timedelta(seconds=4))
        await run.done()
    tally = (await run.watching.done()).tally
    assert values(tally.latencies) == [pytest.approx(700, abs=200), pytest.approx(4000, abs=300)]
    transcript = run.it.transcript(CALL)
    assert len(transcript.turns) == 2
    shown = {each.item_id: each.latency_ms for each in transcript.entries if each.role}
    of_turns = {each.item_id: each.latency_ms for each in transcript.turns}
    assert shown == (of_turns if keep_words else {})
    (line,) = [text for text in caplog.messages if text.startswith("slow turn {")]
    slow = json.loads(line.partition(" turn ")[2])
    assert (slow["call"], slow["ms"] >= 4000) == ("call 1", True)


async def test_a_run_counts_on_from_the_record_even_from_a_deleted_one() -> None:
    async with observed_calls() as it:
        async with scripted(it, slow_turn=None) as first:
            await turn(first, "resp_1", timedelta(milliseconds=700))
            it.log.delete(log_name(CALL))
            await turn(first, "resp_2", timedelta(milliseconds=900))
            await it.kill(first.watching)
        it.skip += timedelta(seconds=60)
        async with scripted(it) as second:
            await turn(second, "resp_3", timedelta(milliseconds=500))
            await second.done()
        assert len(values((await second.watching.done()).tally.latencies)) == 3
        assert len(it.transcript(CALL).turns) == 2, "of the deleted record there is the count"


async def test_turns_of_a_live_call_by_its_timeline() -> None:
    async with following(slow_turn=timedelta(milliseconds=500)) as run:
        run.service.say("input", "What", " time", " is", " it?")
        run.service.at_ms += 600
        run.service.say("output", "It", " is", " nine", " in", " the", " morning.")
        run.service.at_ms += 3000
        run.service.say("input", "Thank", " you.")
        await run.handled()
        run.service.close("close_requested")
        result = await run.watching.done()
    assert dict(result.tally.latencies) == {600: 1}
    (answer,) = [each for each in run.entries("message") if each.role == "assistant"]
    assert answer.latency_ms == 600
