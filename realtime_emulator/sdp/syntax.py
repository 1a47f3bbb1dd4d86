"""The grammar of session descriptions, as strict and as lenient as the live service's parser.

The live service's errors are those of Pion (reported: "failed to unmarshal SDP: EOF" for an offer
without its last line end). This grammar was compared with Pion 3.1.56: the order of the lines,
where a line may end, and the text of every error. tests/fixtures/offers.json has the comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from realtime_emulator.sdp.description import Attribute, Description, Medium, OfferRefused

NEWLINES: Final = b"\r\n"
BLANKS: Final = b" \t"
MEDIA: Final = ("audio", "video", "text", "application", "message")
PROTOCOLS: Final = frozenset(
    ("UDP", "RTP", "AVP", "SAVP", "SAVPF", "TLS", "DTLS", "SCTP", "AVPF", "TCP", "MSRP")
)
BANDWIDTHS: Final = ("CT", "AS", "TIAS", "RS", "RR")
UNITS: Final = "dhms"
MOST_PORTS: Final = 65536

FOLLOWERS: Final = {
    "": "v",
    "v": "o",
    "o": "s",
    "s": "iuepcbt",
    "i": "uepcbt",
    "u": "epcbt",
    "e": "pcbt",
    "p": "cbt",
    "c": "bt",
    "b": "bt",
    "t": "zkartm",
    "r": "zkartm",
    "z": "akm",
    "k": "am",
    "a": "am",
    "m": "akbcim",
}
"""Which lines may follow which; after the first `m=`, those of a medium in any order."""


def failed(reason: str) -> OfferRefused:
    return OfferRefused(f"failed to unmarshal SDP: {reason}")


def invalid_value(value: str) -> OfferRefused:
    return failed(f"sdp: invalid value `{value}`")


class Cursor:
    """A position in the bytes of a description."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0

    def syntax_error(self, position: int) -> OfferRefused:
        byte = self.raw[position]
        quoted = chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"
        quoted = {"\\": "\\\\", '"': '\\"', "\t": "\\t"}.get(chr(byte), quoted)
        return failed(f'sdp: syntax error at pos {position}: "{quoted}"')

    def skip(self, bytes_: bytes) -> None:
        while self.at < len(self.raw) and self.raw[self.at] in bytes_:
            self.at += 1

    def read_type(self) -> str | None:
        """The letter of the next line. None at the end, and for a rest without an equals sign,
        which is ignored."""
        self.skip(NEWLINES)
        equals = self.raw.find(b"=", self.at)
        if equals < 0:
            return None
        key = self.raw[self.at : equals]
        self.at = equals + 1
        if len(key) != 1:
            raise self.syntax_error(equals)
        return key.decode("latin-1")

    def read_line(self) -> str:
        """The rest of the line, which must end with LF."""
        end = self.raw.find(b"\n", self.at)
        if end < 0:
            raise failed("EOF")
        line = self.raw[self.at : end]
        self.at = end + 1
        return decode(line[: len(line) - line.count(b"\r")])

    def read_field(self) -> str:
        """The next word of the line, or "" if there is none."""
        start = self.at
        while self.at < len(self.raw) and self.raw[self.at] not in NEWLINES + BLANKS:
            self.at += 1
        if self.at == len(self.raw) == start:
            raise failed("EOF")
        word = decode(self.raw[start : self.at])
        self.skip(BLANKS)
        return word

    def read_number(self) -> int:
        """The next word of the line as a number; 0 if there is none."""
        start = self.at
        word = self.read_field()
        found = re.match(r"[0-9]*", word)
        digits = found.group() if found else ""
        if digits != word:
            raise self.syntax_error(start + len(digits))
        if self.at == len(self.raw) and not digits.strip("0"):
            raise failed("EOF")
        return int(digits[-20:] or "0")


def decode(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def parse_description(raw: bytes) -> Description:
    """The description. Raises OfferRefused in the words of the live service's parser."""
    cursor = Cursor(raw)
    description = Description()
    previous = ""
    while (kind := cursor.read_type()) is not None:
        if kind not in FOLLOWERS["m" if description.media else previous]:
            raise cursor.syntax_error(cursor.at - 1)
        READERS[kind](cursor, description)
        previous = kind
    return description


def sess_id(offer: str) -> str:
    """The session id in the offer's `o=` line (RFC 8866, 5.2), chosen by its author; or empty."""
    found = re.search(r"(?m)^o=\S+ (\d+) ", offer)
    return found.group(1) if found else ""


def read_version(cursor: Cursor, description: Description) -> None:  # noqa: ARG001
    version = cursor.read_number()
    if version:
        raise invalid_value(str(version))
    cursor.skip(NEWLINES)


def read_origin(cursor: Cursor, description: Description) -> None:
    cursor.read_field()
    cursor.read_number()
    cursor.read_number()
    read_connection(cursor, description)


def read_connection(cursor: Cursor, description: Description) -> None:  # noqa: ARG001
    for known in (("IN",), ("IP4", "IP6")):
        word = cursor.read_field()
        if word not in known:
            raise invalid_value(word)
    cursor.read_field()
    cursor.skip(NEWLINES)


def read_text(cursor: Cursor, description: Description) -> None:  # noqa: ARG001
    cursor.read_line()


def read_bandwidth(cursor: Cursor, description: Description) -> None:
    value = cursor.read_line()
    kind, colon, amount = value.partition(":")
    known = kind in BANDWIDTHS or kind.startswith("X-")
    if not (known and colon and re.fullmatch(r"[0-9]+", amount)):
        wrong = "syntax" if description.media else "value"
        raise failed(f"sdp: invalid {wrong} `b={value}`")


def read_timing(cursor: Cursor, description: Description) -> None:  # noqa: ARG001
    cursor.read_number()
    cursor.read_number()
    cursor.skip(NEWLINES)


def read_repeats(cursor: Cursor, description: Description) -> None:  # noqa: ARG001
    words = [cursor.read_field(), cursor.read_field()]
    while words[-1]:
        words.append(cursor.read_field())
    for number, word in enumerate(words):
        if number >= 2 and not word:
            break
        if not re.fullmatch(r"[+-]?[0-9]+", word.rstrip(UNITS)):
            raise invalid_value(word)
    cursor.skip(NEWLINES)


def read_zones(cursor: Cursor, description: Description) -> None:  # noqa: ARG001
    while True:
        cursor.read_number()
        offset = cursor.read_field()
        if not offset:
            break
        if not re.fullmatch(r"[+-]?[0-9]+", offset.rstrip(UNITS)):
            raise invalid_value(offset)
    cursor.skip(NEWLINES)


def read_attribute(cursor: Cursor, description: Description) -> None:
    name, _, value = cursor.read_line().partition(":")
    target = description.media[-1] if description.media else description
    target.attributes.append(Attribute(name, value))


def read_medium(cursor: Cursor, description: Description) -> None:
    kind = cursor.read_field()
    if kind not in MEDIA:
        raise invalid_value(kind)
    port, _, ports = cursor.read_field().partition("/")
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", port) or not 0 <= int(port) <= MOST_PORTS:
        raise failed(f"sdp: invalid port value `{port}`")
    if ports and not re.fullmatch(r"[+-]?[0-9]+", ports):
        raise invalid_value(f"[{port} {ports}]")
    protocol = cursor.read_field()
    if not PROTOCOLS.issuperset(protocol.split("/")):
        raise failed(f"sdp: invalid numeric value `{protocol}`")
    formats = []
    while word := cursor.read_field():
        formats.append(word)
    cursor.skip(NEWLINES)
    description.media.append(Medium(kind=kind, port=int(port), protocol=protocol, formats=formats))


READERS: Final[dict[str, Callable[[Cursor, Description], None]]] = {
    "v": read_version,
    "o": read_origin,
    "c": read_connection,
    "b": read_bandwidth,
    "t": read_timing,
    "r": read_repeats,
    "z": read_zones,
    "a": read_attribute,
    "m": read_medium,
    **dict.fromkeys("siuepk", read_text),
}
