"""The timers by which the record of a Live call is told of silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.live.server_events import ASSISTANT, USER, Speaker, TranscriptFragment
from shared.observer.live.recorder import LiveRecorder
from shared.storage.memory import MemoryLog
from shared.transcripts.writer import TranscriptWriter

START = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Timers:
    """A clock that only the test moves, with the timers of a recorder on it."""

    def __init__(self) -> None:
        self.now = START
        self.waiting: list[tuple[datetime, Callable[[], None]]] = []

    def call_later(self, delay: timedelta, action: Callable[[], None]) -> None:
        self.waiting.append((self.now + delay, action))

    def pass_time(self, passed: timedelta) -> None:
        until = self.now + passed
        while due := sorted((at for at, _ in self.waiting if at <= until)):
            self.now = due[0]
            actions = [action for at, action in self.waiting if at == self.now]
            self.waiting = [each for each in self.waiting if each[0] != self.now]
            for action in actions:
                action()
        self.now = until


def recorder_on(timers: Timers) -> LiveRecorder:
    writer = TranscriptWriter(MemoryLog(), "live_u0_test", redact=str, keep_words=True)
    background: Any = timers
    return LiveRecorder(writer, lambda: timers.now, "run-1", background)


def say(recorder: LiveRecorder, speaker: Speaker, text: str, start_ms: int) -> None:
    kind = "session.input_transcript.delta"
    fragment = TranscriptFragment(kind, None, speaker, text, start_ms, start_ms + 200)
    recorder.record_event(fragment)


def test_timers_do_not_become_more_however_long_both_talk() -> None:
    timers = Timers()
    recorder = recorder_on(timers)
    most = 0
    for number in range(600):
        speaker = USER if number % 10 < 3 else ASSISTANT
        say(recorder, speaker, f" word {number}", 200 * number)
        timers.pass_time(timedelta(milliseconds=200))
        most = max(most, len(timers.waiting))
    assert most < 10


def test_an_answer_is_on_record_once_there_is_silence() -> None:
    timers = Timers()
    recorder = recorder_on(timers)
    say(recorder, ASSISTANT, "Hello.", 0)
    say(recorder, ASSISTANT, " How are you?", 200)
    timers.pass_time(timedelta(seconds=5))
    assert recorder.tail == "assistant 0"
    assert timers.waiting == []
