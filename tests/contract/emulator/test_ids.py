"""Ids, compared with those of recorded live traffic."""

from __future__ import annotations

import re

import pytest

from realtime_emulator.protocol import ids


@pytest.mark.parametrize(
    ("seconds", "recorded"), [(1784852237, "E4xtF"), (1784866382, "E51ZO"), (1784663472, "E4Ame")]
)
def test_the_time_in_an_identifier(seconds: int, recorded: str) -> None:
    assert ids.stamp(seconds) == recorded


def test_shapes() -> None:
    for kind in ("event", "item", "resp", "sess", "conv"):
        assert re.fullmatch(rf"{kind}_[0-9A-Za-z]{{21}}", ids.new(kind))
    assert re.fullmatch(r"event_[0-9a-f]{16}", ids.buffer_event())
    assert re.fullmatch(r"call_[0-9A-Za-z]{16}", ids.tool_call())
    assert re.fullmatch(r"rtc_[0-9a-f]{32}", ids.call("azure"))
    assert re.fullmatch(r"rtc_u2_[0-9A-Za-z]{21}", ids.call("openai"))
    assert ids.new("item") != ids.new("item")
