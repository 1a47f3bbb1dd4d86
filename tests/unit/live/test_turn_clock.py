"""A turn of a Live call lasts from the caller's last word to the answer's first."""

from __future__ import annotations

from shared.live.server_events import ASSISTANT, USER
from shared.live.turn_lines import TurnRecorder
from shared.transcripts.record_lines import RecordLine
from tests.unit.live.test_turn_lines import at, read, record, talk


def latencies(lines: list[RecordLine]) -> list[tuple[str, int]]:
    return [(line.key, line.fields["ms"]) for line in lines if line.kind == "latency"]


def test_an_answer_has_its_latency_once_it_is_over() -> None:
    recorder = TurnRecorder()
    lines = record(recorder, talk(USER, "Can you help me?"))
    lines += record(recorder, talk(ASSISTANT, "Of course.", 2000))
    assert latencies(lines) == []
    lines += record(recorder, talk(USER, "Thank you so much.", 5000))
    lines += record(recorder, talk(ASSISTANT, "Good bye now.", 6400))
    lines += recorder.close(at(9000))
    assert latencies(lines) == [("assistant 2000", 1200), ("assistant 6400", 600)]
    transcript = read(lines)
    found = [(each.role, each.latency_ms) for each in transcript.entries]
    assert found == [("user", None), ("assistant", 1200), ("user", None), ("assistant", 600)]
    assert [turn.latency_ms for turn in transcript.turns] == [1200, 600]


def test_what_answers_nothing_has_none() -> None:
    recorder = TurnRecorder()
    lines = record(recorder, talk(ASSISTANT, "Hello, how can I help?", 0))
    lines += recorder.advance(at(9000))
    lines += record(recorder, talk(ASSISTANT, "Are you still there?", 9000))
    lines += recorder.close(at(20_000))
    assert latencies(lines) == []


def test_an_answer_that_begins_while_the_caller_speaks_has_none() -> None:
    recorder = TurnRecorder()
    both = [*talk(USER, "I want to know"), *talk(ASSISTANT, "Of course I will tell you", 600)]
    lines = record(recorder, sorted(both, key=lambda each: each[2]))
    lines += recorder.close(at(9000))
    assert latencies(lines) == []


def test_a_run_that_takes_over_in_an_answer_does_not_time_it() -> None:
    recorder = TurnRecorder()
    lines = record(recorder, talk(ASSISTANT, "and then you turn left.", 4000))
    assert latencies([*lines, *recorder.close(at(9000))]) == []
