"""Everything that can go wrong, as one exception."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from realtime_client.codes import BROKER_UNREACHABLE, NO_ANSWER, UNCERTAIN, UNEXPECTED_ANSWER
from realtime_client.wire import UNREADABLE, Failed, Reply

LONGEST_DETAIL = 300
LONGEST_WAIT_DIGITS = 9


class Problem(Exception):
    """The broker refused or failed, or did not answer.

    `code` is stable: one of `ProblemCode`, or of `CLIENT_CODES` where the broker did not say.
    `hint` says what to do. `request_id` is what the broker's log has; "" where there is none. After
    `retry_after` trying again makes sense; None says that it does not, or that nobody knows.
    `status` is the HTTP status, 0 without a response. `may_have_happened`: nobody said that the
    request was refused, so a call may have begun; after some problems at the model's endpoint the
    broker does not know either.
    """

    def __init__(
        self,
        code: str,
        *,
        status: int = 0,
        title: str = "",
        detail: str = "",
        hint: str = "",
        request_id: str = "",
        retry_after: timedelta | None = None,
        may_have_happened: bool = False,
    ) -> None:
        self.code = code
        self.status = status
        self.title = title
        self.detail = detail
        self.hint = hint
        self.request_id = request_id
        self.retry_after = retry_after
        self.may_have_happened = may_have_happened
        said = " ".join(part for part in (detail or title, hint) if part)
        super().__init__(f"{code}: {said}" if said else code)


def problem_in(reply: Reply) -> Problem:
    """What a reply says that is no success."""
    wait = seconds_in(reply.headers.get("retry-after", ""))
    try:
        body = reply.json()
        return Problem(
            text(body["code"]),
            status=reply.status,
            title=text(body["title"]),
            detail=text(body["detail"]),
            hint=text(body["hint"]),
            request_id=text(body["request_id"]),
            retry_after=wait,
            may_have_happened=body["code"] in UNCERTAIN,
        )
    except UNREADABLE:
        return unexpected_answer(reply, f"HTTP {reply.status} without a problem of the broker's.")


def unexpected_answer(reply: Reply, detail: str) -> Problem:
    """The problem of a reply that is not what the contract has."""
    is_redirect = 300 <= reply.status < 400
    hint = "Check the broker's address, and what is in front of it: a proxy, a sign-in."
    if is_redirect:
        hint = "It leads elsewhere, as a sign-in does. Redirects are not followed; give a token."
    return Problem(
        UNEXPECTED_ANSWER,
        status=reply.status,
        title="The answer is not one of the broker's",
        detail=detail,
        hint=hint,
        request_id=reply.headers.get("x-request-id", ""),
        retry_after=seconds_in(reply.headers.get("retry-after", "")),
        may_have_happened=reply.status < 300 or reply.status >= 500,
    )


def no_reply(failed: Failed) -> Problem:
    """The problem of a request that got no reply."""
    if failed.sent:
        return Problem(
            NO_ANSWER,
            title="The broker did not answer",
            detail=failed.reason[:LONGEST_DETAIL],
            hint="Look whether it was carried out before you send it again.",
            may_have_happened=True,
        )
    return Problem(
        BROKER_UNREACHABLE,
        title="The broker cannot be reached",
        detail=failed.reason[:LONGEST_DETAIL],
        hint="Check the broker's address, the network and the proxy. Nothing was sent.",
    )


def seconds_in(header: str) -> timedelta | None:
    """The time in `Retry-After`; the broker sends whole seconds, others may send a date. Of absurd
    numbers the first digits do: they are years."""
    if not (header.isascii() and header.isdigit()):
        return None
    return timedelta(seconds=int(header[:LONGEST_WAIT_DIGITS]))


def text(value: Any) -> str:
    """The value, which must be a string. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, not {type(value).__name__}")
    return value
