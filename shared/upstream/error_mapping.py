"""Turns upstream's refusals into problems, in this one place.

Error bodies are parsed for their code and dropped: their text may quote the request. Azure's
gateway sends `code` and `message` alone, OpenAI `type` and `param` too, some 400s have no body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from shared.core import logs
from shared.core.problems import Problem
from shared.upstream.transport import Reply

CODE = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")


def refusal_problem(reply: Reply, *, sent_offer: bool = False) -> Problem:
    """What an upstream refusal means for the caller; its status and code are logged."""
    error = reply.json().get("error")
    error = error if isinstance(error, dict) else {}
    code, field_name = code_or_empty(error.get("code")), code_or_empty(error.get("param"))
    message = str(error.get("message", ""))
    logs.event("upstream refused", status=reply.status, upstream_code=code, field=field_name)
    name = problem_code(reply.status, code, message, sent_offer)
    if name == "upstream_quota":
        return Problem(name, retry_after=retry_after(reply.headers) or timedelta(seconds=10))
    return Problem(name)


def problem_code(status: int, code: str, message: str, sent_offer: bool) -> str:
    """The problem code for an upstream status, error code and message."""
    if code == "DeploymentNotFound":
        return "deployment_not_found"
    # The service itself spells it with two p.
    if code in ("OpperationNotSupported", "OperationNotSupported"):
        return "not_a_realtime_model"
    if code == "model_not_found":
        return "deployment_not_found"
    if status == 429:
        return "upstream_quota"
    if status == 401:
        return "upstream_access_denied"
    if status == 403:
        return "upstream_region" if "region" in message.lower() else "upstream_access_denied"
    if status == 404:
        return "deployment_not_found" if not sent_offer else "upstream_failed"
    if status == 400:
        return "offer_refused" if sent_offer else "profile_refused"
    if status in (408, 504):
        return "upstream_timeout"
    return "upstream_failed"


def code_or_empty(value: object) -> str:
    """`value` if it is a plain code, so that no upstream prose reaches the log."""
    return value if isinstance(value, str) and CODE.fullmatch(value) else ""


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
