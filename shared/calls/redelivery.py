"""How long a message about a call waits before it is delivered again."""

from __future__ import annotations

from datetime import timedelta

from shared.core.chance import CHANCE

FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(minutes=1)
RETRIES_UNTIL_SELDOM = 100
"""More than an hour, which is the longest call; then there is nothing left to observe."""
SELDOM_RETRY = timedelta(minutes=10)


def pause_after(tries: int) -> timedelta:
    """How long a message waits that could not be handled `tries` times in a row: it grows to a
    minute, and once the call must be long over to ten. It has jitter, so that not all the calls of
    an outage come back at the same moment."""
    if tries > RETRIES_UNTIL_SELDOM:
        pause = SELDOM_RETRY
    else:
        pause = min(FIRST_RETRY * 2 ** min(max(tries - 1, 0), 10), LONGEST_RETRY)
    return pause * CHANCE.uniform(0.8, 1.2)
