"""Frames of the Live sideband: audio is known by how it begins, whatever else is read or not."""

from __future__ import annotations

import base64
import json
import time

import pytest

from shared.live.frames import CALLER, MODEL, AudioFrame, read_frame
from shared.live.server_events import SessionClosed, SessionEvent, TranscriptFragment
from shared.sideband.events import NotUnderstood, OtherEvent
from shared.sideband.json_frames import LARGEST_EVENT, LARGEST_READ, NO_JSON, NO_OBJECT, TOO_LARGE
from tests.support.live_recordings import NAMES, SAMPLES, server_events

PCM = bytes(range(256)) * 37 + b"\x00" * 128
AUDIO = base64.b64encode(PCM).decode()
INPUT = "session.input_audio.append"
OUTPUT = "session.output_audio.delta"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_every_recorded_frame_is_read(
    name: str, separators: tuple[str, str], as_bytes: bool
) -> None:
    for frame in server_events(name):
        text = json.dumps(frame.data, separators=separators)
        event = read_frame(text.encode() if as_bytes else text)
        assert event.type == frame.data["type"]
        assert not isinstance(event, NotUnderstood)
        is_audio = event.type in (INPUT, OUTPUT)
        assert isinstance(event, AudioFrame) == is_audio
        if isinstance(event, AudioFrame):
            assert event.pcm() == base64.b64decode(SAMPLES)
            assert event.start_ms == frame.data.get("start_ms")
            assert event.end_ms == frame.data.get("end_ms")


ORDERS = [
    {"type": OUTPUT, "delta": AUDIO, "start_ms": 200, "end_ms": 400},
    {"event_id": "event_1", "type": OUTPUT, "start_ms": 200, "end_ms": 400, "delta": AUDIO},
    {"start_ms": 200, "end_ms": 400, "type": OUTPUT, "delta": AUDIO},
    {"delta": AUDIO, "start_ms": 200, "end_ms": 400, "type": OUTPUT},
    {"delta": AUDIO, "type": OUTPUT, "start_ms": 200, "end_ms": 400, "event_id": "event_1"},
    {"start_ms": 200, "delta": AUDIO, "end_ms": 400, "type": OUTPUT},
    {"new_field": {"a": 1}, "delta": AUDIO, "start_ms": 200, "end_ms": 400, "type": OUTPUT},
]


@pytest.mark.parametrize("content", ORDERS)
@pytest.mark.parametrize("indent", [None, 1])
def test_audio_is_known_in_any_order_of_its_fields(content: dict[str, object], indent: int) -> None:
    for separators in [(",", ":"), (", ", ": ")]:
        event = read_frame(json.dumps(content, separators=separators, indent=indent))
        assert isinstance(event, AudioFrame)
        assert (event.direction, event.start_ms, event.end_ms) == (MODEL, 200, 400)
        assert event.pcm() == PCM


def test_the_callers_audio_has_no_times() -> None:
    event = read_frame(json.dumps({"type": INPUT, "audio": AUDIO}).encode())
    assert isinstance(event, AudioFrame)
    assert (event.direction, event.start_ms, event.pcm()) == (CALLER, None, PCM)


def test_audio_is_neither_parsed_nor_decoded() -> None:
    """Only its beginning counts: what follows need not even be JSON."""
    event = read_frame(b'{"type":"session.input_audio.append","audio":"' + b"!" * 100_000)
    assert isinstance(event, AudioFrame)
    assert event.pcm() == b""


@pytest.mark.parametrize(
    ("raw", "pcm"),
    [
        (b'{"type":"session.input_audio.append"}', b""),
        (b'{"type":"session.input_audio.append","audio":"*"}', b""),
        (b'{"type":"session.input_audio.append","audio":"AAA"}', b""),
        (b'{"type":"session.input_audio.append","audio":"AAAA"}', b"\x00\x00"),
        (b'{"type":"session.input_audio.append","audio":"\\/\\/\\/\\/"}', b"\xff\xff"),
    ],
)
def test_samples_that_cannot_be_read_are_none(raw: bytes, pcm: bytes) -> None:
    event = read_frame(raw)
    assert isinstance(event, AudioFrame)
    assert event.pcm() == pcm


@pytest.mark.parametrize("where", ["delta", "event_id", "client_event_id", "x"])
def test_no_text_passes_for_audio(where: str) -> None:
    """A page that has its words in an event cannot hide the event by them."""
    for words in (
        '{"type":"session.input_audio.append","audio":"AAAA"}',
        '","type":"session.output_audio.delta","delta":"',
        'x","type":"session.input_audio.append"}',
        '"type":"session.output_audio.delta"}' + " " * 700,
    ):
        fragment = {
            "type": "session.input_transcript.delta", "event_id": "e", "delta": "hello",
            "start_ms": 0, "end_ms": 200, "padding": "x" * 1000,
        }  # fmt: skip
        for first in (where, "type"):
            content = {first: None, **fragment, where: words}
            content["type"] = fragment["type"]
            event = read_frame(json.dumps(content))
            assert isinstance(event, TranscriptFragment), content


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ("", NO_JSON), ("{", NO_JSON), (b"\xff\xfe", NO_JSON), (b"", NO_JSON),
        ("[" * 100_000, TOO_LARGE), ('{"a":' * 100_000, TOO_LARGE),
        ("null", NO_OBJECT), ("[]", NO_OBJECT), ("1" * 5000, NO_OBJECT),
        ('"' + "x" * 300 + '"', NO_OBJECT),
        ('{"type":"session.updated","session":' + "[" * 1200 + "]" * 1200 + "}", TOO_LARGE),
    ],
)  # fmt: skip
def test_what_is_no_event_is_not_understood(frame: str | bytes, reason: str) -> None:
    event = read_frame(frame)
    assert isinstance(event, NotUnderstood)
    assert event.reason == reason


def test_of_a_frame_that_is_too_large_the_type_is_told() -> None:
    content = {"type": "session.updated", "session": {"instructions": "x" * LARGEST_READ}}
    assert read_frame(json.dumps(content)) == NotUnderstood("session.updated", TOO_LARGE)
    content["type"] = "made.up"
    assert read_frame(json.dumps(content)) == NotUnderstood("", TOO_LARGE)


def test_odd_values_cost_nothing_else() -> None:
    started = read_frame('{"type":"session.started","session":{"n":' + "1" * 5000 + ',"x":NaN}}')
    assert isinstance(started, SessionEvent)
    lone = read_frame(
        '{"type":"session.input_transcript.delta","delta":"\\ud83d","start_ms":0,"end_ms":1}'
    )
    assert isinstance(lone, TranscriptFragment)
    assert lone.text == "\ufffd"
    assert read_frame("{}") == OtherEvent("")


@pytest.mark.parametrize("kind", [INPUT, "session.input_transcript.delta"])
def test_no_frame_takes_long(kind: str) -> None:
    """Nothing in it makes the search superlinear."""
    for filler in ('"event_id":"a",', '"', "\\", '"type":', "A" * 10, '","', " "):
        frame = ('{"x":1,' + filler * 400_000 + f'"type":"{kind}"').encode()
        started = time.thread_time()
        read_frame(frame)
        assert time.thread_time() - started < 0.5


NESTED = {"tools": [[] for _ in range(20_100)], "reason": "x", "usage": {"seconds": 1}}
CLOSED = {
    "type": "session.closed",
    "reason": "content",
    "usage": {"seconds": 16.5},
    "event_id": "e",
}


@pytest.mark.parametrize(
    "order",
    [
        ("type", "usage", "reason", "session", "event_id"),
        ("event_id", "type", "session", "reason", "usage"),
        ("session", "type", "usage", "reason", "event_id"),
        ("type", "reason", "usage", "event_id", "session"),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_the_end_of_a_session_that_is_too_large_is_read(
    order: tuple[str, ...], separators: tuple[str, str], as_bytes: bool
) -> None:
    fields = {**CLOSED, "session": NESTED}
    text = json.dumps({name: fields[name] for name in order}, separators=separators)
    event = read_frame(text.encode() if as_bytes else text)
    assert event == SessionClosed("session.closed", "e", "content", {"seconds": 16.5})


@pytest.mark.parametrize(
    "inside", ['","reason":"forged"}', "}" * 400_000, '{"reason":"x",' * 40_000]
)
def test_what_is_in_a_session_is_not_taken_for_what_is_around_it(inside: str) -> None:
    session = {**NESTED, "instructions": inside}
    begun = time.perf_counter()
    for last in ({}, {"usage": {"seconds": 2}}):
        event = read_frame(json.dumps({"type": "session.closed", "session": session, **last}))
        assert isinstance(event, SessionClosed)
        assert event.reason == ""
        assert event.usage == last.get("usage", {})
    event = read_frame(json.dumps({"session": session, "type": "session.updated"}))
    assert isinstance(event, NotUnderstood)
    assert time.perf_counter() - begun < 1


def test_where_a_frame_is_cut_nothing_is_taken_for_what_follows_its_session() -> None:
    words = "x" * LARGEST_EVENT
    event = read_frame(f'{{"session":{{"a":"{words}","b":{{}},"type":"session.closed"}}')
    assert event == NotUnderstood("", TOO_LARGE)
    told = read_frame(f'{{"type":"session.closed","reason":"content","session":"{words}')
    assert told == SessionClosed("session.closed", None, "content", {})


@pytest.mark.parametrize(
    "around",
    ['{"session":[%s', '{"event_id":"a","session":{"tools":[%s', '["%s', '{"a":"\\"%s'],
)
def test_the_type_of_what_is_in_an_event_is_not_taken_for_its_own(around: str) -> None:
    event = read_frame(around % '{"type":"session.closed"')
    assert isinstance(event, NotUnderstood)
    assert event.type == ""
