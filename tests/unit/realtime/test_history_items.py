"""A new call whose history cannot be created goes on without."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.realtime.history_items import carry_over
from shared.sideband.sideband import NoSuchCall, Sideband, SidebandUnavailable
from shared.transcripts.history import Message, history_from

HISTORY = history_from([Message("user", "My name is Ada.")], "0123456789ab")


@pytest.mark.parametrize("error", [NoSuchCall("rtc_1"), SidebandUnavailable(), KeyError("odd")])
def test_whatever_is_wrong_the_call_goes_on(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has begun: somebody has to have its answer, or nobody could end it."""
    monkeypatch.setattr("shared.realtime.history_items.PAUSES", (0.0,))

    async def connect(_: str) -> Sideband:
        raise error

    assert not carry_over(connect, "rtc_1", HISTORY, within=timedelta(milliseconds=20))
