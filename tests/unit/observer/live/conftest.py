"""What tests of a Live run share."""

from __future__ import annotations

import pytest

from shared.observer.live import appends, delegated_calls, delegated_work
from tests.unit.observer.live.delegations import QUICK


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens what delegated work waits for."""
    monkeypatch.setattr(delegated_work, "QUIET", QUICK)
    monkeypatch.setattr(delegated_work, "ASK_AGAIN_AFTER", QUICK)
    monkeypatch.setattr(delegated_calls, "AFTER_REPLAY", QUICK)
    monkeypatch.setattr(appends, "AFTER_REPLAY", QUICK)
