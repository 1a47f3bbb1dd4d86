"""The id of a Live session, which is the call's: what it looks like, and its place in a path. Pure.

Ids are opaque. Recorded ones begin with `live_`, documented ones with `live_` or `sess_`.
"""

from __future__ import annotations

import re
from urllib.parse import quote

SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,132}")
"""Recorded ones have 40 characters; a handle has room for 132 (shared/calls/handles.py)."""
SESSION_GONE = "session_id_not_found"
"""The endpoint's own code of a 404 for a session that is over, or never was (recorded)."""


def is_session_id(value: object) -> bool:
    """Whether a value is shaped like the id of a Live session."""
    return isinstance(value, str) and SESSION_ID.fullmatch(value) is not None


def session_path(session_id: str) -> str:
    """The session below the API's base."""
    return f"/sessions/{quote(session_id, safe='')}"
