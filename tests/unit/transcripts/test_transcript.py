"""Events become record lines, and lines a transcript in the conversation's order."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.realtime.event_mapper import EventMapper
from shared.realtime.server_event_parser import parse_server_event
from shared.transcripts import transcript
from shared.transcripts.record_lines import RecordLine, StoredLine, decode_lines, encode_line
from shared.transcripts.redaction import redacted, unchanged
from shared.transcripts.transcript import Transcript

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Event = dict[str, Any]


def transcribed(*events: Event, mapper: EventMapper | None = None) -> Transcript:
    return transcript.build_transcript(stored("rtc_1", lines_of(events, mapper)))


def stored(call_id: str, lines: Iterable[RecordLine]) -> list[StoredLine]:
    """Lines as they are read back after each was written."""
    encoded = (encode_line(call_id, seq, line, unchanged) for seq, line in enumerate(lines))
    return decode_lines(b"".join(encoded))


def lines_of(events: Any, mapper: EventMapper | None = None) -> list[RecordLine]:
    mapper = mapper or EventMapper()
    found: list[RecordLine] = []
    for number, event in enumerate(events):
        found += mapper.map_event(parse_server_event(event), NOW + timedelta(seconds=number))
    return found


def told(script: Transcript) -> list[tuple[str, str | None]]:
    return [(each.role or each.kind, each.text) for each in script.entries]


def added(name: str, previous: str | None, role: str = "user", **item: Any) -> Event:
    content: Event = {"id": name, "type": "message", "role": role, "content": [], **item}
    return {"type": "conversation.item.added", "previous_item_id": previous, "item": content}


def done(name: str, previous: str | None, text: str | None, role: str, **item: Any) -> Event:
    part = {"type": "output_audio" if role == "assistant" else "input_audio", "transcript": text}
    content: Event = {"id": name, "type": "message", "role": role, "status": "completed"}
    item = {**content, "content": [part], **item}
    return {"type": "conversation.item.done", "previous_item_id": previous, "item": item}


def spoken(name: str, text: str) -> Event:
    return {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": name,
        "content_index": 0,
        "transcript": text,
        "usage": {"type": "duration", "seconds": 1.5},
    }


def response(name: str, tokens: int, *output: Event, status: str = "completed") -> Event:
    told = {"input_token_details": {"text_tokens": tokens}, "input_tokens": tokens}
    body = {"id": name, "status": status, "output": list(output), "usage": told}
    return {"type": "response.done", "response": body}


def turn(number: int, previous: str | None) -> list[Event]:
    """A spoken turn as it is recorded live: the caller's words come during the answer."""
    user, answer = f"u{number}", f"a{number}"
    return [
        added(user, previous),
        done(user, previous, None, "user"),
        added(answer, user, "assistant"),
        spoken(user, f"question {number}"),
        {
            "type": "response.output_audio_transcript.done",
            "item_id": answer,
            "transcript": f"answer {number}",
        },
        # Null in the first response, whatever precedes it: recorded live.
        done(answer, user if number else None, f"answer {number}", "assistant"),
        response(f"r{number}", 10),
    ]


def conversation(turns: int) -> list[Event]:
    return [e for n in range(turns) for e in turn(n, f"a{n - 1}" if n else None)]


def test_the_callers_words_stand_before_the_answer() -> None:
    script = transcribed(*conversation(2))
    assert told(script) == [
        ("user", "question 0"),
        ("assistant", "answer 0"),
        ("user", "question 1"),
        ("assistant", "answer 1"),
    ]
    assert script.usage.total == 20


@given(st.permutations(conversation(3)))
def test_any_order_of_arrival_gives_the_same_transcript(events: list[Event]) -> None:
    expected, found = transcribed(*conversation(3)), transcribed(*events)
    assert told(found) == told(expected)
    assert [each.item_id for each in found.entries] == [each.item_id for each in expected.entries]
    assert not any(each.interrupted for each in found.entries)
    assert found.usage == expected.usage


@given(st.lists(st.sampled_from(conversation(2)), min_size=1, max_size=40))
def test_repeated_and_missing_events_break_nothing(events: list[Event]) -> None:
    script = transcribed(*events)
    names = [each.item_id for each in script.entries]
    assert len(set(names)) == len(names)
    expected = ["u0", "a0", "u1", "a1"]
    known = [
        n
        for n in expected
        if any(e["type"].endswith("added") and e["item"]["id"] == n for e in events)
    ]
    if len(known) == 4:
        assert [n for n in names if n in expected] == expected


@given(st.data())
def test_two_writers_of_one_conversation_write_it_once(data: st.DataObject) -> None:
    """The lines of both, interleaved in any way, read as the whole conversation."""
    whole = lines_of(conversation(3))
    cut = data.draw(st.integers(0, len(whole)))
    overlap = data.draw(st.integers(0, cut))
    both = whole[:cut] + whole[overlap:]
    found = transcript.build_transcript(stored("rtc_1", both))
    expected = transcript.build_transcript(stored("rtc_1", whole))
    assert found.to_json() == expected.to_json()


def test_a_very_long_conversation() -> None:
    script = transcribed(*conversation(3000))
    assert len(script.entries) == 6000
    assert script.entries[-1].text == "answer 2999"


def test_an_interruption_says_what_was_heard() -> None:
    script = transcribed(
        added("a", None, "assistant"),
        *(
            {"type": "response.output_audio_transcript.delta", "item_id": "a", "delta": d}
            for d in ("Once", " upon")
        ),
        {
            "type": "conversation.item.truncated",
            "item_id": "a",
            "content_index": 0,
            "audio_end_ms": 640,
        },
        {"type": "response.output_audio_transcript.delta", "item_id": "a", "delta": " a time"},
        done("a", None, None, "assistant", status="incomplete"),
        response("r", 5, status="cancelled"),
    )
    (entry,) = script.entries
    assert (entry.interrupted, entry.heard_ms, entry.heard_text) == (True, 640, "Once upon")
    assert entry.text == "Once upon a time"


def test_an_answer_cut_after_its_end_keeps_its_words() -> None:
    """The audio of a finished response may still be playing."""
    truncated = {"type": "conversation.item.truncated", "item_id": "a0", "content_index": 0}
    script = transcribed(*conversation(1), {**truncated, "audio_end_ms": 100})
    assert script.entries[1].interrupted
    assert (script.entries[1].text, script.entries[1].heard_ms) == ("answer 0", 100)


def test_tool_calls_and_results() -> None:
    call = {"id": "c", "type": "function_call", "status": "completed", "name": "order_status",
            "call_id": "call_1", "arguments": '{"order_number": "1002"}'}  # fmt: skip
    result = {"id": "o", "type": "function_call_output", "call_id": "call_1", "output": "late"}
    script = transcribed(
        *conversation(1),
        {
            "type": "conversation.item.added",
            "previous_item_id": "a0",
            "item": {**call, "arguments": ""},
        },
        {"type": "conversation.item.done", "previous_item_id": "a0", "item": call},
        {"type": "conversation.item.added", "previous_item_id": "c", "item": result},
        {"type": "conversation.item.done", "previous_item_id": "c", "item": result},
    )
    shown = [entry.to_json() for entry in script.entries[2:]]
    assert shown[0]["name"] == "order_status"
    assert (shown[0]["kind"], shown[1]["kind"], shown[1]["output"]) == (
        "tool_call",
        "tool_result",
        "late",
    )


def test_missing_words_have_a_reason() -> None:
    failed = {"type": "conversation.item.input_audio_transcription.failed", "item_id": "u0",
              "error": {"code": "DeploymentNotFound"}}  # fmt: skip
    events = [e for e in conversation(2) if "transcription" not in e["type"]]
    script = transcribed(*events, failed, spoken("u1", ""))
    assert [e.untranscribed for e in script.entries if e.role == "user"] == [
        "DeploymentNotFound",
        "nothing was said",
    ]


def test_an_inserted_item_stands_in_its_place_and_a_deleted_one_keeps_its_own() -> None:
    note = {"content": [{"type": "input_text", "text": "note"}], "role": "system", "id": "n"}
    script = transcribed(
        *conversation(2),
        added("n", "a0", "system"),
        {
            "type": "conversation.item.done",
            "previous_item_id": "a0",
            "item": {**note, "type": "message"},
        },
        {"type": "conversation.item.deleted", "item_id": "a1"},
        added("x", "u1"),
        done("x", "u1", "after it", "user"),
    )
    assert [e.item_id for e in script.entries] == ["u0", "a0", "n", "u1", "a1", "x"]
    assert [e.item_id for e in script.entries if e.deleted] == ["a1"]


def test_a_late_observer_fills_in_what_was_before_and_says_what_may_be_missing() -> None:
    """It sees the second turn, and retrieves the answer before it."""
    mapper = EventMapper()
    seen = lines_of(turn(1, "a0"), mapper)
    retrieved = {**done("a0", None, "answer 0", "assistant"), "type": "conversation.item.retrieved"}
    del retrieved["previous_item_id"]
    retrieved["item"]["content"][0]["audio"] = "AAAA"
    late = mapper.map_event(parse_server_event(retrieved), NOW)
    gap = RecordLine(
        "gap", "start", NOW, {"until": NOW.isoformat(), "before": "a0", "reason": "late"}
    )
    written = stored("rtc_1", [*seen, *late, gap])
    script = transcript.build_transcript(written)
    assert [e.item_id or e.kind for e in script.entries] == ["gap", "a0", "u1", "a1"]
    assert script.entries[1].text == "answer 0"
    assert "AAAA" not in str(written)


def test_a_gap_stands_where_it_was() -> None:
    first, second = conversation(1), turn(2, "lost")
    gap = RecordLine(
        "gap", "1", NOW, {"since": NOW.isoformat(), "until": NOW.isoformat(), "after": "a0"}
    )
    both = [*lines_of(first), gap, *lines_of(second)]
    script = transcript.build_transcript(stored("rtc_1", both))
    assert [e.item_id or e.kind for e in script.entries] == ["u0", "a0", "gap", "u2", "a2"]
    assert script.gaps == 1


def test_a_probe_leaves_no_trace_even_if_the_caller_spoke_meanwhile() -> None:
    mapper = EventMapper()
    mapper.origins.add_own_item("probe_1", probe=True)
    script = transcribed(
        *conversation(1),
        added("probe_1", "a0", "system"),
        done("probe_1", "a0", "x", "system"),
        added("u1", "probe_1"),
        {"type": "conversation.item.deleted", "item_id": "probe_1"},
        done("u1", "probe_1", "hello", "user"),
        mapper=mapper,
    )
    assert [e.item_id for e in script.entries] == ["u0", "a0", "u1"]


def test_an_answer_outside_the_conversation_stands_where_it_arrived() -> None:
    item = {"id": "o", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "aside"}]}  # fmt: skip
    aside = {
        "type": "response.output_item.done",
        "response_id": "r",
        "output_index": 0,
        "item": item,
    }
    script = transcribed(*conversation(1), aside, *turn(1, "a0"))
    assert [e.item_id for e in script.entries] == ["u0", "a0", "o", "u1", "a1"]


def test_a_cycle_loses_nothing() -> None:
    script = transcribed(added("a", "b"), added("b", "a"), *conversation(1))
    assert {e.item_id for e in script.entries} == {"a", "b", "u0", "a0"}


RECORDING = [
    ("added", None, "item_1", "user", "Say hello."),
    ("done", None, "item_1", "user", "Say hello."),
    ("added", "item_1", "item_2", "assistant", None),
    ("done", None, "item_2", "assistant", "Hello there!"),
]


def test_the_recorded_text_turn() -> None:
    """Ids and nulls as in recorded live traffic over the sideband of an Azure call."""
    events = []
    for kind, previous, name, role, text in RECORDING:
        content = [{"type": "output_text", "text": text}] if text else []
        item = {
            "id": name,
            "type": "message",
            "role": role,
            "status": "completed",
            "content": content,
        }
        events.append(
            {"type": f"conversation.item.{kind}", "previous_item_id": previous, "item": item}
        )
    assert told(transcribed(*events)) == [("user", "Say hello."), ("assistant", "Hello there!")]


def test_what_is_written_is_redacted_and_json_stays_json() -> None:
    fields = {
        "text": "I am a@example.com",
        "arguments": '{"card": "4111111111111111", "n": 1}',
        "output": "no json: b@example.com",
        "call_id": "call_1",
    }
    raw = encode_line("rtc_1", 7, RecordLine("item", "i", NOW, fields), redacted)
    assert b"example.com" not in raw
    content = json.loads(raw)
    assert json.loads(content["arguments"]) == {"card": "[card]", "n": 1}
    assert (content["id"], content["seq"], content["call"]) == ("rtc_1/item/i", 7, "rtc_1")
    assert b"a@example.com" in encode_line(
        "rtc_1", 7, RecordLine("item", "i", NOW, fields), unchanged
    )


def test_a_torn_last_line_is_left_out() -> None:
    whole = encode_line("rtc_1", 0, RecordLine("words", "i", NOW, {"text": "hi"}), unchanged)
    assert len(decode_lines(whole + whole[: len(whole) // 2])) == 1
    assert decode_lines(b"\n[]\n1\nnull\n{}\n") == []


@pytest.mark.parametrize("kind", ["error", "response.unheard_of", ""])
def test_events_without_anything_in_them(kind: str) -> None:
    assert len(lines_of([{"type": kind}])) == (kind == "error")


def test_errors_keep_their_code_and_not_their_text() -> None:
    told = {"type": "invalid_request_error", "code": "invalid_value", "message": "secret words"}
    (line,) = lines_of([{"type": "error", "event_id": "e", "error": told}])
    assert line.fields["code"] == "invalid_value"
    assert "secret" not in str(line)


def test_what_was_not_understood_is_counted_with_few_lines() -> None:
    lines = lines_of([{"type": "session.updated"}] * 20_000)
    assert len(lines) < 150
    unread = transcript.build_transcript(stored("rtc_1", lines)).unread
    assert 18_000 <= unread <= 20_000
