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
from typing import Any

Redact = Callable[[str], str]

EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}[A-Za-z]{2,24}\b"
)
IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}\b", re.IGNORECASE)
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
    """`text` without card numbers, IBANs, e-mail addresses and telephone numbers."""
    if not any(character.isdigit() or character == "@" for character in text):
        return text
    text = EMAIL.sub("[e-mail]", text)
    text = IBAN.sub(redact_iban, text)
    text = DIGITS.sub(redact_card, text)
    text = INTERNATIONAL.sub("[telephone]", text)
    return NATIONAL.sub("[telephone]", text)


def unchanged(text: str) -> str:
    """For records that are not redacted."""
    return text


def redact_json(value: Any, redact: Redact) -> Any:
    """A JSON value with every string in it redacted; names of fields stay."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {name: redact_json(inner, redact) for name, inner in value.items()}
    if isinstance(value, list):
        return [redact_json(inner, redact) for inner in value]
    return value


def redact_card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    is_card = CARD_BEGINS.match(digits) and luhn(digits) and len(set(digits)) > 1
    return "[card]" if is_card else match[0]


def luhn(digits: str) -> bool:
    """The check that payment card numbers pass (ISO/IEC 7812-1)."""
    doubled = str.maketrans("0123456789", "0246813579")
    odd, even = digits[-1::-2], digits[-2::-2].translate(doubled)
    return sum(map(int, odd + even)) % 10 == 0


def redact_iban(match: re.Match[str]) -> str:
    """The pattern also matches words that follow the number: they are kept."""
    text = match[0]
    ends = [m.end() for m in re.finditer(r"[A-Za-z0-9]+", text)]
    for end in reversed(ends):
        if valid_iban(re.sub(r"[ -]", "", text[:end]).upper()):
            return "[iban]" + text[end:]
    return text


def valid_iban(text: str) -> bool:
    """ISO 13616: 15 to 34 characters whose check digits fit."""
    if not 15 <= len(text) <= 34:
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
