"""Finds secrets in what tests print and log."""

from __future__ import annotations

import re
from collections.abc import Iterable

SECRETS = {
    # Keys as the emulator and the live service make them; the short ones in tests do not match.
    "an ephemeral key": re.compile(r"ek_[0-9a-f]{24,}"),
    "a standard key": re.compile(r"sk-[A-Za-z0-9]{20,}"),
    "a bearer": re.compile(r"(?i)bearer\s+ey[A-Za-z0-9._-]{20,}"),
    "a token": re.compile(r"eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "what joins a call": re.compile(r"a=(?:ice-pwd|fingerprint):\S+"),
    "the broker's secret": re.compile(r"b{40}"),
}


def found_in(printed: Iterable[tuple[str, str]]) -> list[str]:
    """Which kind of secret is in which test's output; the secrets themselves are not repeated."""
    return [
        f"{name} in the output of {test}"
        for test, text in printed
        for name, pattern in SECRETS.items()
        if pattern.search(text)
    ]
