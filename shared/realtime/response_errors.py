"""What the error of a failed response says: whether it may pass, and when. Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from shared.sideband.events import Scalar

PASSING = frozenset(
    """
    429 500 502 503 504 badgateway engineoverloaded inferenceerror inferenceratelimitexceeded
    inferencetimeout internalerror internalservererror nocapacity overloaded ratelimit
    ratelimitexceeded ratelimitreached serverbusy servererror serveroverloaded serviceunavailable
    timeout toomanyrequests
    """.split()  # noqa: SIM905
)
PASSING_TYPES = frozenset({"overloadederror", "ratelimiterror", "servererror"})
LASTING = frozenset(
    """
    accountdeactivated billinghardlimitreached billingnotactive contentfilter
    contextlengthexceeded deploymentnotfound insufficientquota maxoutputtokens modelnotfound
    quotaexceeded sessionexpired
    """.split()  # noqa: SIM905
)
"""Codes and types without their capitals and separators: providers spell the same in two ways."""
LONGEST_MESSAGE = 500
WAIT = re.compile(
    r"(?:again in|retry after) (?:(?P<h>\d{1,4})h)?(?:(?P<m>\d{1,4})m(?!s))?"
    r"(?:(?P<s>\d{1,6}(?:\.\d{1,6})?) ?(?P<unit>ms|s))?",
    re.IGNORECASE,
)


def is_passing(code: Scalar, kind: Scalar) -> bool:
    """Whether an error's fault may be over by the next try."""
    plain, plain_kind = plain_word(code), plain_word(kind)
    return plain in PASSING or (plain_kind in PASSING_TYPES and plain not in LASTING)


def plain_word(word: Scalar) -> str:
    """A code or type without its capitals and separators."""
    return re.sub(r"[^a-z0-9]", "", str(word or "").lower())


def wait_in_message(message: object) -> timedelta | None:
    """How long an error's message asks to wait, as in `try again in 1m26.4s`."""
    found = WAIT.search(message[:LONGEST_MESSAGE]) if isinstance(message, str) else None
    if found is None or not any(found.group("h", "m", "s")):
        return None
    seconds = float(found["s"] or 0) / (1000 if (found["unit"] or "").lower() == "ms" else 1)
    return timedelta(hours=int(found["h"] or 0), minutes=int(found["m"] or 0), seconds=seconds)
