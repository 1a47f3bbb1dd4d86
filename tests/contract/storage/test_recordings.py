"""A call's recording, on memory and on Azurite alike."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from shared.recordings.recording_file import delete_recording
from shared.recordings.stored_recording import find_recording
from shared.storage.interfaces import APPEND_BYTES, Log, StorageUnavailable
from tests.support.live_call_audio import START, LiveCallAudio, numbers, ours, read_wav


def test_a_minute_of_both_voices_is_on_one_timeline(call: LiveCallAudio) -> None:
    async def recorded() -> None:
        recording = call.recording()
        for _ in range(12):
            await call.record(recording, 5)
        await recording.close(ours)

    asyncio.run(recorded())
    left, right = call.played()
    assert left == numbers(0, 298)
    assert right[:298] == [0, *numbers(1, 297)]
    assert call.lines[0] == ("recording", "begun", {})
    assert call.missing() == []


def test_a_killed_run_leaves_a_playable_file_and_the_next_one_continues_it(
    call: LiveCallAudio,
) -> None:
    async def recorded() -> None:
        killed = call.recording()
        await call.record(killed, 10)
        length = len(call.played()[0])
        assert 40 <= length <= 46
        call.hear(None, 20)
        # Another instance, whose clock began at another time.
        call.monotonic = 77.0
        second = call.recording()
        call.repeat(second, 3)
        await call.record_to_end(second, 10)

    asyncio.run(recorded())
    left, right = call.played()
    first_again = left.index(0)
    there = next(index for index in range(first_again, len(left)) if left[index])
    assert left[:first_again] == numbers(0, first_again - 1)
    assert left[there:] == numbers(there, len(left) - 1)
    assert 25_000 <= there * 200 <= 30_000, "the last seconds were sent again"
    silent = [index for index, value in enumerate(right[:-2]) if not value and index]
    assert silent == list(range(silent[0], silent[-1] + 1)), "one gap"
    assert {(side, reason) for side, _, _, reason in call.missing()} == {
        ("caller", "taken over"),
        ("model", "taken over"),
    }
    for side, since, until, _ in call.missing():
        heard = left if side == "caller" else right
        first, after = round(since / 200), round(until / 200)
        assert not any(heard[first:after])
        assert heard[after] == after + 1


def test_a_reconnection_is_aligned_and_stated(call: LiveCallAudio) -> None:
    async def recorded() -> None:
        recording = call.recording()
        await call.record(recording, 10)
        call.hear(None, 8)
        recording.note_gap("reconnected")
        call.repeat(recording, 3)
        await call.record_to_end(recording, 10)

    asyncio.run(recorded())
    left, right = call.played()
    for heard in (left, right):
        assert all(value in (0, index + 1) for index, value in enumerate(heard))
    assert {reason for *_, reason in call.missing()} == {"reconnected"}
    assert [side for side, *_ in call.missing()] == ["model", "caller"]


def test_two_runs_at_once_do_not_mix(call: LiveCallAudio) -> None:
    """A run that has lost its lease without noticing: the file is one of the two voices' still."""

    async def recorded() -> None:
        first, second = call.recording(), call.recording()
        for _ in range(6):
            at = call.at
            call.hear(first, 3)
            call.at = at
            call.hear(second, 3)
            await asyncio.gather(first.flush(ours), second.flush(ours))
        await first.close(ours)
        await second.close(ours)

    asyncio.run(recorded())
    left, right = call.played()
    assert left == numbers(0, len(left) - 1)
    assert right[1:88] == numbers(1, 87)


def test_a_run_that_has_lost_its_lease_writes_nothing_over_another(call: LiveCallAudio) -> None:
    class LostError(Exception):
        pass

    async def lost() -> None:
        raise LostError

    async def recorded() -> None:
        first, second = call.recording(), call.recording()
        await call.record(first, 5)
        call.at = 0
        await call.record(second, 5)
        call.hear(first, 5)
        call.at = 5000
        call.hear(second, 5, caller=lambda number: number % 4 > 0)
        await first.flush(ours)
        with pytest.raises(LostError):
            await second.flush(lost)

    asyncio.run(recorded())
    left, _ = call.played()
    assert left == numbers(0, len(left) - 1)


def test_a_deleted_recording_is_not_begun_again(call: LiveCallAudio, log: Log) -> None:
    async def recorded() -> None:
        recording = call.recording()
        await call.record(recording, 10)
        delete_recording(log, call.name, for_good=True)
        await call.record(recording, 10)
        await call.record_to_end(recording, 10)
        assert recording.waiting.came == []
        taking_over = call.recording()
        await call.record_to_end(taking_over, 10)

    asyncio.run(recorded())
    assert find_recording(log, call.name) is None
    assert call.lines[-2:] == [("recording", "stopped", {"reason": "deleted"})] * 2


def test_a_recording_that_is_deleted_by_hand_is_not_begun_again(
    call: LiveCallAudio, log: Log
) -> None:
    async def recorded() -> None:
        recording = call.recording()
        await call.record(recording, 10)
        log.delete(f"{call.name}.wav")
        await call.record(recording, 10)
        taking_over = call.recording()
        await call.record_to_end(taking_over, 10)

    asyncio.run(recorded())
    assert find_recording(log, call.name) is None


def test_a_recording_that_is_deleted_before_it_is_begun_is_not_begun(
    call: LiveCallAudio, log: Log
) -> None:
    async def recorded() -> None:
        recording = call.recording()
        call.hear(recording, 10)
        delete_recording(log, call.name, for_good=True)
        await recording.flush(ours)
        assert recording.stopped == "deleted"

    asyncio.run(recorded())
    assert find_recording(log, call.name) is None


def test_a_call_that_is_over_can_be_deleted_without_a_mark(call: LiveCallAudio, log: Log) -> None:
    async def recorded() -> None:
        recording = call.recording()
        await call.record_to_end(recording, 10)

    asyncio.run(recorded())
    delete_recording(log, call.name, for_good=False)
    delete_recording(log, call.name, for_good=False)
    assert log.names() == []


def test_half_an_hour_that_nobody_heard_is_silent(call: LiveCallAudio) -> None:
    """More than one append can take."""

    async def recorded() -> None:
        recording = call.recording()
        await call.record(recording, 4)
        call.hear(None, 300)
        taking_over = call.recording()
        await call.record_to_end(taking_over, 4)

    asyncio.run(recorded())
    left, right = call.played()
    assert len(left) * 200 * 96 > 6 * APPEND_BYTES
    assert left[-1] == len(left)
    assert right[-3] == len(right) - 2


def test_a_torn_sample_at_the_end_does_not_turn_the_rest_into_noise(
    call: LiveCallAudio, log: Log
) -> None:
    async def recorded() -> None:
        recording = call.recording()
        await call.record(recording, 4)
        log.append(f"{call.name}.wav", b"\0\0\0", at=log.length(f"{call.name}.wav"))
        taking_over = call.recording()
        await call.record_to_end(taking_over, 4)

    asyncio.run(recorded())
    left, _ = call.played()
    assert left[-1] == len(left)


def test_a_part_of_it_is_the_same_as_in_the_whole(call: LiveCallAudio, log: Log) -> None:
    async def recorded() -> None:
        recording = call.recording()
        await call.record_to_end(recording, 5)

    asyncio.run(recorded())
    found = find_recording(log, call.name)
    assert found is not None
    whole = found.read_bytes(0, found.length)
    assert len(whole) == found.length
    assert read_wav(whole) == read_wav(log.read(found.name))
    assert found.duration_ms == len(read_wav(whole)) // 96
    for start, stop in ((0, 1), (0, 44), (10, 60), (43, 45), (44, 45), (1000, 2000)):
        assert found.read_bytes(start, stop) == whole[start:stop]


class Outage:
    """Storage that refuses appends, or loses their answers."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.refuses = False
        self.loses_answers = False

    def append(self, name: str, data: bytes, *, at: int) -> int:
        if self.refuses:
            raise StorageUnavailable("away")
        after = self.log.append(name, data, at=at)
        if self.loses_answers:
            raise StorageUnavailable("no answer")
        return after

    def __getattr__(self, name: str) -> object:
        return getattr(self.log, name)


def test_an_append_whose_answer_is_lost_is_not_doubled(call: LiveCallAudio, log: Log) -> None:
    outage = Outage(log)
    call.log = outage  # type: ignore[assignment]

    async def recorded() -> None:
        recording = call.recording()
        for answers in (True, False, True, False):
            outage.loses_answers = not answers
            call.hear(recording, 5)
            try:
                await recording.flush(ours)
            except StorageUnavailable:
                assert not answers
        outage.loses_answers = False
        await recording.close(ours)

    asyncio.run(recorded())
    left, _ = call.played()
    assert left == numbers(0, len(left) - 1)
    assert call.missing() == []


def test_a_long_outage_of_storage_is_a_hole_that_is_stated(call: LiveCallAudio, log: Log) -> None:
    outage = Outage(log)
    call.log = outage  # type: ignore[assignment]

    async def recorded() -> None:
        recording = call.recording()
        await call.record(recording, 10)
        outage.refuses = True
        for _ in range(24):
            call.hear(recording, 5)
            with pytest.raises(StorageUnavailable):
                await recording.flush(ours)
        outage.refuses = False
        await recording.flush(ours)
        await call.record_to_end(recording, 10)

    asyncio.run(recorded())
    left, right = call.played()
    for heard in (left, right):
        assert all(value in (0, index + 1) for index, value in enumerate(heard))
        assert heard[-4], "it goes on"
    assert {(side, reason) for side, *_, reason in call.missing()} == {
        ("caller", "not written"),
        ("model", "not written"),
    }


def test_a_write_that_is_cancelled_is_finished_before_the_next(call: LiveCallAudio) -> None:
    async def recorded() -> None:
        recording = call.recording()
        for _ in range(6):
            call.hear(recording, 5)
            writing = asyncio.ensure_future(recording.flush(ours))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            writing.cancel()
        await recording.close(ours)

    asyncio.run(recorded())
    left, _ = call.played()
    assert left == numbers(0, len(left) - 1)


def test_closing_never_fails(call: LiveCallAudio, log: Log) -> None:
    """Whatever becomes of the recording, the run has a lease to give back."""

    async def lost() -> None:
        raise StorageUnavailable("lost")

    outage = Outage(log)
    outage.refuses = True
    call.log = outage  # type: ignore[assignment]

    async def recorded() -> None:
        recording = call.recording()
        await recording.close(lost)
        call.hear(recording, 5)
        await recording.close(lost)

    asyncio.run(recorded())
    assert find_recording(log, call.name) is None


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(hours=-5), None])
def test_a_call_with_an_odd_beginning_is_recorded(
    call: LiveCallAudio, ahead: timedelta | None
) -> None:
    """The clock of whoever wrote the record was far ahead, or behind, or the record has none."""
    call.started_at = None if ahead is None else START + ahead

    async def recorded() -> None:
        recording = call.recording()
        for _ in range(6):
            await call.record(recording, 5)
        await recording.close(ours)

    asyncio.run(recorded())
    left, right = call.played()
    assert left == numbers(0, 148)
    assert right[:148] == [0, *numbers(1, 147)]
