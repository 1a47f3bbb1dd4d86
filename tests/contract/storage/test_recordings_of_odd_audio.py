"""Audio that no call should send: it costs itself, not the recording of the rest."""

from __future__ import annotations

import asyncio

from shared.recordings.audio import Heard
from tests.support.live_call_audio import LiveCallAudio, Pcm, numbers, ours


def test_audio_that_nothing_can_be_made_of_costs_itself(call: LiveCallAudio) -> None:
    class Broken:
        size = 0

        def __init__(self, error: type[Exception] | None) -> None:
            self.error = error

        def pcm(self) -> bytes:
            if self.error:
                raise self.error
            return b"\0"

    async def recorded() -> None:
        recording = call.recording()
        await call.record(recording, 4)
        for error in (ValueError, None):
            recording.add_caller(Broken(error))
            recording.add_model(Broken(error), 4000)
        await call.record(recording, 4)
        recording.add_model(Broken(RuntimeError), 4000)
        await recording.flush(ours)
        await call.record_to_end(recording, 4)

    asyncio.run(recorded())
    left, right = call.played()
    assert left == numbers(0, len(left) - 1)
    assert right[-2] == len(right) - 1


def test_an_odd_frame_costs_itself_and_is_stated(call: LiveCallAudio) -> None:
    async def recorded() -> None:
        recording = call.recording()
        for second in range(0, 60, 5):
            call.hear(recording, 5)
            if second == 10:
                recording.add_caller(Pcm(bytes(60 * 48_000)))
                recording.add_model(Pcm(bytes(48_000)), 65_000)
            await recording.flush(ours)
        await recording.close(ours)

    asyncio.run(recorded())
    left, right = call.played()
    assert left[:70] + left[82:] == numbers(0, 69) + numbers(82, 298)
    assert right[1:70] + right[82:298] == numbers(1, 69) + numbers(82, 297)
    assert [(side, reason) for side, *_, reason in call.missing()] == [("caller", "too long")]


def test_an_endpoint_that_sends_too_much_fills_no_memory(call: LiveCallAudio) -> None:
    async def recorded() -> None:
        recording = call.recording()
        for number in range(100):
            recording.add_model(Pcm(bytes(500_000)), 200 * number)
        assert (
            sum(each.source.size for each in recording.waiting.came if isinstance(each, Heard))
            < 7e6
        )
        for _ in range(100_000):
            recording.add_caller(Pcm(b""))
        assert len(recording.waiting.came) < 500

    asyncio.run(recorded())
