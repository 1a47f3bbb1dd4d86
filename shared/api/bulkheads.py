"""Thread pools that cannot fill each other: what starts calls, what ends them, and the rest.

A start waits for upstream on its thread, for half a minute where upstream stalls. So starts have
threads of their own, and a bound on how many wait for one: a start that gets no thread in time is
refused. What ends calls, and health, never waits behind them.
"""

from __future__ import annotations

from datetime import timedelta

from shared.core.bulkhead import Bulkhead, QueueLimit

STARTS = Bulkhead("starts", 256, QueueLimit(waiting=256, patience=timedelta(seconds=5)))
"""Functions' own pool has few threads by default, and a start waits for upstream on one."""
ENDS = Bulkhead("ends", 64)
READS = Bulkhead("reads", 64)
"""Everything else that requests ask for."""
HEALTH = Bulkhead("health", 4)
"""Asks nobody."""
MESSAGES = Bulkhead("messages", 8)
"""What queue functions do before they act."""
