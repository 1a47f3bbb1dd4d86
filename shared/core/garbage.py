"""The garbage collector of a process in which many requests wait at once."""

from __future__ import annotations

import gc

# In objects. A waiting request has about a hundred: at Python's default of 700 the collector would
# scan all of them every few requests (docs/performance.md).
THRESHOLD = 20_000
# After so many collections their survivors are scanned once more, and after so many of that kind
# everything. Python's 10 and 10 scan everything hardly less often (after 100 collections instead of
# 60), but five times the survivors at once: pauses are a third of theirs (docs/adr/0020).
SURVIVED, OLD = 2, 30


def collect_rarely() -> None:
    """Call it once, at load."""
    gc.set_threshold(THRESHOLD, SURVIVED, OLD)
