"""How long a test waits for what must come."""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 60.0
"""Seconds. Only what hangs takes that long: a machine may be slow, and busy with other things."""
