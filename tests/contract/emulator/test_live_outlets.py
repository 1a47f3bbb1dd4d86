"""The queues of a GPT-Live session's connections."""

from __future__ import annotations

from datetime import timedelta

from realtime_emulator.live.outlets import MOST_WAITING, Ended, Outlets


async def test_a_client_who_does_not_read_is_dropped() -> None:
    outlets = Outlets(lambda: timedelta(0))
    idle, reading = outlets.attach(), outlets.attach()
    for number in range(MOST_WAITING + 5):
        outlets.send({"type": "x", "number": number})
        reading.queue.get_nowait()
    waiting = [idle.queue.get_nowait() for _ in range(idle.queue.qsize())]
    assert len(waiting) == MOST_WAITING + 1
    assert waiting[-1] == Ended(is_lost=True)
    assert reading.queue.empty()


async def test_only_the_last_seconds_are_repeated() -> None:
    replayed = timedelta(0)
    outlets = Outlets(lambda: replayed)
    outlets.send_started({"type": "session.started"})
    outlets.send({"type": "x"})
    outlets.send_audio({"type": "session.input_audio.append"}, "audio", b"12")
    assert outlets.attach().queue.qsize() == 1, "session.started is always told for a while"
    replayed = timedelta(seconds=60)
    assert outlets.attach().queue.qsize() == 2, "audio is not repeated"
