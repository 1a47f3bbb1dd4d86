"""The id of a call upstream: what it looks like, and where a 201 of `calls` says it. Pure."""

from __future__ import annotations

import re

CALL_ID = re.compile(r"rtc_[A-Za-z0-9_-]{1,128}")
"""Recorded ones have 36 characters; a handle has room for 132 (shared/calls/handles.py)."""


def is_call_id(text: str) -> bool:
    """Whether `text` is shaped like a call id of either provider (recorded)."""
    return CALL_ID.fullmatch(text) is not None


def call_id_from_location(location: str) -> str | None:
    """The last segment of a `Location`, which is relative and differs between providers (recorded).

    None if it is no call id.
    """
    call_id = location.partition("?")[0].rstrip("/").rpartition("/")[2]
    return call_id if is_call_id(call_id) else None
