"""What is left of words, ids and secrets in a recording."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime_emulator.recordings.masking import Masker, mask_words

KEY = "sk-a-real-key-0123456789"
WORDS = st.text(st.characters(categories=("Lu", "Ll", "Lo", "Nd")), min_size=1)


@given(st.text())
def test_no_letter_but_x_and_no_digit_but_1_is_left(text: str) -> None:
    left = {c for c in mask_words(text) if c.isalnum()}
    assert left - set(text) <= {"x", "1"}
    letters = {c for c in mask_words(text.replace("\\", "")) if c.isalpha()}
    assert letters <= {"x"} | set("truefalsn")


@given(
    st.recursive(
        WORDS | st.integers() | st.booleans() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    )
)
def test_masked_arguments_are_json(value: Any) -> None:
    json.loads(mask_words(json.dumps(value)))
    json.loads(mask_words(json.dumps(value, ensure_ascii=False)))


def test_what_is_kept_is_of_the_api_and_what_is_not_known_is_masked() -> None:
    masker = Masker()
    event = {
        "type": "response.done",
        "event_id": "event_ABCDEFGHIJ",
        "something_new": "Marigold's 42",
        "metadata": {"name": "Marigold"},
        "error": {"code": "invalid_value", "message": "Invalid value: 'Marigold'."},
        "headers": {"X-Key": "Marigold"},
        "authorization": "Bearer abcdefghij",
        "audio": "AAAA",
        "text": f"my key is {KEY}",
    }
    masked = masker.mask(event)
    assert masked == {
        "type": "response.done",
        "event_id": "event_0000000001",
        "something_new": "xxxxxxxx'x 11",
        "metadata": {"name": "xxxxxxxx"},
        "error": {"code": "invalid_value", "message": "Invalid value: 'x'."},
        "headers": {},
        "authorization": "masked",
        "audio": "~",
        "text": "xx xxx xx xxxxxx",
    }
    assert masker.mask(event)["event_id"] == masked["event_id"]
    assert masker.mask({"event_id": "marigold_asks"}) == {"event_id": "0000000000002"}
    assert KEY not in json.dumps(Masker(keep_words=True).mask(event))
