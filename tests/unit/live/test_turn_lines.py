"""Turns in the record: in pieces while they are long, each word once whoever writes it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.live.server_event_parser import parse_server_event
from shared.live.server_events import ASSISTANT, USER, Speaker, TranscriptFragment
from shared.live.turn import LONGEST_TURN
from shared.live.turn_lines import TurnRecorder
from shared.transcripts.record_lines import RecordLine, StoredLine, decode_lines, encode_line
from shared.transcripts.redaction import redacted, unchanged
from shared.transcripts.transcript import Transcript, build_transcript
from tests.support.live_recordings import NAMES, server_events

START = datetime(2026, 11, 26, 12, tzinfo=UTC)


def at(milliseconds: float) -> datetime:
    return START + timedelta(milliseconds=milliseconds)


def fragment(speaker: Speaker, text: str, start: int) -> TranscriptFragment:
    return TranscriptFragment("x", None, speaker, text, start, start + 200)


def stored(lines: list[RecordLine], redact: bool = False) -> list[StoredLine]:
    rule = redacted if redact else unchanged
    data = b"".join(encode_line("live_1", seq, line, rule) for seq, line in enumerate(lines))
    return decode_lines(data)


def read(lines: list[RecordLine], redact: bool = False) -> Transcript:
    return build_transcript(stored(lines, redact))


def said(transcript: Transcript) -> list[tuple[str, str | None]]:
    return [(entry.role, entry.text) for entry in transcript.entries if entry.kind == "message"]


def record(
    recorder: TurnRecorder, parts: list[tuple[Speaker, str, int]], lag: int = 600
) -> list[RecordLine]:
    lines = []
    for speaker, text, start in parts:
        lines += recorder.add(fragment(speaker, text, start), at(start + lag))
    return lines


def talk(speaker: Speaker, text: str, start: int = 0) -> list[tuple[Speaker, str, int]]:
    """A text, a word every 200 ms."""
    words = text.split(" ")
    return [
        (speaker, word if not number else f" {word}", start + 200 * number)
        for number, word in enumerate(words)
    ]


def test_a_turn_is_written_when_it_is_over() -> None:
    recorder = TurnRecorder()
    assert record(recorder, talk(USER, "Can you help me?")) == []
    lines = record(recorder, talk(ASSISTANT, "Of course.", 2000))
    assert [(line.kind, line.key, line.by) for line in lines] == [("turn", "user 0", "caller")]
    assert lines[0].fields == {
        "role": "user", "text": "Can you help me?", "start_ms": 0, "end_ms": 800,
    }  # fmt: skip
    rest = recorder.close(at(3000))
    said = [(line.key, line.fields["text"]) for line in rest if line.kind == "turn"]
    assert said == [("assistant 2000", "Of course.")]


def test_a_line_has_about_the_time_at_which_it_was_said() -> None:
    recorder = TurnRecorder()
    record(recorder, talk(USER, "Can you help me?"), lag=500)
    (line,) = recorder.close(at(5000))
    assert abs(line.at - at(300)) < timedelta(milliseconds=400)


def test_a_long_turn_is_written_in_pieces_that_read_as_one() -> None:
    recorder, text = TurnRecorder(), " ".join(f"word{chr(97 + n % 26)}" for n in range(200))
    pieces = record(recorder, talk(ASSISTANT, text))
    assert len(pieces) > 5
    assert all(piece.fields["open"] for piece in pieces)
    lines = pieces + recorder.close(at(60_000))
    assert "open" not in lines[-1].fields
    assert len({(line.kind, line.key) for line in lines}) == len(lines)
    assert said(read(lines)) == [("assistant", text)]


def test_what_is_lost_with_a_run_is_a_few_seconds() -> None:
    recorder, text = TurnRecorder(), "this is what is told to the model in one long turn " * 12
    lines = record(recorder, talk(USER, text.strip()))
    written = "".join(str(line.fields["text"]) for line in lines)
    unwritten = len(text.split()) - len(written.split())
    assert unwritten * 200 <= 8_000


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("4111 1111 1111 1111", "[card]"),
        ("DE89 3704 0044 0532 0130 00", "[iban]"),
        ("GB82 WEST 1234 5698 7654 32", "[iban]"),
        ("+49 151 2345 6789", "[telephone]"),
        ("anna.smith@example.com", "[e-mail]"),
    ],
)
@pytest.mark.parametrize("before", range(0, 40, 3))
def test_no_piece_ends_in_the_middle_of_a_number(number: str, kind: str, before: int) -> None:
    text = "so I said to them " * 3 + "well " * before + number + " and that was it then " * 9
    recorder = TurnRecorder()
    lines = record(recorder, talk(USER, text.strip())) + recorder.close(at(90_000))
    assert len(lines) > 2
    (message,) = said(read(lines, redact=True))
    assert kind in str(message[1])
    for part in number.split(" "):
        assert part not in str(message[1])


def test_an_address_that_comes_in_parts_is_found_whole() -> None:
    recorder = TurnRecorder()
    parts = talk(
        USER, "please write to me at this address because it is the one I use most, which is"
    )
    start = 200 * len(parts)
    parts += [
        (USER, " anna", start),
        (USER, ".smith", start + 200),
        (USER, "@example", start + 400),
    ]
    parts += [(USER, ".com", start + 600), *talk(USER, " thank you very much for it", start + 800)]
    lines = record(recorder, parts) + recorder.close(at(60_000))
    assert "[e-mail]" in str(said(read(lines, redact=True))[0][1])


def test_a_turn_without_spaces_is_cut_too() -> None:
    recorder = TurnRecorder()
    parts: list[tuple[Speaker, str, int]] = [(USER, "帮我把测试跑一遍", 200 * n) for n in range(40)]
    lines = record(recorder, parts) + recorder.close(at(60_000))
    assert len(lines) > 2
    assert said(read(lines)) == [("user", "帮我把测试跑一遍" * 40)]


def test_a_caller_who_falls_silent_is_written() -> None:
    recorder = TurnRecorder()
    record(recorder, talk(USER, "Hello"))
    assert recorder.advance(at(1000)) == []
    due = recorder.due_in(at(1000))
    assert due is not None
    assert timedelta(seconds=4) < due < timedelta(seconds=6)
    (line,) = recorder.advance(at(1000) + due)
    assert (line.fields["text"], line.fields["open"]) == ("Hello", True)
    rest = record(recorder, talk(USER, " are you there?", 9000)) + recorder.close(at(12_000))
    assert said(read([line, *rest])) == [("user", "Hello are you there?")]


def test_who_pauses_in_a_number_is_waited_for() -> None:
    recorder = TurnRecorder()
    lines = record(recorder, talk(USER, "It is 4111 1111"))
    lines += recorder.advance(at(8000))
    assert lines == []
    lines += record(recorder, talk(USER, " 1111 1111", 9000)) + recorder.close(at(20_000))
    assert said(read(lines, redact=True)) == [("user", "It is [card]")]


def test_a_run_that_takes_over_writes_no_word_twice() -> None:
    """A connection begins with the last three seconds once more."""
    words = talk(USER, "this is a long story that I tell in one go and it has no end at all " * 4)
    first = TurnRecorder()
    lines = record(first, words[:40])
    assert lines
    second = TurnRecorder()
    second.resume(stored(lines))
    second.filter.start_connection(at(40 * 200 - 3000))
    replayed = [part for part in words if part[2] >= 40 * 200 - 3000]
    lines += record(second, replayed) + second.close(at(90_000))
    text = " ".join(str(entry[1]) for entry in said(read(lines)))
    assert text.split() == " ".join(part[1].strip() for part in words).split()[: len(text.split())]


@pytest.mark.parametrize("place", [7_000_000, 86_400_000])
def test_words_are_dropped_as_repeated_only_when_a_connection_begins(place: int) -> None:
    """A record that ends with a place far ahead of the session."""
    first, second = TurnRecorder(), TurnRecorder()
    record(first, [(USER, "One.", 0), (USER, " odd", place)], lag=-place)
    second.resume(stored(first.close(at(1000))))
    second.filter.start_connection(at(40_000))
    lines = record(second, talk(USER, "Everything I say now.", 60_000)) + second.close(at(90_000))
    assert said(read(lines)) == [("user", "Everything I say now.")]


def test_a_timeline_that_began_again_is_followed_by_the_next_run() -> None:
    first, second = TurnRecorder(), TurnRecorder()
    parts = [*talk(USER, "Old time.", 900_000), *talk(ASSISTANT, "Ok.", 900_400)]
    parts += [*talk(USER, "New time.", 0), *talk(ASSISTANT, "Fine.", 6400)]
    lines = record(first, parts) + first.close(at(8000))
    second.resume(stored(lines))
    second.filter.start_connection(at(9000))
    replayed = talk(ASSISTANT, "Fine.", 6400)
    lines = record(second, [*replayed, *talk(USER, "Still new.", 8000)], lag=1000)
    lines += second.close(at(20_000))
    assert said(read(lines)) == [("user", "Still new.")]


def test_a_gap_keeps_two_halves_of_a_turn_apart() -> None:
    first, second = TurnRecorder(), TurnRecorder()
    lines = record(
        first, talk(USER, "what I wanted to say was that nobody had told me anything of it " * 2)
    )
    gap = {"since": None, "until": at(9000).isoformat(), "reason": "taken over"}
    lines.append(RecordLine("gap", "run-2", at(9000), gap))
    second.resume(stored(lines))
    lines += record(second, talk(USER, "and so on", 12_000)) + second.close(at(20_000))
    kinds = [entry.kind for entry in read(lines).entries]
    assert kinds == ["message", "gap", "message"]


def test_the_mark_of_an_interruption_is_the_whole_turns() -> None:
    recorder = TurnRecorder()
    words = "this answer is long and would go on for very much longer " * 3
    lines = record(recorder, talk(ASSISTANT, words.strip()))
    lines += record(recorder, [(USER, "Stop", 7200), (USER, " it", 7400)])
    lines += recorder.close(at(30_000))
    answer, stop = read(lines).entries
    assert (answer.interrupted, stop.interrupted) == (True, False)


def test_a_backchannel_is_marked_and_splits_nothing() -> None:
    recorder = TurnRecorder()
    parts = [(USER, "I have", 0), (ASSISTANT, " mhm", 200), (USER, " an order", 400)]
    lines = record(recorder, parts) + recorder.close(at(9000))
    entries = [(entry.role, entry.text, entry.backchannel) for entry in read(lines).entries]
    assert entries == [("user", "I have an order", False), ("assistant", "mhm", True)]


def test_an_interruption_that_is_known_late_is_the_turns() -> None:
    recorder = TurnRecorder()
    lines = record(recorder, [(ASSISTANT, "Your order", 0), (ASSISTANT, " was", 200)])
    lines += recorder.advance(at(4000))
    lines += record(recorder, [(USER, "Stop", 400)], lag=5000) + recorder.close(at(9000))
    entries = [(each.text, each.interrupted) for each in read(lines).entries]
    assert entries == [("Your order was", True), ("Stop", False)]
    assert [each.text for each in recorder.spoken.said()] == ["Your order was", "Stop"]


def test_words_that_come_late_are_read_where_they_were_said() -> None:
    recorder = TurnRecorder()
    parts = [(USER, "Where is", 0), (ASSISTANT, "Let me", 1600), (ASSISTANT, " look", 1800)]
    lines = record(recorder, parts, lag=2000)
    lines += record(recorder, [(USER, " my order", 200), (USER, "?", 400)], lag=4000)
    lines += recorder.close(at(9000))
    assert said(read(lines)) == [("user", "Where is my order?"), ("assistant", "Let me look")]
    said_so_far = [each.text for each in recorder.spoken.said()]
    assert said_so_far == ["Where is my order?", "Let me look"]


def test_a_timeline_that_begins_again_takes_no_line_away() -> None:
    recorder = TurnRecorder()
    for start in (0, 60_000, 0):
        record(recorder, talk(USER, "Hello there", start))
    lines = recorder.close(at(90_000))
    lines += record(recorder, talk(USER, "Hello there", 60_000)) + recorder.close(at(150_000))
    assert len({line.key for line in lines}) == len(lines) > 1


def test_words_with_one_place_have_lines_of_their_own_in_linear_time() -> None:
    recorder, lines = TurnRecorder(), []
    for number in range(4):
        speaker = ASSISTANT if number % 2 else USER
        lines += recorder.add(fragment(speaker, "x" * 500, 15_000), at(number))
    started = time.process_time()
    for number in range(15_000):
        speaker = ASSISTANT if number % 2 else USER
        lines += recorder.add(fragment(speaker, f"{number} {'x' * 500}", 14_000), at(number))
    assert time.process_time() - started < 5
    lines += recorder.close(at(90_000))
    assert len({(line.kind, line.key) for line in lines}) == len(lines)
    assert max(len(str(line.fields.get("text"))) for line in lines) < LONGEST_TURN + 600


@pytest.mark.parametrize("name", NAMES)
def test_recordings_read_in_the_order_of_their_timeline(name: str) -> None:
    recorder, lines, words = TurnRecorder(), [], {USER: "", ASSISTANT: ""}
    for frame in server_events(name):
        event = parse_server_event(frame.data)
        if isinstance(event, TranscriptFragment):
            words[event.speaker] += event.text
            lines += recorder.add(event, at(frame.at * 1000 or event.end_ms + 600))
    lines += recorder.close(at(1_000_000))
    entries = [entry for entry in read(lines).entries if entry.kind == "message"]
    starts = [entry.start_ms or 0 for entry in entries]
    assert starts == sorted(starts)
    for role, text in words.items():
        kept = "".join(str(entry.text) for entry in entries if entry.role == role)
        assert "".join(kept.split()) == "".join(text.split())


@pytest.mark.parametrize("word", [" 7", "7", "a@b ", "+", "w"])
def test_what_has_no_place_for_a_cut_costs_little_and_is_written(word: str) -> None:
    """A caller reads out digits, or a page plays a voice that does."""
    recorder, count, unwritten, most = TurnRecorder(), 4_000, "", 0
    begun = time.process_time()
    for number in range(count):
        start = 200 * number
        unwritten += word
        for line in recorder.add(fragment(USER, word, start), at(start + 600)):
            text = str(line.fields["text"])
            assert unwritten.startswith(text)
            unwritten = unwritten[len(text) :]
        most = max(most, len(unwritten))
        recorder.due_in(at(start + 600))
    assert time.process_time() - begun < 4
    assert most <= 310 * len(word)


def test_a_cut_that_must_be_made_is_made_between_numbers() -> None:
    number = "4111 1111 1111 1111"
    recorder = TurnRecorder()
    text = " ".join(f"{number} and then also" for _ in range(100))
    lines = record(recorder, talk(USER, text)) + recorder.close(at(200_000))
    assert len(lines) > 2
    for line in lines:
        assert str(line.fields["text"]).count("1111 1111 1111") == str(line.fields["text"]).count(
            "4111"
        )
