"""Upstream's error messages, made safe to log. Pure.

They explain what the code leaves open, and quote what was sent: a key, an instruction, a line of
the caller's offer. What is quoted, looks like a credential or an address, or was sent as a
credential is removed; short quoted words such as the names of fields and values stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.core.logs import SECRETS, shortened

LONGEST_MESSAGE = 300
REMOVED = "[removed]"
SHORTEST_SECRET = 4
QUOTES = "'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb"
PLAIN_QUOTE = re.compile(rf"(?<!\w)[{QUOTES}]([A-Za-z0-9_.\[\]/-]{{1,64}})[{QUOTES}](?!\w)")
OPENING = re.compile(rf"(?<!\w)[{QUOTES}]|[{QUOTES}](?=\s*\Z)")
AFTER_COLON = re.compile(
    r"(?i)((?:keys?|tokens?|secrets?|passwords?|credentials?|provided|bearer)\s{0,3}[:=])\s{0,3}\S+"
)
DIGIT = re.compile("[0-9]")
OPAQUE = re.compile(r"[A-Za-z0-9+/=]{20,}")
"""A key, if it has a digit: no word of a language is that long."""
ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9A-Fa-f]{1,4}:){3,7}[0-9A-Fa-f:]{0,8}")
SDP_LINE = re.compile(r"(?<![A-Za-z])[a-z]=\S.{0,300}")
"""`a=ice-pwd:…` and the like; the rest of the message goes with it."""
MARK = "\ufffd"
MARKED = ("**", "@")
"""In a word that goes whole: a key that the endpoint has masked but for its ends, an address."""


def scrubbed(message: str, secrets: Iterable[str] = ()) -> str:
    """`message` on one line, at most `LONGEST_MESSAGE` characters, with nothing of the request.
    `secrets` are the credentials that were sent."""
    text = " ".join(message.replace(MARK, "").split())[: 4 * LONGEST_MESSAGE]
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, REMOVED)
    words = text.split(" ")
    text = " ".join(REMOVED if any(m in word for m in MARKED) else word for word in words)
    for pattern in (SECRETS, SDP_LINE, ADDRESS):
        text = pattern.sub(REMOVED, text)
    text = OPAQUE.sub(lambda run: REMOVED if DIGIT.search(run[0]) else run[0], text)
    text = AFTER_COLON.sub(rf"\1 {REMOVED}", text)
    return shortened(without_quotes(text), LONGEST_MESSAGE)


def without_quotes(text: str) -> str:
    """`text` without what stands in quotes, short words excepted: from the first opening quote to
    the last one, because a quoted text may itself have quotes."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return MARK

    text = PLAIN_QUOTE.sub(keep, text)
    opening = OPENING.search(text)
    if opening is not None:
        last = max(text.rfind(quote) for quote in QUOTES)
        end = last + 1 if last > opening.start() else len(text)
        # The words within go too, and so their marks must not be filled in.
        inside = text[opening.start() : end].count(MARK)
        before = text[: opening.start()].count(MARK)
        del kept[before : before + inside]
        text = text[: opening.start()] + REMOVED + text[end:]
    for each in kept:
        text = text.replace(MARK, each, 1)
    return text
