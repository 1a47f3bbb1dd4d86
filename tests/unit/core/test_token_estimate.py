"""How many tokens a text is taken for."""

from __future__ import annotations

import pytest

from shared.core.token_estimate import estimated_tokens


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("word " * 100, 100, 130),
        ("你" * 100, 100, 100),
        ("a" * 400, 100, 100),
        ("!?!? " * 50, 50, 70),
        ("Добрый день. " * 10, 20, 80),
    ],
)
def test_tokens_are_estimated_on_the_safe_side(text: str, least: int, most: int) -> None:
    assert least <= estimated_tokens(text) <= most
