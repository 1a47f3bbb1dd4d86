"""An ephemeral key: the request that mints one, and the reply that holds it. Pure."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.config.profiles import Profile
from shared.core.problems import Problem
from shared.upstream.error_mapping import refusal_problem
from shared.upstream.transport import Reply

KEY = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
"""It goes into a header and to pages: the characters of a bearer token (RFC 6750)."""


@dataclass(frozen=True, slots=True)
class EphemeralKey:
    """A key that starts calls of one profile until it expires; its value is not in its repr."""

    value: str = field(repr=False)
    expires_at: datetime


def key_request(profile: Profile, life: timedelta) -> bytes:
    """The body of `POST …/client_secrets`: a key for the profile's session, good for `life`."""
    body = {
        "expires_after": {"anchor": "created_at", "seconds": int(life.total_seconds())},
        "session": dict(profile.session),
    }
    return json.dumps(body).encode()


def read_key(reply: Reply, now: datetime) -> EphemeralKey:
    """The key in a 200; its expiry is what was granted, not what was asked. Raises `Problem`."""
    if reply.status != 200:
        raise refusal_problem(reply)
    content = reply.json()
    value, expires_at = content.get("value"), moment(content.get("expires_at"))
    if not isinstance(value, str) or not KEY.fullmatch(value) or expires_at is None:
        raise Problem("upstream_failed", "The model's endpoint answered without a usable key.")
    if expires_at <= now:
        raise Problem("upstream_failed", "The model's endpoint issued a key that has expired.")
    return EphemeralKey(value, expires_at)


def moment(seconds: object) -> datetime | None:
    """The moment so many seconds after 1970; None for what is no such number, or no date."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return None
    try:
        # Whole seconds, as both providers send them.
        return datetime.fromtimestamp(math.floor(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None
