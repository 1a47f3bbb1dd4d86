from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_emulator.sdp.description import OfferRefused
from realtime_emulator.sdp.rules import check_offer
from realtime_emulator.sdp.syntax import parse_description
from shared.core.problems import Problem
from shared.upstream import sdp
from tests.support.offers import AUDIO, CHANNEL, HEAD, OFFER, known_offers

NEEDED = {"no audio": "offer_without_audio"} | dict.fromkeys(
    ("no application", "chrome-nochannel"), "offer_without_data_channel"
)
"""What the model's endpoint needs beside a well-formed offer, by Microsoft's documentation."""
REPAIRED = [
    "CR only",
    "LF only, trimmed",
    "a last line end of CR alone",
    "leading BOM",
    "leading space",
    "leading tab",
    "trailing NUL on the last line",
    "trimmed",
]


def test_a_good_offer_is_passed_on_unchanged() -> None:
    assert sdp.validate_offer(OFFER).encode() == OFFER


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        (b"", "missing_offer"),
        (b" \r\n", "missing_offer"),
        (b"hello", "invalid_offer"),
        (b"v=0\r\nwhat is this\r\n", "invalid_offer"),
        (b"\xff\xfe" + OFFER, "invalid_offer"),
        (b'{"sdp": "v=0"}', "invalid_offer"),
        (OFFER + b"sdp=1\r\n", "invalid_offer"),
        (OFFER.replace(b"\r\n", b"\\r\\n"), "invalid_offer"),
        ((HEAD + CHANNEL).encode(), "offer_without_audio"),
        ((HEAD + AUDIO).encode(), "offer_without_data_channel"),
        (OFFER + b"a=x\r\n" * 20_000, "offer_too_large"),
    ],
)
def test_how_bad_offers_are_refused(offer: bytes, code: str) -> None:
    with pytest.raises(Problem) as problem:
        sdp.validate_offer(offer)
    assert problem.value.code == code


def problem_of(offer: bytes) -> str | None:
    try:
        sdp.validate_offer(offer)
    except Problem as problem:
        return problem.code
    return None


def test_nothing_that_the_endpoint_takes_is_refused() -> None:
    accepted = {offer.name: offer for offer in known_offers() if offer.is_accepted}
    found = {name: problem_of(offer.text.encode()) for name, offer in accepted.items()}
    assert {name: code for name, code in found.items() if code is not None} == NEEDED
    for name in accepted.keys() - NEEDED:
        repaired = sdp.validate_offer(accepted[name].text.encode())
        check_offer(parse_description(repaired.encode()))


def is_answerable(text: str) -> bool:
    try:
        check_offer(parse_description(text.encode()))
    except OfferRefused:
        return False
    return True


def test_what_was_lost_or_added_on_the_way_here_is_repaired() -> None:
    refused = [offer for offer in known_offers() if not offer.is_accepted]
    passed = [o for o in refused if problem_of(o.text.encode()) is None]
    repaired = [o.name for o in passed if is_answerable(sdp.validate_offer(o.text.encode()))]
    assert sorted(set(repaired) - {"trailing empty attribute"}) == sorted(
        [*REPAIRED, "cut after 1648 bytes"]
    )


def test_a_name_in_another_encoding_is_nobodys_loss() -> None:
    assert "s=caf\ufffd\r\n" in sdp.validate_offer(OFFER.replace(b"s=-", b"s=caf\xe9"))


@pytest.mark.parametrize("name", ["as is", "LF only", "a blank line after each", "NEL in s"])
def test_a_good_offer_of_any_form_is_passed_on_unchanged(name: str) -> None:
    text = next(offer.text for offer in known_offers() if offer.name == name)
    assert sdp.validate_offer(text.encode()) == text


@given(st.binary(max_size=400) | st.text().map(lambda text: ("v=0\n" + text).encode()))
def test_random_bytes_are_refused_and_never_break_the_check(rubbish: bytes) -> None:
    with contextlib.suppress(Problem):
        assert "m=audio " in sdp.validate_offer(rubbish)
