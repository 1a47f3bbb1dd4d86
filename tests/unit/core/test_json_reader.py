"""The JSON of others: read, or refused with ValueError and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json_reader import DEEPEST, read_json, read_object

DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * DEEP,
        "[" * DEEP + "]" * DEEP,
        '{"a":' * DEEP,
        '{"a":' * DEEP + "1" + "}" * DEEP,
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        "NaN",
        "-Infinity",
        "[1e999]",
        "9" * 5000,
        "",
        "{",
        b"\xff",
        '"a'.encode("utf-16"),
    ],
    ids=range(13),
)
def test_what_is_no_json_is_refused_in_one_way(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_json(text)
    assert read_object(text) == {}


def test_a_lone_surrogate_becomes_a_replacement_character() -> None:
    text = r'{"\ud83d": ["a\udc00b", "\ud83d\ude00", "\uD83D"]}'
    assert read_json(text) == {"\ufffd": ["a\ufffdb", "\U0001f600", "\ufffd"]}


@given(st.recursive(st.none() | st.booleans() | st.text() | st.integers(), st.lists))
def test_what_is_json_is_read_as_it_is(value: Any) -> None:
    assert read_json(json.dumps(value)) == value


@given(st.binary() | st.text())
def test_nothing_else_is_raised(text: str | bytes) -> None:
    assert isinstance(read_object(text), dict)
