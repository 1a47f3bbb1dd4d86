"""The one place where upstream's refusals become problems."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from shared.core import logs
from shared.core.problems import Problem

if TYPE_CHECKING:
    pass
from shared.upstream.transport import Reply

WORD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")


def trouble(reply: Reply, *, sent_offer: bool = False) -> Problem:
    """What a refusal of upstream means for the caller; its status and code go to the log."""
    error = reply.json().get("error")
    error = error if isinstance(error, dict) else {}
    code, field_name = word(error.get("code")), word(error.get("param"))
    said = str(error.get("message", ""))
    logs.event("upstream refused", status=reply.status, upstream_code=code, field=field_name)
    name = meaning(reply.status, code, said, sent_offer)
    if name == "upstream_quota":
        return Problem(name, retry_after=retry_after(reply.headers) or timedelta(seconds=10))
    return Problem(name)


def meaning(status: int, code: str, said: str, sent_offer: bool) -> str:
    """The problem code for an upstream status, error code and message."""
    if code == "DeploymentNotFound":
        return "deployment_not_found"
    # The service's own spelling has two p.
    if code in ("OpperationNotSupported", "OperationNotSupported"):
        return "not_a_realtime_model"
    if code == "model_not_found":
        return "deployment_not_found"
    if status == 429:
        return "upstream_quota"
    if status == 401:
        return "upstream_access_denied"
    if status == 403:
        return "upstream_region" if "region" in said.lower() else "upstream_access_denied"
    if status == 404:
        return "deployment_not_found" if not sent_offer else "upstream_failed"
    if status == 400:
        return "offer_refused" if sent_offer else "profile_refused"
    if status in (408, 504):
        return "upstream_timeout"
    return "upstream_failed"


def word(value: object) -> str:
    """`value` if it is a plain code word, so that no sentence of upstream's reaches the log."""
    return value if isinstance(value, str) and WORD.fullmatch(value) else ""


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """The Retry-After header, in seconds or as a date; also `retry-after-ms`. None if unusable."""
    for name, unit in (("retry-after-ms", 0.001), ("Retry-After", 1.0)):
        value = headers.get(name, "")
        try:
            return timedelta(seconds=max(0.0, float(value) * unit))
        except (ValueError, OverflowError):
            continue
    try:
        when = parsedate_to_datetime(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return max(timedelta(0), when.astimezone(UTC) - datetime.now(UTC))
