"""A few thousand odd events. `python -m tests.fuzz --events 100000` does the same for longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.run import (
    Findings,
    observe_frames,
    observe_live,
    observe_page,
    timed_callbacks,
)

LONGEST_SECONDS = 0.5
"""Ten times what a quiet machine shows."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("observe_calls", [observe_frames, observe_live, observe_page])
async def test_no_event_ends_an_observer(observe_calls: Any, seed: int) -> None:
    findings = Findings()
    with timed_callbacks(findings):
        await observe_calls(Random(seed), 1000, findings)
    assert findings.longest < LONGEST_SECONDS, findings.longest_in


@pytest.mark.parametrize("observe_calls", [observe_frames, observe_live])
@given(rng=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_few_events_end_an_observer(observe_calls: Any, rng: Random) -> None:
    """The same, in a form that hypothesis can shrink."""
    asyncio.run(observe_calls(rng, 15, Findings()))
