"""A frame of the Live sideband -> a server event, in bounded time, whatever the frame holds. Pure.

Both directions of the audio come on it, ten frames of 13 kB a second, and nothing turns them off.
They are known by how they begin and are neither parsed nor decoded: whoever records them decodes
them then (`AudioFrame.pcm`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.core.untrusted import LONGEST_MILLISECONDS
from shared.live.audio_beginnings import (
    AUDIO_BEGINNINGS,
    INPUT_AUDIO,
    OUTPUT_AUDIO,
    beginnings_of,
)
from shared.live.outer_fields import outer_fields
from shared.live.server_event_parser import PARSERS, parse_server_event
from shared.sideband.events import NotUnderstood, ServerEvent
from shared.sideband.json_frames import (
    TOO_LARGE,
    Unreadable,
    read_object,
    text_of,
    type_at_the_beginning,
)

Direction = Literal["caller", "model"]
CALLER: Direction = "caller"
MODEL: Direction = "model"
DIRECTIONS: Mapping[str, Direction] = {
    INPUT_AUDIO: CALLER,
    OUTPUT_AUDIO: MODEL,
}
"""By the types of the events."""
CALLERS_BEGINNINGS = beginnings_of(INPUT_AUDIO)
SHORTEST_AUDIO = 200
"""In bytes: a shorter frame costs nothing to parse."""
TYPES = b"session\\.input_audio\\.append|session\\.output_audio\\.delta"
SMALL = (
    rb'"(?:event_id|client_event_id|start_ms|end_ms)"\s{0,2}:\s{0,2}'
    rb'(?:"[^"\\]{0,128}"|[0-9]{1,12}|null)'
)
SAMPLES = rb'"(?:audio|delta)"\s{0,2}:\s{0,2}"'
TYPE_FIRST = re.compile(
    rb"\s{0,4}\{\s{0,4}(?:" + SMALL + rb"\s{0,2},\s{0,2}){0,4}"
    rb'"type"\s{0,2}:\s{0,2}"(' + TYPES + rb')"'
)
"""The same with other fields before the type."""
SAMPLES_FIRST = re.compile(
    rb"\s{0,4}\{\s{0,4}(?:" + SMALL + rb"\s{0,2},\s{0,2}){0,4}" + SAMPLES + rb"[A-Za-z0-9+/=]"
)
TYPE_LAST = re.compile(
    rb'"\s{0,2},\s{0,2}(?:' + SMALL + rb"\s{0,2},\s{0,2}){0,4}"
    rb'"type"\s{0,2}:\s{0,2}"(' + TYPES + rb')"'
    rb"(?:\s{0,2},\s{0,2}" + SMALL + rb"){0,4}\s{0,4}\}\s{0,4}\Z"
)
"""The same with the audio before the type."""
EDGE = 600
"""In bytes: how far from either end of a frame its fields are looked for."""
NUMBER = {
    name: re.compile(rb'"' + name.encode() + rb'"\s{0,2}:\s{0,2}([0-9]{1,12})\b')
    for name in ("start_ms", "end_ms")
}
AUDIO = re.compile(SAMPLES)
CLOSED = "session.closed"


@dataclass(frozen=True, slots=True)
class AudioFrame(ServerEvent):
    """200 ms of audio of the caller (`session.input_audio.append`, before muting) or of the model
    (`session.output_audio.delta`), as it came. Neither has an event id."""

    direction: Direction
    raw: bytes

    @property
    def size(self) -> int:
        """How many bytes it takes, undecoded."""
        return len(self.raw)

    def pcm(self) -> bytes:
        """The samples: 24 kHz, mono, 16 bits, little-endian; b"" if they cannot be read."""
        found = AUDIO.search(self.raw)
        end = self.raw.find(b'"', found.end()) if found else -1
        if found is None or end < 0:
            return b""
        try:
            # Some encoders escape the slash.
            encoded = self.raw[found.end() : end].replace(b"\\/", b"/")
            samples = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return b""
        return samples[: len(samples) // 2 * 2]

    @property
    def start_ms(self) -> int | None:
        """Where it begins on the session's timeline; only the model's audio tells."""
        return self.number("start_ms")

    @property
    def end_ms(self) -> int | None:
        """Where it ends on the session's timeline."""
        return self.number("end_ms")

    def number(self, name: str) -> int | None:
        for edge in (self.raw[:EDGE], self.raw[-EDGE:]):
            if found := NUMBER[name].search(edge):
                return min(int(found[1]), LONGEST_MILLISECONDS)
        return None


def read_frame(frame: str | bytes) -> ServerEvent:
    """The event in a frame; `NotUnderstood` for whatever is not one."""
    raw = frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")
    if raw.startswith(AUDIO_BEGINNINGS):
        kind = INPUT_AUDIO if raw.startswith(CALLERS_BEGINNINGS) else OUTPUT_AUDIO
        return AudioFrame(kind, DIRECTIONS[kind], raw)
    if len(raw) >= SHORTEST_AUDIO and (odd := audio_type(raw)):
        return AudioFrame(odd, DIRECTIONS[odd], raw)
    return read_event(frame, raw)


def audio_type(raw: bytes) -> str:
    """The type of a frame with audio whose fields come in another order; "" for other frames. It
    looks at no more than the ends of the frame."""
    if found := TYPE_FIRST.match(raw, 0, EDGE):
        return found[1].decode()
    if SAMPLES_FIRST.match(raw, 0, EDGE) and (found := TYPE_LAST.search(raw[-EDGE:])):
        return found[1].decode()
    return ""


def read_event(frame: str | bytes, raw: bytes) -> ServerEvent:
    """The event in a frame that does not look like audio."""
    try:
        content = read_object(text_of(frame))
    except Unreadable as error:
        return unread_event(frame, error.reason)
    kind = content.get("type")
    if isinstance(kind, str) and kind in DIRECTIONS:
        return AudioFrame(kind, DIRECTIONS[kind], raw)
    return parse_server_event(content)


def unread_event(frame: str | bytes, reason: str) -> ServerEvent:
    """What is known of an event that is not read. That the session is over, and why, must not be
    lost because of what is in the session."""
    fields = outer_fields(frame) if reason == TOO_LARGE else {}
    if fields.get("type") == CLOSED:
        return parse_server_event(fields)
    return NotUnderstood(known_type(type_at_the_beginning(frame)), reason)


def known_type(kind: str) -> str:
    """A type, if it is one that we parse."""
    return kind if kind in PARSERS else ""
