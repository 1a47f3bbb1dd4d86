"""The rules by which a transcript is redacted before it is written. Pure.

Each of these is replaced by its kind in brackets: payment card numbers (13 to 19 digits that pass
the Luhn check and begin as cards do), IBANs (by their check digits), e-mail addresses and telephone
numbers. Not touched: years, dates, prices, times, and digit runs that are none of these, such as
order numbers.

Transcripts usually write spoken digits as digits. What they spell out ("four one one one", "jane at
example dot com") is not found, nor are names and addresses. The rules lower the risk of keeping
what nobody meant to keep; they do not anonymise (docs/recording.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from string import ascii_letters, digits
from typing import Any

Redact = Callable[[str], str]

LONGEST = 20_000
"""Characters of one text. Twenty minutes of speech; the rules take milliseconds for it."""
CUT_MARGIN = 200
DEEPEST = 100
SUSPECT = re.compile(r"[\d@]")

EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}\b"
)
IBAN_BEGINS = re.compile(r"\b[A-Za-z]{2}[0-9]{2}")
IBAN_AT_LEAST, IBAN_AT_MOST = 15, 34
ALPHANUMERIC = {character: int(character, 36) for character in ascii_letters + digits}
# Groups of digits with single spaces, hyphens or dots between them.
DIGITS = re.compile(r"(?<![\w.,-])[0-9](?:[ .-]?[0-9]){12,18}(?![\w-]|[.,][0-9])")
CARD_BEGINS = re.compile(r"4|5[0-9]|2[2-7]|3[0-9]|6[0-9]|9[0-9]|1800|2131")
INTERNATIONAL = re.compile(
    r"(?<![\w.+])(?:\+|00)[1-9][0-9]{0,2}(?:[ ./-]{0,2}\(?[0-9]\)?){6,13}(?![\w]|[.,][0-9])"
)
# With an area code in brackets or after a 0, or the North American 3-3-4.
NATIONAL = re.compile(
    r"(?<![\w.,€$£-])(?:"
    r"\(0?[0-9]{2,5}\)[ ./-]{0,2}[0-9](?:[ .-]?[0-9]){4,9}"
    r"|0[1-9][0-9]{1,4}[ ./-](?:[0-9](?:[ .-]?[0-9]){4,9})"
    r"|0[1-9][0-9]{8,10}"
    r"|(?:1[ .-])?\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4}"
    r")(?![\w-]|[.,][0-9])"
)


def redacted(text: str) -> str:
    """`text` without card numbers, IBANs, e-mail addresses and telephone numbers.

    One of more than `LONGEST` characters is cut, and says so at its end.
    """
    if len(text) > LONGEST + CUT_MARGIN:
        return cut(text)
    if not SUSPECT.search(text):
        return text
    text = EMAIL.sub("[e-mail]", text)
    text = redact_ibans(text)
    text = DIGITS.sub(redact_card, text)
    text = INTERNATIONAL.sub("[telephone]", text)
    return NATIONAL.sub("[telephone]", text)


def cut(text: str) -> str:
    """What is redacted of a long text. Its last characters go too: they may be a part of what a
    rule would have taken out whole."""
    kept = redacted(text[: LONGEST + CUT_MARGIN])[:-CUT_MARGIN]
    return f"{kept} [cut: {len(text)} characters]"


def redaction(on: bool) -> Redact:
    """The rules, or none."""
    return redacted if on else unchanged


def unchanged(text: str) -> str:
    """For records that are not redacted."""
    return text


def redact_json(value: Any, redact: Redact, levels: int = DEEPEST) -> Any:
    """A JSON value with every string in it redacted; names of fields stay. What is nested deeper
    than `levels` is cut, and says so."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict | list) and not levels:
        return "[cut: nested too deeply]"
    if isinstance(value, dict):
        return {name: redact_json(inner, redact, levels - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [redact_json(inner, redact, levels - 1) for inner in value]
    return value


def redact_card(match: re.Match[str]) -> str:
    number = "".join(character for character in match[0] if character.isdigit())
    is_card = CARD_BEGINS.match(number) and luhn(number) and len(set(number)) > 1
    return "[card]" if is_card else match[0]


def luhn(digits: str) -> bool:
    """The check that payment card numbers pass (ISO/IEC 7812-1)."""
    doubled = str.maketrans("0123456789", "0246813579")
    odd, even = digits[-1::-2], digits[-2::-2].translate(doubled)
    return sum(map(int, odd + even)) % 10 == 0


def redact_ibans(text: str) -> str:
    """`text` without IBANs; words that follow one are kept."""
    parts, at = [], 0
    for match in IBAN_BEGINS.finditer(text):
        start = match.start()
        end = iban_end(text, start) if start >= at else None
        if end is not None:
            parts += [text[at:start], "[iban]"]
            at = end
    return "".join([*parts, text[at:]])


def iban_end(text: str, start: int) -> int | None:
    """Where the longest IBAN that begins at `start` ends, if one does (ISO 13616: 15 to 34
    characters whose check digits fit)."""
    # The first four characters count last; the remainder is carried along, character by character.
    head, remainder, found = text[start : start + 4], 0, None
    characters, at = 4, start + 4
    while characters < IBAN_AT_MOST and at < len(text):
        if text[at] in " -" and at + 1 < len(text):
            at += 1
        value = ALPHANUMERIC.get(text[at])
        if value is None:
            break
        remainder = append_digits(remainder, value)
        characters, at = characters + 1, at + 1
        ends = at == len(text) or (text[at] not in ALPHANUMERIC and text[at] != "_")
        if ends and characters >= IBAN_AT_LEAST:
            whole = remainder
            for character in head:
                whole = append_digits(whole, ALPHANUMERIC[character])
            found = at if whole == 1 else found
    return found


def append_digits(remainder: int, value: int) -> int:
    """Of a number modulo 97, once `value`, of one or two digits, is written behind it."""
    return (remainder * (10 if value < 10 else 100) + value) % 97
