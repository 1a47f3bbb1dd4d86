"""What a caller is told while storage is unavailable."""

from __future__ import annotations

import logging
from datetime import timedelta

from shared.core import logs
from shared.core.problems import Problem
from shared.storage.interfaces import StorageUnavailable

RETRY_AFTER = timedelta(seconds=5)


def storage_refusal(error: StorageUnavailable) -> Problem:
    """Problem storage_unavailable; the reason goes into the log alone."""
    logs.event("storage unavailable", logging.WARNING, reason=str(error))
    return Problem("storage_unavailable", retry_after=RETRY_AFTER)
