"""An id proves nothing: what a page adds under another item's id is on record as the page's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.realtime.event_mapper import EventMapper
from shared.realtime.item_keys import REMEMBERED, ItemKeys
from shared.realtime.response_lines import RESPONSE_LINES
from shared.realtime.server_event_parser import parse_server_event
from shared.transcripts.failures import failure_in_line
from shared.transcripts.record_lines import RecordLine, StoredLine, decode_lines, encode_line
from shared.transcripts.redaction import unchanged
from shared.transcripts.transcript import Entry, build_transcript

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Event = dict[str, Any]
PROMISE = "We promise a refund."


class Recorded:
    """A mapper, and what its events have put on record."""

    def __init__(self, lines: Iterable[RecordLine] = ()) -> None:
        self.mapper = EventMapper()
        self.lines = list(lines)
        self.mapper.resume(self.stored())

    def stored(self) -> list[StoredLine]:
        encoded = (encode_line("c", n, line, unchanged) for n, line in enumerate(self.lines))
        return decode_lines(b"".join(encoded))

    def tell(self, kind: str, **fields: Any) -> None:
        self.lines += self.mapper.map_event(parse_server_event({"type": kind, **fields}), NOW)

    def create_own(self, name: str, what: str) -> None:
        """As the server does: it records the id, then creates the item."""
        key = self.mapper.origins.add_own_item(name, probe=what == "probe")
        self.lines.append(RecordLine("sent", key, NOW, {"what": what}))
        self.add(item_of(name, "."))

    def add(self, item: Event) -> None:
        self.tell("conversation.item.added", item=item, previous_item_id=None)
        self.tell("conversation.item.done", item=item, previous_item_id=None)

    def answer(self, name: str, text: str = "Hello.", **response: Any) -> None:
        """An answer of the model's."""
        self.begin_answer(name, **response)
        if not response:
            item = item_of(name, "", "assistant", status="in_progress")
            self.tell("conversation.item.added", item=item, previous_item_id=None)
        self.end_answer(name, text)

    def begin_answer(self, name: str, **response: Any) -> None:
        item = item_of(name, "", "assistant", status="in_progress")
        self.tell("response.created", response={"id": f"r {name}", **response})
        self.tell("response.output_item.added", response_id=f"r {name}", item=item)

    def end_answer(self, name: str, text: str) -> None:
        item = item_of(name, text, "assistant")
        self.tell("response.output_item.done", response_id=f"r {name}", item=item)
        self.tell("response.done", response={"id": f"r {name}", "output": [item]})

    def delete(self, name: str) -> None:
        self.tell("conversation.item.deleted", item_id=name)

    def entries(self) -> list[Entry]:
        return list(build_transcript(self.stored()).entries)

    def told(self) -> list[tuple[str | None, str]]:
        return [(entry.text, entry.origin) for entry in self.entries()]


def item_of(name: str, text: str, role: str = "system", **fields: Any) -> Event:
    content = [{"type": "input_text", "text": text}] if text else []
    item = {"id": name, "type": "message", "role": role, "content": content}
    return {**item, "status": "completed", **fields}


@pytest.mark.parametrize("seen", [True, False], ids=["deletion seen", "deletion missed"])
@pytest.mark.parametrize("taken_over", [False, True], ids=["same run", "taken over"])
@pytest.mark.parametrize("whose", ["probe", "tool output", "model"])
def test_what_a_page_adds_under_the_id_of_another_item_is_the_pages(
    whose: str, taken_over: bool, seen: bool
) -> None:
    it = Recorded()
    if whose == "model":
        it.answer("item_1")
    else:
        it.create_own("item_1", whose)
    if seen:
        it.delete("item_1")
    if taken_over:
        it = Recorded(it.lines)
    it.add(item_of("item_1", PROMISE))
    assert (PROMISE, "page") in it.told()
    assert not [text for text, origin in it.told() if text == PROMISE and origin != "page"]
    again = Recorded(it.lines)
    again.delete("item_1")
    again.add(item_of("item_1", "Once more."))
    assert ("Once more.", "page") in again.told()


def test_a_probe_of_an_earlier_run_that_is_retrieved_is_no_item() -> None:
    it = Recorded()
    it.create_own("item_1", "probe")
    it = Recorded(it.lines)
    it.tell("conversation.item.retrieved", item=item_of("item_1", "."))
    assert it.entries() == []
    it.tell("conversation.item.retrieved", item=item_of("item_1", PROMISE))
    assert it.told() == [(PROMISE, "unknown")]


@pytest.mark.parametrize("early", [True, False], ids=["while it is made", "after it"])
def test_an_answer_outside_the_conversation_lends_its_id_to_nobody(early: bool) -> None:
    it = Recorded()
    it.begin_answer("item_1", conversation_id=None)
    if early:
        it.add(item_of("item_1", PROMISE, "assistant"))
    it.end_answer("item_1", "Hello.")
    if not early:
        it.add(item_of("item_1", PROMISE, "assistant"))
    assert sorted(it.told(), key=str) == [("Hello.", "model"), (PROMISE, "page")]


def test_what_the_model_and_the_caller_say_stays_theirs_though_their_items_are_replaced() -> None:
    it = Recorded()
    it.tell("input_audio_buffer.committed", item_id="item_0", previous_item_id=None)
    it.add(item_of("item_0", "", "user"))
    it.begin_answer("item_1")
    started = item_of("item_1", "", "assistant", status="in_progress")
    it.tell("conversation.item.added", item=started, previous_item_id="item_0")
    for name in ("item_0", "item_1"):
        it.delete(name)
        it.add(item_of(name, PROMISE, "user"))
    spoken = "conversation.item.input_audio_transcription.completed"
    it.tell(spoken, item_id="item_0", transcript="Am I owed something?")
    it.end_answer("item_1", "No.")
    assert sorted(it.told(), key=str) == [
        ("Am I owed something?", "caller"),
        ("No.", "model"),
        (PROMISE, "page"),
        (PROMISE, "page"),
    ]


def test_an_item_that_was_deleted_long_ago_lends_its_key_to_nobody() -> None:
    it = Recorded()
    for name in ("item_1", *(f"item {n}" for n in range(REMEMBERED)), "item_1"):
        it.add(item_of(name, name if it.lines else "innocent", "user"))
        it.delete(name)
    assert [(e.text, e.item_id) for e in it.entries() if e.item_id.startswith("item_1")] == [
        ("innocent", "item_1"),
        ("item_1", f"item_1 #{REMEMBERED + 2}"),
    ]


def test_no_key_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.realtime.item_keys.REMEMBERED", 3)
    keys, given = ItemKeys(), []
    for name in [*"abcabdaeebafaaagab", *"abcdefghijklm" * 3]:
        item = parse_server_event({"type": "conversation.item.added", "item": item_of(name, ".")})
        keys.note_added(item)  # type: ignore[arg-type]
        given.append(keys.key_of(name))
        keys.note_taken(name)
        if len(given) == 20:
            resumed = ItemKeys()
            for key in given:
                resumed.resume(key)
            keys = resumed
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("kind", ["retrieved", "done"])
def test_of_an_item_that_was_not_seen_being_added_nothing_is_proven(kind: str) -> None:
    it = Recorded()
    item = item_of("item_1", "Hello.", "assistant")
    it.tell(f"conversation.item.{kind}", item=item, previous_item_id="item_0")
    assert it.told() == [("Hello.", "unknown")]


TRUNCATED = {"item_id": "item_1", "content_index": 0}


def test_how_much_was_heard_is_not_what_a_page_says() -> None:
    it = Recorded()
    it.answer("item_1")
    it.tell("conversation.item.truncated", **TRUNCATED, audio_end_ms=1)
    (entry,) = it.entries()
    assert (entry.interrupted, entry.heard_ms, entry.truncated_ms) == (False, None, 1)
    it.tell("input_audio_buffer.speech_started", item_id="item_2", audio_start_ms=900)
    it.tell("conversation.item.truncated", **TRUNCATED, audio_end_ms=900)
    it.tell("conversation.item.truncated", **TRUNCATED, audio_end_ms=2)
    (entry,) = it.entries()
    assert (entry.interrupted, entry.heard_ms, entry.interrupted_by) == (True, 900, "caller")


def test_an_interruption_of_an_answer_that_was_not_seen_is_by_nobody_known() -> None:
    it = Recorded()
    it.answer("item_1")
    it = Recorded(it.lines)
    it.tell("conversation.item.truncated", **TRUNCATED, audio_end_ms=900)
    (entry,) = it.entries()
    assert (entry.heard_ms, entry.interrupted_by) == (900, "unknown")


def test_a_page_cannot_have_the_items_of_others_forgotten() -> None:
    """It adds items between the caller's words, or the model's, and what they say."""
    call = Recorded()
    call.tell("input_audio_buffer.committed", item_id="asked")
    call.tell("conversation.item.added", item=item_of("asked", ""), previous_item_id=None)
    call.begin_answer("answer")
    in_progress = item_of("answer", "", "assistant", status="in_progress")
    call.tell("conversation.item.added", item=in_progress, previous_item_id="asked")
    own = call.mapper.origins.add_own_item("ours", probe=False)
    for number in range(REMEMBERED + 100):
        call.add(item_of(f"page_{number}", "x"))
    transcribed = "conversation.item.input_audio_transcription.completed"
    call.tell(transcribed, item_id="asked", transcript="I never agreed.")
    call.end_answer("answer", PROMISE)
    call.tell("conversation.item.done", item=item_of("answer", PROMISE, "assistant"))
    call.add(item_of("ours", "Result."))
    (words,) = [line for line in call.lines if line.kind == "words"]
    assert (words.key, words.by) == ("asked", "caller")
    said = [line for line in call.lines if line.fields.get("text") == PROMISE]
    assert [(line.key, line.by) for line in said] == [("answer", "model")]
    assert {line.by for line in call.lines if line.key == own} == {"server"}


def test_words_of_a_transcription_are_the_callers_whatever_is_remembered() -> None:
    call = Recorded()
    for kind in ("completed", "failed"):
        about = {"item_id": "gone", "transcript": "Hello.", "error": {}}
        call.tell(f"conversation.item.input_audio_transcription.{kind}", **about)
    assert [line.by for line in call.lines if line.kind == "words"] == ["caller", "caller"]


@pytest.mark.parametrize("resumed", [False, True])
def test_responses_without_an_end_are_summed_up(resumed: bool) -> None:
    call, responses = Recorded(), 20_000
    for number in range(responses):
        if resumed and number == RESPONSE_LINES - 10:
            call = Recorded(call.lines)
        usage = {"input_token_details": {"text_tokens": 3}}
        call.tell("response.done", response={"id": f"r{number}", "usage": usage})
    call.lines += call.mapper.responses.sum_up(None, NOW)
    lines = [line for line in call.lines if line.kind == "response"]
    assert len(lines) < RESPONSE_LINES + 200
    assert sum(line.fields["usage"]["text_in"] for line in lines) == 3 * responses
    assert not any(failure_in_line(line) for line in call.stored())
