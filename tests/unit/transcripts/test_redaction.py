"""What is redacted in a transcript, and what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.transcripts.redaction import luhn, redact_json, redacted, unchanged

TAKEN_OUT = [
    ("My card is 4111 1111 1111 1111, thanks.", "My card is [card], thanks."),
    ("4111111111111111", "[card]"),
    ("5555-5555-5555-4444 exp 12/27", "[card] exp 12/27"),
    ("amex 3782 822463 10005.", "amex [card]."),
    ("6011.1111.1111.1117", "[card]"),
    ("(4222222222222)", "([card])"),
    ("Write to jane.doe+news@mail.example.co.uk.", "Write to [e-mail]."),
    ("jane@example.com, joe@example.org", "[e-mail], [e-mail]"),
    ("Call +49 30 901820 please", "Call [telephone] please"),
    ("Call +1 (555) 010-9999.", "Call [telephone]."),
    ("or 0044 20 7946 0958", "or [telephone]"),
    ("It's 555-010-9999", "It's [telephone]"),
    ("(030) 901820", "[telephone]"),
    ("020 7946 0958", "[telephone]"),
    ("07700900123!", "[telephone]!"),
    ("IBAN DE89 3704 0044 0532 0130 00 at the bank", "IBAN [iban] at the bank"),
    ("GB29NWBK60161331926819", "[iban]"),
]

LEFT_IN = [
    "In 2024 and 2025 we grew.",
    "Between 1999-2004 it was 12.5%.",
    "It costs 1,234,567.89 dollars, or $4,111.11.",
    "The total is 1299.00 EUR.",
    "Order 1234567890123456 is on its way.",  # fails the Luhn check
    "Order A1001 and order number 10012345.",
    "Your order is 2024-000-1234.",
    "On 2026-11-20 at 20:42:48.",
    "Flight LH 400 leaves at 10 45 from gate 12.",
    "0000 0000 0000 0000",
    "Chapter 1.2.3.4, version 10.0.19045.1234",
    "The port is 3478, the code 404.",
    "@home on the internet",
    "four one one one, one one one one",  # spoken forms: documented as not covered
    "pi is 3.14159265358979",
    "call rtc_990b6ba8f11341c9b697c970849587c1",
]


@pytest.mark.parametrize(("said", "kept"), TAKEN_OUT)
def test_what_is_redacted(said: str, kept: str) -> None:
    assert redacted(said) == kept


@pytest.mark.parametrize("said", LEFT_IN)
def test_what_is_kept(said: str) -> None:
    assert redacted(said) == said


@given(st.integers(0, 10**11 - 1), st.sampled_from(["", " ", "-"]))
def test_every_card_number_of_sixteen_digits_goes(number: int, between: str) -> None:
    body = f"4000{number:011d}"
    digits = next(body + d for d in "0123456789" if luhn(body + d))
    groups = between.join(digits[i : i + 4] for i in range(0, 16, 4))
    assert redacted(f"Pay with {groups} now") == "Pay with [card] now"


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


def test_it_is_quick_on_hostile_text() -> None:
    for unit in ("1 ", "a@", "0-", "DE89 ", "(0", "+1 "):
        assert isinstance(redacted(unit * 20_000), str)


def test_every_text_of_a_json_value() -> None:
    value = {"to": ["a@example.com", 4111111111111111, None], "a@example.com": {"x": "ok"}}
    kept = {"to": ["[e-mail]", 4111111111111111, None], "a@example.com": {"x": "ok"}}
    assert redact_json(value, redacted) == kept
    assert redact_json(value, unchanged) == value


@pytest.mark.parametrize("before", ["AB12 ", "AB12 X Y Z 1 2 3 ", "DE89 ", "\u212a\u017f12 "])
def test_what_looks_like_an_iban_hides_none_that_follows(before: str) -> None:
    assert redacted(f"{before}DE89 3704 0044 0532 0130 00") == f"{before}[iban]"


def test_deep_json_is_cut_and_says_so() -> None:
    value: object = "4111 1111 1111 1111"
    for _ in range(5000):
        value = [value]
    assert "[cut: nested too deeply]" in str(redact_json(value, redacted))
