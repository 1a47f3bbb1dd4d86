"""How long a test waits for what must happen."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 60.0
"""Seconds. Only what hangs takes that long, even on a slow and busy machine."""
