"""SDP offers: what is refused before anything is sent upstream, and what is repaired.

Only what the model's endpoint certainly needs is checked: one audio line and a data channel,
created before the offer (Microsoft's 'Use the GPT Realtime API via WebRTC'). The rest is left to
the endpoint, and nothing that its parser takes is refused for its form. What that parser refuses
because of how the offer was carried here is repaired: most often it has lost its last line end to a
`trim()`, which the endpoint answers with "failed to unmarshal SDP: EOF".
"""

from __future__ import annotations

import re

from shared.core.problems import Problem

MAX_OFFER_BYTES = 64 * 1024  # an offer of a current browser has 2 to 6 KiB
LINE_END = "\r\n"
VERSION = re.compile(r"v=0*[ \t]*\r*")
AUDIO = re.compile(r"(?m)^m=audio[ \t]")
CHANNEL = re.compile(r"(?m)^m=application[ \t]")


def validate_offer(offer: bytes, *, needs_channel: bool = True) -> str:
    """The offer as text, repaired where it needs it, if it looks like one. `needs_channel`: it must
    have a data channel. Raises `Problem`."""
    if not offer.strip():
        raise Problem("missing_offer")
    if len(offer) > MAX_OFFER_BYTES:
        raise Problem("offer_too_large")
    text = repair_offer(offer.decode("utf-8", "replace"))
    check_lines(text)
    if not AUDIO.search(text):
        raise Problem("offer_without_audio")
    if needs_channel and not CHANNEL.search(text):
        raise Problem("offer_without_data_channel")
    return text


def repair_offer(text: str) -> str:
    """The text without what is not SDP around it, and with the end of its last line.

    Line ends of CR alone become CR LF. A good offer is returned as it is.
    """
    text = text.lstrip("\ufeff \t\r\n") if not text.startswith("v=") else text
    if "\n" not in text:
        text = text.replace("\r", LINE_END)
    lines = text.split("\n")
    end = len(lines)
    while end and not is_line(lines[end - 1]):
        end -= 1
    if end == len(lines):  # what follows the last LF is a line
        return text.rstrip("\0 \t\r") + LINE_END
    rest = "\n".join(lines[end:])
    # The endpoint's parser ignores a rest without an equals sign, and refuses any other.
    is_ignored = rest.strip("\r\n") and "=" not in rest
    has_media = any(line.startswith("m=") for line in lines[:end])
    return "\n".join(lines[:end]) + "\n" if is_ignored and has_media else text


def is_line(line: str) -> bool:
    return len(line) > 1 and line[1] == "="


def check_lines(text: str) -> None:
    """Raises Problem invalid_offer for text that is no session description."""
    lines = text.split("\n")
    is_description = VERSION.fullmatch(lines[0]) and all(
        is_line(line) for line in lines if line.strip("\r")
    )
    if not is_description:
        raise Problem("invalid_offer")
