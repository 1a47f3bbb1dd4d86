"""What the tasks of asyncio need here and there."""

from __future__ import annotations

import asyncio


def mark_retrieved(task: asyncio.Future[None]) -> None:
    """A done callback that keeps asyncio from logging the failure of a shielded task as lost, where
    whoever waited for it was cancelled."""
    if not task.cancelled():
        task.exception()
