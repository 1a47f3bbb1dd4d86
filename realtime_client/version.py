"""The version: that of the broker whose routes this client was tested with."""

from __future__ import annotations

__version__ = "0.1.0"
