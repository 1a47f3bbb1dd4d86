"""Every error that a caller can see, as one exception with one JSON shape.

A `Problem` has a stable `code`. What the code means (HTTP status, title, what to do) is defined
once, in problem_catalog.py; docs/troubleshooting.md has a section for each, and a test compares
the two.
The body is RFC 9457 problem+json. Text from upstream never becomes part of a Problem: every
`detail` is written in this project.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.core.problem_catalog import CATALOGUE


class Problem(Exception):
    """An error with a `code` of `CATALOGUE`.

    `detail` and `hint` are sentences of this project's own (default: the title, and the code's
    hint), `retry_after` is how long the caller should wait; `headers` go into the response.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        hint: str | None = None,
        retry_after: timedelta | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.meaning = CATALOGUE[code]
        self.detail = detail or f"{self.meaning.title}."
        self.hint = hint or self.meaning.hint
        self.retry_after = retry_after
        self.extra_headers = dict(headers or {})
        super().__init__(f"{code}: {self.detail}")

    @property
    def status(self) -> int:
        """The HTTP status of the response."""
        return self.meaning.status

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response: `Retry-After` in whole seconds, `Allow`, …"""
        if self.retry_after is None:
            return self.extra_headers
        seconds = max(1, math.ceil(self.retry_after.total_seconds()))
        return {**self.extra_headers, "Retry-After": str(seconds)}

    def body(self, request_id: str) -> dict[str, Any]:
        """The problem+json members (RFC 9457, with `code`, `hint` and `request_id` added)."""
        return {
            "type": f"urn:realtime-token-broker:problem:{self.code}",
            "title": self.meaning.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "hint": self.hint,
            "request_id": request_id,
        }
