"""Frames that nobody needs are cut out of the stream, whatever pieces it comes in."""

from __future__ import annotations

import json
from random import Random

import pytest

from shared.sideband.frame_splitter import FrameSplitter

BEGINNINGS = (b'{"type":"heard",', b'{"type": "heard",')
TEXT, BINARY, CLOSE, PING = 0x81, 0x82, 0x88, 0x89


def frame(payload: bytes, first: int = TEXT) -> bytes:
    """A server's frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 2**16:
        return bytes([first, 126]) + size.to_bytes(2, "big") + payload
    return bytes([first, 127]) + size.to_bytes(8, "big") + payload


def heard(size: int, *, spaces: bool = False) -> bytes:
    separators = None if spaces else (",", ":")
    return frame(json.dumps({"type": "heard", "audio": "A" * size}, separators=separators).encode())


def other(size: int) -> bytes:
    return frame(json.dumps({"type": "other", "text": "x" * size}).encode())


def passed(stream: bytes, sizes: list[int]) -> bytes:
    """What is left of a stream that comes in pieces of these sizes, over and over."""
    splitter, left, position, turn = FrameSplitter(BEGINNINGS), b"", 0, 0
    while position < len(stream):
        piece = stream[position : position + sizes[turn % len(sizes)]]
        for is_message, found in splitter.split(bytearray(piece) + b"left over", len(piece)):
            left += frame(found) if is_message else found
        position, turn = position + len(piece), turn + 1
    assert not splitter.left
    assert not splitter.head
    return left


KEPT = [
    other(0),
    other(200),
    other(70_000),
    frame(b"", PING),
    frame(b"x" * 125, PING),
    frame(b'{"type":"heard","audio":""}', BINARY),
    frame(b'{"type":"heard"', TEXT & ~0x80),
    frame(b',"audio":""}', 0x80),
    frame(b""),
    frame(b"{}"),
    frame(b'{"type":"hea'),
    frame(b'{"type":"heard_not","audio":""}'),
    frame(b'{"audio":"","type":"heard"}'),
]
DROPPED = [heard(0), heard(20), heard(200), heard(12_800), heard(70_000), heard(9, spaces=True)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 100, 1460, 16_384, 10**6])
def test_what_is_needed_passes_and_nothing_else(size: int) -> None:
    frames = [each for pair in zip(KEPT, DROPPED * 3, strict=False) for each in pair]
    assert passed(b"".join(frames), [size]) == b"".join(KEPT)


def test_any_order_in_any_pieces() -> None:
    rng = Random(7)
    for _ in range(200):
        frames = rng.choices([*KEPT, *DROPPED], k=40)
        sizes = rng.choices([1, 2, 9, 60, 300, 9_000, 80_000], k=3)
        assert passed(b"".join(frames), sizes) == b"".join(each for each in frames if each in KEPT)


def test_a_dropped_frame_is_held_nowhere() -> None:
    splitter = FrameSplitter(BEGINNINGS)
    large = frame(b'{"type":"heard","audio":"' + b"A" * 10**6)
    for start in range(0, len(large), 1000):
        piece = large[start : start + 1000]
        assert splitter.split(piece, len(piece)) == []
        assert len(splitter.head) <= splitter.decided_by


def test_frames_for_the_library_that_follow_one_another_are_one_piece() -> None:
    pings, text = b"\x89\x00" * 1000, b"\x81\x02{}"
    stream = pings + text + pings
    assert FrameSplitter().split(stream, len(stream)) == [
        (False, pings),
        (True, b"{}"),
        (False, pings),
    ]
