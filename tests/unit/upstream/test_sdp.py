from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.problems import Problem
from shared.upstream import sdp
from tests.support.offers import AUDIO, CHANNEL, HEAD, OFFER


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
        ((HEAD + CHANNEL).encode(), "offer_without_audio"),
        ((HEAD + AUDIO).encode(), "offer_without_data_channel"),
        (OFFER + b"a=x\r\n" * 20_000, "offer_too_large"),
    ],
)
def test_how_bad_offers_are_refused(offer: bytes, code: str) -> None:
    with pytest.raises(Problem) as problem:
        sdp.validate_offer(offer)
    assert problem.value.code == code


@given(st.binary(max_size=400) | st.text().map(lambda text: ("v=0\n" + text).encode()))
def test_random_bytes_are_refused_and_never_break_the_check(rubbish: bytes) -> None:
    with contextlib.suppress(Problem):
        assert "m=audio " in sdp.validate_offer(rubbish)
